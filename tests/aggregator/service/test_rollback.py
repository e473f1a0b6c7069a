"""A chain that goes back to an older state under a running service: noticed, healed, nothing paid twice and nothing lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aggregator.service.journal import SqlJournal
from aggregator.service.phases import Phase
from aggregator.template import with_values
from tests.aggregator.service.support import Sent, Service, Stage, deploy_on, found_home, make_trained, make_update, serve
from tests.ledger.conformance.chains import Anvil, Served
from tests.support.chain import account

WINDOW = 50


@contextmanager
def serving(kind: type[Served] | type[Anvil], directory: Path) -> Iterator[tuple[Service, Served | Anvil]]:
    """A service on a chain that can be set back."""
    home, founding = found_home(directory)
    chain = kind(directory / "chain")
    try:
        federation = deploy_on(chain, home, founding)
        home.settings_file.write_text(with_values(home.settings_file.read_text(), {"rpc_url": chain.url, "port": 0}))
        with serve(Stage(home, federation)) as service:  # type: ignore[arg-type] # what is asked of the chain, both can
            yield service, chain
    finally:
        chain.stop()


def keep(chain: Served | Anvil, copy: Path) -> None:
    chain.stop()
    chain.keep(copy)
    chain.start()


def set_back(chain: Served | Anvil, copy: Path) -> None:
    chain.stop()
    chain.set_back(copy)
    chain.start()


def claim(service: Service) -> int:
    """Claim node 0's reward of round 1, and see its tokens."""
    service.stage.federation.send("stranger", service.stage.ledger.claim(0, [1]))
    return service.stage.ledger.balance(account("owner 0").address)


def collect(service: Service, number: int) -> list[Sent]:
    """Open a round, and commit for both nodes."""
    service.turn(2)
    view = service.client.round(number)
    sent = [make_trained(service, view, node) if number == 1 else make_update(service.domain, view, node) for node in (0, 1)]
    service.commit(*sent)
    return sent


@pytest.mark.parametrize("kind", [Served, Anvil])
def test_a_proposal_that_the_chain_forgot_is_made_again_and_paid_once(kind: type[Served] | type[Anvil], tmp_path: Path) -> None:
    with serving(kind, tmp_path) as (service, chain):
        ledger, journal = service.stage.ledger, SqlJournal(service.context.store.engine)
        sent = collect(service, 1)
        service.turn(2)
        service.reveal(*sent)
        service.turn(3)
        assert service.phase(1) is Phase.PROPOSING
        # Started from a file, anvil has lost what BLOCKHASH says of older blocks, and with it a seed that is not stored.
        service.stage.federation.send("stranger", ledger.seal(1))
        keep(chain, tmp_path / "copy")
        service.turn()
        chain.advance(WINDOW)
        service.turn()
        reward = claim(service)
        assert reward > 0
        following = collect(service, 2)
        receipt = service.client.commit(following[0].update, following[0].signature)
        assert service.client.rewards(0).claimed == reward

        set_back(chain, tmp_path / "copy")
        assert ledger.balance(account("owner 0").address) == 0
        service.coordinator._rollbacks.heal()
        assert (service.phase(1), service.phase(2)) == (Phase.PROPOSING, Phase.OPENING)
        service.turn()
        assert service.phase(1) is Phase.PROPOSED
        assert len(journal.entries("propose:1")) == 1, "the very same transaction"
        chain.advance(WINDOW)
        service.turn()
        assert (service.client.round(1).state, service.client.rewards(0).claimable) == ("final", reward)
        assert (claim(service), ledger.total_supply()) == (reward, reward)

        # Round 2 opens again on the same inputs, so what was promised for it is kept.
        service.turn()
        assert service.phase(2) is Phase.OPEN
        assert service.client.commit(following[0].update, following[0].signature) == receipt
        service.turn(2)
        assert (service.client.round(2).state, service.client.round(2).commits) == ("closed", 2)
        assert chain.web3.eth.get_transaction_count(account("aggregator").address) == 5  # open, close, propose, open, close


@pytest.mark.parametrize("kind", [Served, Anvil])
def test_a_paid_round_that_the_chain_forgot_altogether_is_played_and_paid_again_once(
    kind: type[Served] | type[Anvil], tmp_path: Path
) -> None:
    with serving(kind, tmp_path) as (service, chain):
        ledger = service.stage.ledger
        keep(chain, tmp_path / "copy")
        sent = collect(service, 1)
        service.turn(2)
        service.reveal(*sent)
        service.turn(4)
        chain.advance(WINDOW)
        service.turn()
        before, reward = service.client.round(1), claim(service)
        assert (before.state, reward > 0) == ("final", True)

        set_back(chain, tmp_path / "copy")
        chain.mine(1)  # from here on it is another history
        assert ledger.balance(account("owner 0").address) == 0
        service.turn()
        assert service.phase(1) is Phase.OPEN
        assert service.client.round(1).commits == 2
        service.turn(6)
        after, found = service.client.round(1), service.context.store.round(1)
        assert (after.state, after.bodies) == ("proposed", 2)
        assert found is not None
        assert (found.seed, after.evidence_root) == (ledger.round(1).seed, ledger.round(1).evidence_root)
        assert after.evidence_root != before.evidence_root, "another block closed it, so another seed decided"
        chain.advance(WINDOW)
        service.turn()
        assert claim(service) == ledger.reward(1, 0) > 0
        assert ledger.total_supply() == ledger.reward(1, 0)
        assert chain.web3.eth.get_transaction_count(account("aggregator").address) == 3  # open, close, propose


def test_a_commitment_that_the_chain_forgot_is_looked_for_again(tmp_path: Path) -> None:
    with serving(Served, tmp_path) as (service, chain):
        service.turn(2)
        keep(chain, tmp_path / "copy")
        view, ledger = service.client.round(1), service.stage.ledger
        by_chain, by_api = (make_update(service.domain, view, node) for node in (0, 1))
        service.stage.federation.send("stranger", ledger.commit(by_chain.update, by_chain.signature))
        service.turn()
        assert service.client.upload(1, 0).committed

        set_back(chain, tmp_path / "copy")
        chain.mine(1)
        service.turn()
        assert (service.client.round(1).commits, ledger.round(1).commits) == (0, 0)
        service.stage.federation.send("stranger", ledger.commit(by_chain.update, by_chain.signature))
        service.commit(by_api)
        service.turn(2)
        assert (service.client.round(1).state, service.client.round(1).commits) == ("closed", 2)


def test_a_chain_that_only_grew_is_not_taken_for_another(tmp_path: Path) -> None:
    with serving(Served, tmp_path) as (service, chain):
        collect(service, 1)
        chain.mine(3)
        assert not service.coordinator._rollbacks.heal()
        chain.stop()
        chain.start()
        assert not service.coordinator._rollbacks.heal()
        assert service.phase(1) is Phase.OPEN
