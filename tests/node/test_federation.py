"""A node against the aggregator's real service: enrolled over HTTP, settled on chain, the same figures everywhere."""

from pathlib import Path

from ledger.records import RoundState
from ledger.wallet import Wallet
from node.consent import consent
from node.earnings import claim, compare, earnings
from node.enrolment import enrol, home_at
from node.membership import join, own_node
from node.runner import run
from node.status import node_status
from protocol.terms import terms_hash
from tests.aggregator.service.support import Sent, Service, founded, make_update, served, stage
from tests.node.conftest import Lines
from tests.support.chain import PASSPHRASE, account

__all__ = ["founded", "served", "stage"]


def test_a_round_with_the_real_service(served: Service, tmp_path: Path) -> None:
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
    others: list[Sent] = []

    def pause(_: float) -> None:
        """The other nodes send noise by hand, then the coordinator takes a turn."""
        last = chain.last_round()
        state = chain.round(last).state
        if last == 1 and state is RoundState.OPEN and not others:
            others.extend(make_update(chain.domain, served.client.round(1), node) for node in range(mine))
            served.commit(*others)
        elif last == 1 and state is RoundState.CLOSED and not served.client.upload(1, 0).revealed:
            served.reveal(*others)
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
    assert (status.round, status.done, status.aggregator) == (1, "reported", "up")
