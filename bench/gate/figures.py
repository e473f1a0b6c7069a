"""From played cells to figures: recall, false positives, rounds to name, tokens, each with its interval."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean

from aggregator.calibration.rates import Rate
from bench.gate.cells import Cell
from bench.gate.play import Played
from protocol.verdicts import Reason

SETTLED = 6
"""Figures "from round 6 on": reputation has had time to tell."""


@dataclass(frozen=True)
class Figures:
    """One cell under one defence. Node-rounds count: of nodes that attacked in that round for `recall`, of nodes that are not
    malicious for `false_positives`; a colluder that behaves counts in neither. `to_name`: rounds from a node's first attack until
    it was first named, per named node. `tokens`: what nodes that ever attacked earned per sample over what nodes that are not
    malicious did, from round 6 on; None without attackers, and where no honest node is paid. `malicious`: all colluders, also
    those that never attack; `earned` by each node from round 6 on, in units of score.
    """

    cell: Cell
    accuracy: float
    backdoor: float | None
    recall: Rate
    settled_recall: Rate
    false_positives: Rate
    to_name: tuple[int, ...]
    tokens: float | None
    expelled_honest: int
    expelled_attackers: int
    failure: str | None
    malicious: tuple[int, ...]
    earned: tuple[int, ...]

    def part_of(self, nodes: Iterable[int]) -> float:
        """The part of all tokens, from round 6 on, that went to `nodes`; 0 where none are paid."""
        return sum(self.earned[node] for node in nodes) / max(sum(self.earned), 1)


def figures(cell: Cell, played: Played) -> Figures:
    """All figures of a played cell."""
    culprits = {node for one in played.rounds for node in one.attacking}
    honest = set(range(len(played.samples))) - set(played.malicious)
    expelled = {node for one in played.rounds for node, reason in one.reasons.items() if reason == Reason.EXPELLABLE.code}
    recall, settled, false = Rate(0, 0), Rate(0, 0), Rate(0, 0)
    for number, one in enumerate(played.rounds, 1):
        if one.named is None:
            continue
        hit = Rate(len(set(one.attacking) & set(one.named)), len(one.attacking))
        recall += hit
        settled += hit if number >= SETTLED else Rate(0, 0)
        false += Rate(len(honest & set(one.named)), len(honest))
    return Figures(
        cell,
        played.accuracy,
        played.backdoor,
        recall,
        settled,
        false,
        tuple(_rounds_to_name(played, culprits)),
        _tokens(played, culprits, honest),
        len(expelled & honest),
        len(expelled & culprits),
        played.failure,
        tuple(played.malicious),
        tuple(sum(one.scores.get(node, 0) for one in played.rounds[SETTLED - 1 :]) for node in range(len(played.samples))),
    )


def _rounds_to_name(played: Played, culprits: set[int]) -> Iterable[int]:
    for node in sorted(culprits):
        attacked = [number for number, one in enumerate(played.rounds) if node in one.attacking]
        named = [n for n, one in enumerate(played.rounds) if one.named is not None and node in one.named and n >= attacked[0]]
        if named:
            yield named[0] - attacked[0] + 1


def _tokens(played: Played, culprits: set[int], honest: set[int]) -> float | None:
    late = [one.scores for one in played.rounds[SETTLED - 1 :] if any(one.scores.values())]
    if not late or not culprits or not honest:
        return None

    def per_sample(nodes: set[int]) -> float:
        return sum(scores.get(node, 0) for scores in late for node in nodes) / sum(played.samples[node] for node in nodes)

    return per_sample(culprits) / per_sample(honest) if per_sample(honest) else None


def average(values: Iterable[float | None]) -> float | None:
    """The mean of the values that are there, None if none are."""
    found = [value for value in values if value is not None]
    return mean(found) if found else None
