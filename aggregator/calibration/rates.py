"""A share that was counted, and how far it can be trusted."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import nan, sqrt


@dataclass(frozen=True)
class Rate:
    """`hits` of `trials`."""

    hits: int
    trials: int

    @property
    def value(self) -> float:
        """The share; NaN of nothing."""
        return self.hits / self.trials if self.trials else nan

    def interval(self, z: float = 1.96) -> tuple[float, float]:
        """Wilson's score interval (JASA 1927), 95 % by default.

        Trials count as independent. Rounds of one node are not quite, so for a new federation it is too narrow.

        >>> [round(bound, 3) for bound in Rate(0, 100).interval()]
        [0.0, 0.037]
        """
        if not self.trials:
            return (0.0, 1.0)
        n, p = self.trials, self.value
        centre, spread = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return (max(0.0, (centre - spread) / (1 + z * z / n)), min(1.0, (centre + spread) / (1 + z * z / n)))

    def __add__(self, other: "Rate") -> "Rate":
        return Rate(self.hits + other.hits, self.trials + other.trials)


def pooled(rates: Iterable[Rate]) -> Rate:
    """All trials together."""
    return sum(rates, Rate(0, 0))
