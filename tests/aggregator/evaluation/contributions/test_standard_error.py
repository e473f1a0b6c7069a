from fractions import Fraction
from math import isqrt, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.evaluation.contributions.design import choose_design
from aggregator.evaluation.contributions.standard_error import PerSample

SEED = bytes(32)
UNIT = 1 << 20


def collected(tables: np.ndarray, coefficients: np.ndarray) -> PerSample:
    """`tables`: scores of shape (coalitions, samples)."""
    per_sample = PerSample(coefficients)
    for column, scores in enumerate(tables):
        per_sample.add(column, scores)
    return per_sample


@given(st.lists(st.lists(st.integers(0, UNIT), min_size=4, max_size=4), min_size=2, max_size=30))
def test_it_is_the_textbook_formula_rounded_down(samples: list[list[int]]) -> None:
    design = choose_design(2, 1, SEED)
    found = collected(np.array(samples).T, design.coefficients).standard_errors()
    for row, error in zip(design.coefficients, found, strict=True):
        values = [sum(int(c) * score for c, score in zip(row, scores, strict=True)) for scores in samples]
        count, mean = len(values), Fraction(sum(values), len(values))
        variance = sum((value - mean) ** 2 for value in values) / (count - 1)
        # φ is a sum over the samples, so its standard error is √count times the standard deviation of one.
        assert error == isqrt(int(count * variance))


def test_contributions_of_all_samples_add_up_to_the_contribution() -> None:
    random = np.random.RandomState(1)
    design = choose_design(5, 1, SEED)
    tables = random.randint(0, UNIT + 1, (len(design.coalitions), 40))
    per_sample = collected(tables, design.coefficients)
    assert per_sample._sums is not None
    assert per_sample._sums.sum(1).tolist() == (design.coefficients @ tables.sum(1)).tolist()


def test_who_changes_nothing_has_no_error_and_neither_has_a_single_sample() -> None:
    design = choose_design(2, 1, SEED)
    null = np.array([[3, 9, 4], [3, 9, 4], [8, 8, 8], [8, 8, 8]])  # player 0 never matters
    assert collected(null, design.coefficients).standard_errors()[0] == 0
    assert collected(null, design.coefficients).standard_errors()[1] > 0
    assert collected(null[:, :1], design.coefficients).standard_errors() == (0, 0)


def test_without_players_there_are_no_errors() -> None:
    assert collected(np.array([[1, 2, 3]]), choose_design(0, 1, SEED).coefficients).standard_errors() == ()


@pytest.mark.parametrize("players", [12, 13])
def test_nothing_overflows_at_the_largest_scores(players: int) -> None:
    design = choose_design(players, 1000, SEED)
    per_sample = PerSample(design.coefficients)
    joined = np.array([coalition & 1 for coalition in design.coalitions])
    for column, alone in enumerate(joined):  # player 0 is worth everything on one sample and nothing on the other
        per_sample.add(column, np.array([alone * UNIT, 0]))
    assert per_sample.standard_errors()[0] == design.denominator * UNIT


def test_it_is_calibrated_on_data_that_it_has_not_seen() -> None:
    # Scores of 4 coalitions are drawn per sample, correlated as those of similar models are. The contribution on 150 samples is
    # compared with the true one; in units of its standard error it must be a standard normal: mean 0, root mean square 1.
    random, design, trials, samples = np.random.RandomState(7), choose_design(2, 1, SEED), 400, 150
    means = np.array([0.3, 0.35, 0.5, 0.45])
    truth = design.coefficients @ means * samples * UNIT
    deviations = []
    for _ in range(trials):
        shared = random.uniform(-0.25, 0.25, samples)
        tables = means[:, None] + shared + random.uniform(-0.05, 0.05, (4, samples))
        scores = np.rint(tables * UNIT).astype(np.int64)
        errors = collected(scores, design.coefficients).standard_errors()
        deviations.append((design.coefficients @ scores.sum(1) - truth) / errors)
    z = np.array(deviations)
    # 400 draws: the root mean square has a standard error of 0.035, the mean of 0.05.
    assert np.all(np.abs(np.sqrt((z**2).mean(0)) - 1) < 4 * 0.035)
    assert np.all(np.abs(z.mean(0)) < 4 / sqrt(trials))
