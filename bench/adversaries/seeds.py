"""A lying aggregator that lets rounds time out until it likes the seed: it withholds the evidence, opens anew, draws again.

Without a cohort the seed decides nothing while the game is enumerated. With one it draws the virtual nodes, whose statistics
decide about updates near a threshold: so the friend sends its update two and a half times over. What that gains by itself is
another matter (`cheats`): here the best of k draws is compared with any one of them.
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

DRAWS = (2, 4, 8)
TIMES = 2.5


def rows(seeds: int) -> Iterator[Row]:
    """Tokens in the time of k rounds, of which k − 1 are Void, against k rounds as they come; and the share of what is minted."""
    for name in (ALONE, GATE):
        shares = np.array([_shares(seed, name) for seed in range(seeds)])  # (seeds, draws)
        usual = shares.mean()
        for k in DRAWS:
            best = shares.reshape(seeds, -1, k).max(axis=2).mean()
            case = f"lying aggregator times {k - 1} of {k} rounds out for the seed, a friend amplified x{TIMES} ({name})"
            tokens = 100 * float(best / (k * usual) - 1)
            yield row(case, "gain in tokens", tokens, "% of pay without", Goal(at_most=0))
            # Under a cap on all tokens, what counts in the end is the share of those that are minted.
            yield row(case, "friend's share of what is minted", float(best / usual), "x", Goal(at_most=1.05))


def _shares(seed: int, name: str) -> list[float]:
    """Of owner 0, for each draw."""
    version = source_hash("aggregator/evaluation", "learning", "aggregator/template.py", *GAME, "bench/adversaries/seeds.py")
    return [
        piece(f"adversaries seed {seed} {draw} {name}", version, partial(_drawn, seed, draw, name)) for draw in range(DRAWS[-1])
    ]


def _drawn(seed: int, draw: int, name: str) -> float:
    inputs = first_round(world(seed), rule(name).config, TIMES)
    outcome = evaluate_round(replace(inputs, seed=sha256(f"draw {draw}".encode()).digest()))
    return outcome.scores[0] / sum(outcome.scores)
