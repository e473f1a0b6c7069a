"""What a node contributed, round by round and in total. Rounds that it took no part in count as zero.

The sum over rounds is that of Wang, Rausch, Zhang, Jia and Song, A principled approach to data valuation for federated learning
(2020): the Shapley value is additive, and who is in no coalition of a round contributes nothing to it.
"""

from collections.abc import Iterable
from math import hypot

from aggregator.service.records import RoundRecord
from protocol.api import ContributionsView, RoundContribution
from protocol.evidence import Evidence, Kind

_UNIT = 1 << 20


def round_contribution(found: RoundRecord, evidence: Evidence, node: int) -> RoundContribution:
    """What the evidence of a round says of a node, as shares of a perfect score on the round's evaluation samples."""
    leaf = evidence.by_kind[Kind.CONTRIBUTION].get(node)
    perfect = evidence.header.denominator * (found.evaluation_samples or 1) * _UNIT
    names = ("contribution", "standard_error", "sampling_error", "estimation_error")
    figures = {name: 0.0 if leaf is None else leaf.get(name) / perfect for name in names}
    taken = node in evidence.by_kind[Kind.VERDICT]
    return RoundContribution(round=found.number, state=found.phase.state, took_part=taken, **figures)


def in_total(node: int, address: str, rounds: Iterable[RoundContribution], block: int) -> ContributionsView:
    """The sum over the Final rounds among `rounds`.

    All rounds are evaluated on the same samples, so their sampling errors may all point the same way and are added; estimation
    errors come from designs that are drawn anew and are added in squares.
    """
    listed = list(rounds)
    final = [one for one in listed if one.state == "final"]
    sampling = sum(one.sampling_error for one in final)
    estimation = hypot(*(one.estimation_error for one in final))
    return ContributionsView(
        node=node,
        address=address,
        contribution=sum(one.contribution for one in final),
        standard_error=hypot(sampling, estimation),
        sampling_error=sampling,
        estimation_error=estimation,
        rounds=listed,
        block=block,
    )
