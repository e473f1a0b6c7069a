"""A copier of this round's update in a real federation, and the aggregator that helps it, on both sides of the close.

Bodies are sent after all commitments are fixed, and a commitment binds its body to its node by a salt. So all that the
aggregator can hand on before the close is a commitment, and after it a body that opens nobody else's.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bench.adversaries.lies import honestly_settled
from bench.adversaries.stage import RIVAL, digits, gains, honestly, prepared, trained
from bench.report import Row
from ledger.errors import Reverted
from protocol.api import RoundView
from protocol.errors import ServiceRefused
from protocol.parameters import encode_parameters
from tests.aggregator.service.support import Sent, Service, make_update

OF_THE_COMMITMENT, OF_THE_BODY, LATE = 0, 2, 3
CASES = {
    "copier: the victim's commitment as its own, without help": OF_THE_COMMITMENT,
    "copier: the aggregator hands it the victim's body and salt after the close": OF_THE_BODY,
    "copier: the same, and it commits only then, by the aggregator and on chain": LATE,
}


def rows(directory: Path) -> Iterator[Row]:
    """Three copiers of node 1 in one round of four, each beside what it gets in an honest round of the same data."""
    honest = prepared(directory / "honest", len(digits(4)), honestly(digits(4)))
    copied = prepared(directory / "copied", len(digits(4)), _play)
    for case, node in CASES.items():
        usual = honestly_settled(honest, directory / f"honest {node}", f"owner {node}")
        yield from gains(case, usual, honestly_settled(copied, directory / f"copying {node}", f"owner {node}"))


def _play(service: Service, view: RoundView) -> tuple[Sent, ...]:
    data = digits(4)
    bodies = [encode_parameters(trained(service, node, part)) for node, part in enumerate(data)]
    sent = [make_update(service.domain, view, node, body, samples=len(data[node])) for node, body in enumerate(bodies)]
    victims = sent[RIVAL]
    taken = victims.update.parameters
    sent[OF_THE_COMMITMENT] = make_update(
        service.domain, view, OF_THE_COMMITMENT, victims.body, parameters=taken, samples=len(data[OF_THE_COMMITMENT])
    )
    sent[LATE] = make_update(service.domain, view, LATE, victims.body, samples=len(data[LATE]))
    service.commit(*(one for node, one in enumerate(sent) if node != LATE))
    service.stage.chain.advance(service.stage.ledger.timing().commit)
    service.turn(2)
    service.reveal(victims)
    with suppress(ServiceRefused):
        service.commit(sent[LATE])
    with suppress(Reverted):
        service.stage.federation.send("stranger", service.stage.ledger.commit(sent[LATE].update, sent[LATE].signature))
    for node in CASES.values():
        with suppress(ServiceRefused):
            service.client.reveal(1, node, victims.salt, victims.body)
    timing = service.stage.ledger.timing()
    service.stage.chain.advance(timing.reveal + timing.grace)
    return tuple(sent)
