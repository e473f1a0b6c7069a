"""Nodes that signed two Updates for one round, wherever these were seen: in evidence, on chain, handed over, at mirrors."""

from collections.abc import Iterator

from aggregator.mirror.doubles import Double, Signed, doubles_among, read_view
from aggregator.scorer.faults import Fault
from aggregator.scorer.forwarding import Forwarding
from aggregator.scorer.gathering import Gathering
from ledger.records import RoundState
from protocol.errors import FormatError, ServiceError
from protocol.evidence import Evidence, Kind
from protocol.typed_data import Update


def seen_here(gathering: Gathering, number: int, evidence: Evidence | None) -> tuple[Signed, ...]:
    """The Updates of a round that need no mirror: evidence that is at hand, what is on chain, and what was handed over."""
    leaves = evidence.by_kind[Kind.UPDATE].values() if evidence else ()
    published = [Signed(Update(*leaf.values[:-1]), leaf.values[-1]) for leaf in leaves]
    committed = [Signed(*commit) for commit in gathering.ledger.commits(number)]
    return (*published, *committed, *Forwarding(gathering).signed(number))


def double_updates(gathering: Gathering, number: int, evidence: Evidence | None) -> Iterator[Fault]:
    """Every node that is proved to have signed two Updates, by the signatures alone."""
    ledger = gathering.ledger
    if ledger.round(number).state is RoundState.NONE:
        return
    seen = (*seen_here(gathering, number, evidence), *_at_mirrors(gathering, number))
    for double in doubles_among(seen, ledger.roster(number), ledger.domain):
        yield _fault(gathering, double)


def _at_mirrors(gathering: Gathering, number: int) -> Iterator[Signed]:
    for mirror in gathering.mirrors:
        try:
            for view in mirror.double_updates(number):
                yield from read_view(view)
        except (ServiceError, FormatError):
            continue


def _fault(gathering: Gathering, double: Double) -> Fault:
    update = double.first.update
    sentence = f"node {update.node} signed two updates for round {update.round}: it loses its stake, the round stands"
    return Fault("DoubleUpdate", sentence, gathering.ledger.court.prove_double_update(double.first, double.second))
