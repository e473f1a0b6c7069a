"""A node against the aggregator's real service: enrolled over HTTP, settled on chain, the same figures everywhere."""

from pathlib import Path

from ledger.records import RoundState
from ledger.wallet import Wallet
from node.consent import consent
from node.earnings import claim, compare, earnings
from node.enrolment import accept_ahead, enrol, home_at
from node.membership import join, own_node
from node.runner import run
from node.status import node_status
from node.terms import fetch_announced
from protocol.terms import terms_hash
from tests.aggregator.service.support import Sent, Service, founded, make_update, served, stage
from tests.aggregator.service.test_terms import Z, announce, enact, prepare, wait
from tests.node.conftest import Lines
from tests.support.chain import PASSPHRASE, account

__all__ = ["founded", "served", "stage"]


def test_rounds_with_the_real_service_before_and_after_the_terms_change(served: Service, tmp_path: Path) -> None:
    federation, chain = served.stage.federation, served.stage.ledger
    mine, home = chain.node_count(), home_at(tmp_path / "node")
    owner = account(f"owner {mine}")
    for path, name in ((home.owner_key, f"owner {mine}"), (home.signing_key, f"signer {mine}")):
        Wallet.create(path, PASSPHRASE, bytes(account(name).key), scrypt_n=2)
    settings = enrol(
        home,
        federation.invite(f"owner {mine}"),
        chain,
        served.client,
        rpc_url=federation.chain.url,
        data="1/8",
        payout=None,
        consent=lambda offer: consent(offer, terms_hash(chain.config_hash(), chain.task_hash())),
    )
    assert join(home, settings, chain, lambda: PASSPHRASE).node.node == mine
    others: dict[int, list[Sent]] = {}

    def pause(_: float) -> None:
        """The other nodes send noise by hand, then the coordinator takes a turn."""
        last = chain.last_round()
        state = chain.round(last).state
        if state is RoundState.OPEN and last not in others:
            others[last] = [make_update(chain.domain, served.client.round(last), node) for node in range(mine)]
            served.commit(*others[last])
        elif state is RoundState.CLOSED and not served.client.upload(last, 0).revealed:
            served.reveal(*others[last])
        served.turn()

    lines = Lines()
    (report,) = run(home.path, PASSPHRASE, lines, rounds=1, pause=pause)

    assert (report.round, report.note) == (1, "")
    assert report.verdict in ("accept", "down-weight")
    assert report.score > 9_000_000
    assert report.contribution > 0
    assert not any("again" in line for line in lines.said)

    federation.chain.advance(federation.config.rounds.window_seconds)
    found = earnings(chain, own_node(home, chain).node)
    assert found.amounts["claimable"] == report.reward
    assert compare(found, settings.federation_url) == "says the same"
    claim(chain, found, federation.chain.sender(f"owner {mine}"))
    assert chain.balance(owner.address) == report.reward
    assert compare(earnings(chain, mine), settings.federation_url) == "says the same"
    status = node_status(home, settings, chain)
    assert (status.round, status.done, status.aggregator, status.announced) == (1, "reported", "up", None)

    # The terms change: the node is told, accepts ahead, and takes part in the first round under the new ones.
    prepared = prepare(served.stage, *Z)
    wanted = announce(served.stage, prepared)
    served.turn()
    coming = node_status(home, settings, chain).announced
    assert coming is not None
    assert (coming.digest, coming.accepted) == (terms_hash(prepared.config_hash, prepared.task_hash), False)
    assert coming.changes == ("pay.z: 0 -> 0.001",)
    announced = fetch_announced(served.client, chain)
    assert announced is not None
    accept_ahead(home, settings, announced.terms, lambda offered: consent(offered, coming.digest))
    wait(served.stage)
    enact(served.stage, wanted)
    (second,) = run(home.path, PASSPHRASE, lines, rounds=1, pause=pause)
    opening = chain.opening(second.round)
    assert opening is not None
    assert (opening.config_hash, second.verdict in ("accept", "down-weight")) == (prepared.config_hash, True)
    assert node_status(home, settings, chain).announced is None
