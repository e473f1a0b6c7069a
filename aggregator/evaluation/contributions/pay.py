"""From contributions to score bases and scores, by integer rules alone: the same for everybody."""

from collections.abc import Mapping
from dataclasses import dataclass

from protocol.shares import largest_remainder, score_basis


@dataclass(frozen=True)
class Pay:
    """Score bases and scores by node index; `scores` sum to the score total, or are all zero."""

    bases: dict[int, int]
    scores: dict[int, int]

    @property
    def total_basis(self) -> int:
        """T, which the sum tree of the evidence commits to."""
        return sum(self.bases.values())


def share_out(
    contributions: Mapping[int, int], standard_errors: Mapping[int, int], gain: int, tolerance: int, z_thousandths: int
) -> Pay:
    """Turn contributions (numerators on one denominator, by node index) into scores.

    `gain` is U(N) − U(∅), and `tolerance` what it may be off by. Nobody is paid for a gain within it: it may be none at all.
    """
    nodes = sorted(contributions)
    if gain > tolerance:
        bases = {node: score_basis(contributions[node], standard_errors[node], z_thousandths) for node in nodes}
    else:
        bases = dict.fromkeys(nodes, 0)
    return Pay(bases, dict(zip(nodes, largest_remainder([bases[node] for node in nodes]), strict=True)))
