"""A lying aggregator that lets rounds time out until it likes the seed: it withholds the evidence, opens anew, draws again.

Without a cohort the seed decides nothing while the game is enumerated. With one it decides whom the virtual nodes' statistics
touch. The same honest updates are evaluated under many seeds; the friend is each node in turn, and picks the best of k.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from hashlib import sha256

import numpy as np

from aggregator.evaluation.round import evaluate_round
from bench.adversaries.game import OWNERS, first_round, world
from bench.adversaries.pay import GAME
from bench.adversaries.rules import ALONE, GATE, rule
from bench.pieces import piece, source_hash
from bench.report import Goal, Row, row

DRAWS = (2, 4, 8)


def rows(seeds: int) -> Iterator[Row]:
    """Tokens in the time of k rounds, of which k − 1 are Void, against k honest rounds; and the share of what is minted."""
    for name in (ALONE, GATE):
        shares = np.array([_shares(seed, name) for seed in range(seeds)])  # (seeds, draws, owners)
        usual = shares.mean(axis=1)
        for k in DRAWS:
            best = shares.reshape(seeds, -1, k, OWNERS).max(axis=2).mean(axis=1)
            case = f"lying aggregator times {k - 1} of {k} rounds out until it likes the seed ({name})"
            tokens = 100 * float((best / (k * usual)).mean() - 1)
            yield row(case, "gain in tokens", tokens, "% of honest pay in the same time", Goal(at_most=0))
            # Under a cap on all tokens, what counts in the end is the share of those that are minted.
            yield row(case, "friend's share of what is minted", float((best / usual).mean()), "x", Goal(at_most=1.05))


def _shares(seed: int, name: str) -> list[list[float]]:
    version = source_hash("aggregator/evaluation", "learning", "aggregator/template.py", *GAME, "bench/adversaries/seeds.py")
    return [
        piece(f"adversaries seed {seed} {draw} {name}", version, partial(_drawn, seed, draw, name)) for draw in range(DRAWS[-1])
    ]


def _drawn(seed: int, draw: int, name: str) -> list[float]:
    inputs = first_round(world(seed), rule(name).config)
    outcome = evaluate_round(replace(inputs, seed=sha256(f"draw {draw}".encode()).digest()))
    return [score / sum(outcome.scores) for score in outcome.scores]
