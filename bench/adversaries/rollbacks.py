"""A chain that goes back to an older state in mid-settlement, under a running service: nobody is paid twice, nothing is lost."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aggregator.template import with_values
from bench.adversaries.stage import Wealth, digits, founded, honestly, wealth
from bench.report import Goal, Row, row
from tests.aggregator.service.support import Service, Stage, deploy_on, serve
from tests.ledger.conformance.chains import Served
from tests.support.chain import COIN

PEOPLE = ("owner 0", "owner 1", "aggregator", "scorer")
_UNTIL_ATTESTED, _UNTIL_PROPOSED = 3, 4


def rows(directory: Path) -> Iterator[Row]:
    """What all have together, against what they have if the chain never goes back; neither more nor less."""
    for name, play in CASES.items():
        with _serving(directory / name) as (service, chain):
            before = wealth(service.stage.ledger, *PEOPLE)
            play(service, chain, directory / f"{name} kept")
            gained = wealth(service.stage.ledger, *PEOPLE) - before
            due = sum(service.stage.ledger.reward(1, node) for node in (0, 1))
        yield row(name, "gain in tokens", 100 * (gained.tokens - due) / due, "% of honest pay", Goal(0, 0))
        yield row(name, "gain in stake", gained.coin / COIN, "coin", Goal(0, 0))


@contextmanager
def _serving(directory: Path) -> Iterator[tuple[Service, Served]]:
    home, founding = founded(directory, scorers=("scorer",))
    chain = Served(directory / "chain")
    try:
        federation = deploy_on(chain, home, founding)
        home.settings_file.write_text(with_values(home.settings_file.read_text(), {"rpc_url": chain.url, "port": 0}))
        with serve(Stage(home, federation)) as service:  # type: ignore[arg-type] # what is asked of the chain, it can
            yield service, chain
    finally:
        chain.stop()


def _keep(chain: Served, copy: Path) -> None:
    chain.stop()
    chain.keep(copy)
    chain.start()


def _set_back(chain: Served, copy: Path) -> None:
    chain.stop()
    chain.set_back(copy)
    chain.start()


def _revealed(service: Service) -> None:
    """Round 1 opened, committed to and revealed."""
    service.turn(2)
    honestly(digits(2))(service, service.client.round(1))


def _settled(service: Service, chain: Served) -> Wealth:
    """The window passes, and both nodes' rewards are claimed."""
    chain.advance(service.stage.ledger.timing().window)
    service.turn()
    for node in (0, 1):
        service.stage.federation.send("stranger", service.stage.ledger.claim(node, [1]))
    return wealth(service.stage.ledger, *PEOPLE)


def _forgets_the_proposal(service: Service, chain: Served, kept: Path) -> None:
    _revealed(service)
    service.turn(_UNTIL_ATTESTED)
    _keep(chain, kept)
    service.turn()
    _settled(service, chain)
    _set_back(chain, kept)
    service.turn(2)
    _settled(service, chain)


def _forgets_the_round(service: Service, chain: Served, kept: Path) -> None:
    _keep(chain, kept)
    _revealed(service)
    service.turn(_UNTIL_PROPOSED)
    _settled(service, chain)
    _set_back(chain, kept)
    chain.mine(1)  # from here on it is another history
    service.turn(8)
    _settled(service, chain)


def _forgets_the_claims(service: Service, chain: Served, kept: Path) -> None:
    _revealed(service)
    service.turn(_UNTIL_PROPOSED)
    _keep(chain, kept)
    _settled(service, chain)
    _set_back(chain, kept)
    _settled(service, chain)


CASES: dict[str, Callable[[Service, Served, Path], None]] = {
    "rollback in mid-settlement: the proposal and all claims are forgotten": _forgets_the_proposal,
    "rollback in mid-settlement: the whole round is forgotten": _forgets_the_round,
    "rollback in mid-settlement: the claims are forgotten": _forgets_the_claims,
}
