"""Replay of a round whose contributions were solved for: they are toleranced, and everything derived follows from them."""

from dataclasses import replace

import pytest

from aggregator.evaluation.contributions.estimate import SOLVE_DENOMINATOR, Estimator
from aggregator.evaluation.evidence import build_evidence
from aggregator.evaluation.round import RoundInputs, evaluate_round
from aggregator.scorer.errors import ReplayDifference
from aggregator.scorer.replay import replay
from protocol.errors import EvidenceError
from protocol.evidence import Evidence, Kind
from tests.aggregator.scorer.test_replay import follow
from tests.support.lies import altered
from tests.support.rounds import config, digits_round, honest

NODES = 13
TOLERANCE = 50


@pytest.fixture(scope="module")
def inputs() -> RoundInputs:
    settings = config(contributions={"work": 60 * 2410 * 360}, tolerance={"contribution": TOLERANCE, "utility": 64})
    return digits_round([honest(part, parts=NODES) for part in range(1, NODES + 1)], config=settings)


@pytest.fixture(scope="module")
def evidence(inputs: RoundInputs) -> Evidence:
    return build_evidence(inputs, evaluate_round(inputs))


def moved(evidence: Evidence, by: int) -> Evidence:
    """A lie that keeps the sum: `by` from one node to another."""
    taken = altered(evidence, Kind.CONTRIBUTION, 3, lambda values: {"contribution": values["contribution"] - by})
    return altered(taken, Kind.CONTRIBUTION, 4, lambda values: {"contribution": values["contribution"] + by})


def test_it_replays(inputs: RoundInputs, evidence: Evidence) -> None:
    assert evidence.header.denominator == SOLVE_DENOMINATOR
    assert evidence.by_kind[Kind.ESTIMATE][0].get("estimator") == Estimator.KRIGING
    outcome, margins = replay(inputs, evidence)
    assert build_evidence(inputs, outcome) == evidence
    assert margins["contribution"] == (0, TOLERANCE * SOLVE_DENOMINATOR)


@pytest.mark.parametrize("by", [TOLERANCE * SOLVE_DENOMINATOR, TOLERANCE * SOLVE_DENOMINATOR + 1])
def test_a_contribution_may_differ_by_its_tolerance(inputs: RoundInputs, evidence: Evidence, by: int) -> None:
    lie = follow(inputs, moved(evidence, by))
    if by <= TOLERANCE * SOLVE_DENOMINATOR:
        _, margins = replay(inputs, lie)
        assert margins["contribution"].largest == by
    else:
        with pytest.raises(ReplayDifference, match="CONTRIBUTION leaf 3, contribution"):
            replay(inputs, lie)


def test_what_is_derived_must_follow(inputs: RoundInputs, evidence: Evidence) -> None:
    with pytest.raises(ReplayDifference, match="CONTRIBUTION leaf 3"):
        replay(inputs, moved(evidence, 1000))


def test_contributions_sum_to_the_gain(inputs: RoundInputs, evidence: Evidence) -> None:
    lie = altered(evidence, Kind.CONTRIBUTION, 3, lambda values: {"contribution": values["contribution"] + 1})
    with pytest.raises(EvidenceError, match="do not sum to"):
        replay(inputs, lie)


@pytest.mark.parametrize("name", ["residual", "spread"])
def test_a_figure_of_the_certificate_has_a_tolerance(inputs: RoundInputs, evidence: Evidence, name: str) -> None:
    for by, accepted in ((64, True), (65, False)):
        figure = evidence.by_kind[Kind.ESTIMATE][0].get(name) + by
        lie = follow(inputs, altered(evidence, Kind.ESTIMATE, 0, {name: figure}))
        if accepted:
            replay(inputs, lie)
        else:
            with pytest.raises(ReplayDifference, match=f"ESTIMATE leaf 0, {name}"):
                replay(inputs, lie)


def test_a_length_scale_too_few_is_no_evidence(inputs: RoundInputs, evidence: Evidence) -> None:
    with pytest.raises(EvidenceError, match="length scales"):
        replay(inputs, altered(evidence, Kind.ESTIMATE, 0, lambda values: {"misses": values["misses"][:-1]}))


def test_another_seed_draws_another_design(inputs: RoundInputs, evidence: Evidence) -> None:
    with pytest.raises(EvidenceError, match="utilities are not for the same leaves"):
        replay(replace(inputs, seed=bytes(32)), evidence)
