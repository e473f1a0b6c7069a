"""A lying aggregator that lets rounds time out until it likes the seed: it withholds the evidence, opens anew, draws again.

Without a cohort the seed decides nothing while the game is enumerated. With one it draws the virtual nodes, whose statistics
decide about updates near a threshold: so the friend sends its update two and a half times over, and the best of k draws counts.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from hashlib import sha256

import numpy as np

from aggregator.evaluation.round import evaluate_round
from bench.adversaries.game import first_round, world
from bench.adversaries.pay import GAME
from bench.adversaries.rules import ALONE, GATE, rule
from bench.pieces import piece, source_hash
from bench.report import Goal, Row, row

DRAWS = (1, 2, 4, 8)
TIMES = 2.5
BOUND = 1.25
"""As for an amplified update whose seed nobody picks."""


def rows(seeds: int) -> Iterator[Row]:
    """Tokens in the time of k rounds, of which k − 1 are Void, against k honest rounds; and the share of what is minted."""
    for name in (ALONE, GATE):
        usual = np.array([_shares(seed, name, 1.0) for seed in range(seeds)]).mean()
        cheated = np.array([_shares(seed, name, TIMES) for seed in range(seeds)])  # (seeds, draws)
        for k in DRAWS:
            best = cheated.reshape(seeds, -1, k).max(axis=2).mean()
            case = f"lying aggregator times {k - 1} of {k} rounds out for the seed, a friend amplified x{TIMES} ({name})"
            tokens = 100 * float(best / (k * usual) - 1)
            yield row(case, "gain in tokens", tokens, "% of honest pay", Goal(at_most=100 * (BOUND - 1)))
            # Under a cap on all tokens, what counts in the end is the share of those that are minted.
            yield row(case, "friend's share of what is minted", float(best / usual), "x", Goal(at_most=BOUND))


def _shares(seed: int, name: str, times: float) -> list[float]:
    """Of owner 0, for each draw."""
    version = source_hash("aggregator/evaluation", "learning", "aggregator/template.py", *GAME, "bench/adversaries/seeds.py")
    return [
        piece(f"adversaries seed {seed} {draw} {times} {name}", version, partial(_drawn, seed, draw, times, name))
        for draw in range(DRAWS[-1])
    ]


def _drawn(seed: int, draw: int, times: float, name: str) -> float:
    inputs = first_round(world(seed), rule(name).config, times)
    outcome = evaluate_round(replace(inputs, seed=sha256(f"draw {draw}".encode()).digest()))
    return outcome.scores[0] / sum(outcome.scores)
