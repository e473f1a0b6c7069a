"""A node's real key signs two Updates of one round: whoever sees both proves it, the node loses its stake, the round stands."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aggregator.mirror.doubles import Double, Signed, doubles_among, read_view
from aggregator.scorer.cli import app
from aggregator.scorer.home import ScorerHome, ScorerSettings
from aggregator.service.phases import Phase
from ledger.bonds import Bonds
from ledger.records import RoundState
from ledger.wallet import Wallet
from protocol.files import write_durably
from protocol.update import commitment
from tests.aggregator.service.support import SALT, Sent, Service, founded, make_update, problem, serve, staged
from tests.support.chain import COIN, PASSPHRASE, account

__all__ = ["founded"]


@pytest.fixture
def service(founded: Any, tmp_path: Path) -> Iterator[Service]:
    with staged(founded, tmp_path) as stage, serve(stage) as served:
        yield served


def another(service: Service, sent: Sent) -> Sent:
    """What the same node signs beside it, under the same inputs."""
    update = sent.update
    opened = commitment(service.domain.separator, update.round, update.node, SALT, bytes(32))
    changed = replace(update, parameters=opened)
    return Sent(changed, changed.sign(service.domain, account(f"signer {update.node}")), b"")


def prove(service: Service, directory: Path) -> dict[str, Any]:
    """`fairshare scorer prove 1` by the scorer, who asks the aggregator."""
    home, chain = ScorerHome(directory), service.stage.chain
    if not home.key.exists():
        Wallet.create(home.key, PASSPHRASE, bytes(account("scorer").key), scrypt_n=2)
    settings = ScorerSettings(
        ledger=service.stage.ledger.ledger_address,
        rpc_url=chain.url,
        chain_id=chain.chain_id,
        mirrors=(service.client.url,),
    )
    write_durably(home.settings_file, settings.text().encode())
    command = ["prove", "1", "--home", str(directory), "--json"]
    told = CliRunner().invoke(app, command, env={"FAIRSHARE_PASSPHRASE": PASSPHRASE})
    assert told.exit_code == 0, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def test_a_second_update_that_the_aggregator_refused_costs_the_stake_and_the_round_stands(
    service: Service, tmp_path: Path
) -> None:
    ledger, scorer = service.stage.ledger, account("scorer").address
    view = service.open_round()
    honest, twice = (make_update(service.domain, view, node) for node in range(2))
    service.commit(honest, honest, twice)  # the same Update again is no second one
    assert service.client.double_updates(1) == []
    second = another(service, twice)
    for _ in range(2):
        assert problem(lambda: service.commit(second)) == (409, "second-update")
    (seen,) = service.client.double_updates(1)
    assert read_view(seen) == ((twice.update, twice.signature), (second.update, second.signature))

    stake, supply_owed = ledger.node(1).stake, Bonds(ledger).owed(scorer)
    told = prove(service, tmp_path / "scorer")
    assert (told["proved"], [fault["fault"] for fault in told["faults"]]) == ("DoubleUpdate", ["DoubleUpdate"])
    assert (stake, ledger.node(1).stake, ledger.node(0).stake) == (COIN // 2, 0, COIN // 2)
    assert Bonds(ledger).owed(scorer) - supply_owed == service.stage.federation.config.stake.proof_fee
    assert prove(service, tmp_path / "scorer")["proved"] is None  # nobody is punished twice

    service.turn(2)
    service.reveal(honest, twice)
    service.turn(4)
    assert service.phase(1) is Phase.PROPOSED
    service.stage.chain.advance(service.context.federation.timing.window)
    assert ledger.round(1).state is RoundState.FINAL


def test_a_commitment_on_chain_that_overrides_a_receipt_leaves_the_first_one_provable(service: Service, tmp_path: Path) -> None:
    ledger, view = service.stage.ledger, service.open_round()
    first = make_update(service.domain, view, 0)
    service.commit(first)
    second = another(service, first)
    service.stage.federation.send("stranger", ledger.commit(second.update, second.signature))
    service.turn()
    kept = service.context.store.update(1, 0)
    assert kept is not None
    assert kept.update == second.update  # what the round will be closed over
    assert prove(service, tmp_path / "scorer")["proved"] == "DoubleUpdate"
    assert ledger.node(0).stake == 0


def test_what_is_no_double(service: Service) -> None:
    view = service.open_round()
    one = make_update(service.domain, view, 0)
    signed, roster = Signed(one.update, one.signature), service.stage.ledger.roster(1)
    domain, second = service.domain, another(service, one)
    forged = Signed(second.update, second.update.sign(domain, account("signer 1")))
    elsewhere = replace(second.update, inputs=b"\x09" * 32)
    other_round = Signed(elsewhere, elsewhere.sign(domain, account("signer 0")))
    broken = Signed(second.update, b"\x01")
    assert doubles_among([signed, signed, forged, other_round, broken], roster, domain) == ()
    both = Signed(second.update, second.signature)
    assert doubles_among([signed, forged, both, signed], roster, domain) == (Double(signed, both),)
