from fractions import Fraction
from math import isqrt, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.evaluation.contributions.enumeration import every_coalition, exact_matrix
from aggregator.evaluation.contributions.standard_error import PerSample

UNIT = 1 << 20
TWO, _ = exact_matrix(range(4), 2)


def collected(tables: np.ndarray, matrix: np.ndarray) -> PerSample:
    """`tables`: scores of shape (coalitions, samples)."""
    per_sample = PerSample(len(matrix), tables.shape[1])
    for column, scores in enumerate(tables):
        per_sample.add(matrix[:, [column]].astype(float), scores[None])
    return per_sample


@given(st.lists(st.lists(st.integers(0, UNIT), min_size=4, max_size=4), min_size=2, max_size=30))
def test_it_is_the_textbook_formula_rounded_down(samples: list[list[int]]) -> None:
    per_sample = collected(np.array(samples).T, TWO)
    assert per_sample.standard_errors() == pytest.approx(per_sample.exact_errors(), abs=1)
    for row, error in zip(TWO, per_sample.exact_errors(), strict=True):
        values = [sum(int(c) * score for c, score in zip(row, scores, strict=True)) for scores in samples]
        count, mean = len(values), Fraction(sum(values), len(values))
        variance = sum((value - mean) ** 2 for value in values) / (count - 1)
        # φ is a sum over the samples, so its standard error is √count times the standard deviation of one.
        assert error == isqrt(int(count * variance))


def test_contributions_of_all_samples_add_up_to_the_contribution() -> None:
    random = np.random.RandomState(1)
    matrix, _ = exact_matrix(range(32), 5)
    tables = random.randint(0, UNIT + 1, (32, 40))
    assert collected(tables, matrix).sums.sum(1).tolist() == (matrix @ tables.sum(1)).tolist()


def test_who_changes_nothing_has_no_error_and_neither_has_a_single_sample() -> None:
    null = np.array([[3, 9, 4], [3, 9, 4], [8, 8, 8], [8, 8, 8]])  # player 0 never matters
    assert collected(null, TWO).exact_errors()[0] == 0
    assert collected(null, TWO).exact_errors()[1] > 0
    assert collected(null[:, :1], TWO).exact_errors() == (0, 0)
    assert not collected(null[:, :1], TWO).standard_errors().any()


def test_without_players_there_are_no_errors() -> None:
    assert collected(np.array([[1, 2, 3]]), np.zeros((0, 1))).exact_errors() == ()


@pytest.mark.parametrize("players", [12, 16])
def test_nothing_is_rounded_at_the_largest_scores(players: int) -> None:
    coalitions = every_coalition(players)
    matrix, denominator = exact_matrix(coalitions, players)
    per_sample = PerSample(players, 2)
    alone = np.array([coalition & 1 for coalition in coalitions])  # player 0 is worth everything on one sample
    per_sample.add(matrix.astype(float), np.stack([alone * UNIT, 0 * alone], axis=1))
    assert per_sample.exact_errors()[0] == denominator * UNIT


def test_it_is_calibrated_on_data_that_it_has_not_seen() -> None:
    # Scores of 4 coalitions are drawn per sample, correlated as those of similar models are. The contribution on 150 samples is
    # compared with the true one; in units of its standard error it must be a standard normal: mean 0, root mean square 1.
    random, trials, samples = np.random.RandomState(7), 400, 150
    means = np.array([0.3, 0.35, 0.5, 0.45])
    truth = TWO @ means * samples * UNIT
    deviations = []
    for _ in range(trials):
        shared = random.uniform(-0.25, 0.25, samples)
        tables = means[:, None] + shared + random.uniform(-0.05, 0.05, (4, samples))
        scores = np.rint(tables * UNIT).astype(np.int64)
        errors = collected(scores, TWO).exact_errors()
        deviations.append((TWO @ scores.sum(1) - truth) / errors)
    z = np.array(deviations)
    # 400 draws: the root mean square has a standard error of 0.035, the mean of 0.05.
    assert np.all(np.abs(np.sqrt((z**2).mean(0)) - 1) < 4 * 0.035)
    assert np.all(np.abs(z.mean(0)) < 4 / sqrt(trials))
