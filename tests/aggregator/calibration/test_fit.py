"""Fits on paths whose truth is known."""

import numpy as np
import pytest

from aggregator.calibration.expectation import expect, named
from aggregator.calibration.fit import attacks_of, fit, fused_values, judged, ratios
from aggregator.evaluation.gate.fusion import log_likelihood_ratio
from aggregator.evaluation.gate.statistics import STATISTIC_UNIT, Statistic
from aggregator.template import federation_text
from protocol.config import GateSection, parse_config
from protocol.verdicts import Reason, Verdict
from tests.aggregator.calibration.synthetic import STANDARDISED, federations, path

GATE = parse_config(federation_text("calibrated", "Digits")).gate
STRONG = {"flip": {Statistic.CONE: 3.0, Statistic.AFFINE: 2.0}, "noise": {Statistic.ENERGY: 4.0, Statistic.CONE: 2.0}}


def test_the_ratio_is_that_of_the_two_normal_distributions() -> None:
    # N(d, 1) against N(0, 1) has the log-likelihood ratio d·z − d²/2, whatever the classes' shares.
    fitted = fit(federations({"shift": {Statistic.CONE: 2.0}}, count=10), GATE)
    assert fitted.weight_cone / 1000 == pytest.approx(2.0, abs=0.3)
    assert fitted.prior / 1000 == pytest.approx(2.0, abs=0.35)
    others = [weight for name, weight in fitted.weights.items() if name != "cone"]
    assert max(others) < 200


def test_weights_are_never_negative_and_what_tells_nothing_gets_none() -> None:
    fitted = fit(federations({"backwards": {Statistic.FIT: -3.0, Statistic.CONE: 3.0}}), GATE)
    assert fitted.weight_fit == 0
    assert min(fitted.weights.values()) >= 0


def test_fitted_sections_are_valid_configs_and_leave_the_rest_alone() -> None:
    fitted = fit(federations(STRONG), GATE)
    assert GateSection.model_construct(**fitted.model_dump())
    assert fitted.down_weight < fitted.reject < fitted.expel
    for kept in ("norm_multiple", "virtual_nodes", "duplicate", "forgetting", "guard", "quarantine_weight"):
        assert getattr(fitted, kept) == getattr(GATE, kept)


def test_honest_nodes_are_hardly_ever_rejected_and_never_expelled() -> None:
    paths = federations(STRONG, honest=400)  # a quantile of one in two thousand needs thousands of rounds
    fitted = fit(paths, GATE)
    decisions = [decision for one in paths if not one.malicious for decision in judged(one, fitted)]
    rejected = sum(decision.verdict is Verdict.REJECT for decision in decisions)
    assert rejected <= 0.002 * len(decisions)
    assert not any(decision.reason is Reason.EXPELLABLE for decision in decisions)
    attackers = [hit for one in paths if one.malicious for hit in named(one, fitted)]
    assert np.mean(attackers) > 0.9


def test_rounds_in_which_a_malicious_node_behaves_teach_nothing() -> None:
    paths = federations(STRONG)
    quiet = path("flip", 99, 0, {Statistic.CONE: 1e-9})
    quiet.attacking[:] = False
    assert fit([*paths, quiet], GATE) == fit(paths, GATE)


def test_rounds_that_were_settled_by_their_norm_teach_nothing() -> None:
    paths = federations(STRONG)
    huge = path("huge", 99, 0, {Statistic.CONE: 5.0})
    huge.statistics[:, STANDARDISED] = 0
    huge.statistics[:, Statistic.NORM] = 10**6 * STATISTIC_UNIT
    assert fit([*paths, huge], GATE) == fit(paths, GATE)


@pytest.mark.parametrize("malicious", [True, False])
def test_one_side_alone_cannot_be_fitted(malicious: bool) -> None:
    paths = [one for one in federations(STRONG) if one.malicious == malicious]
    with pytest.raises(ValueError, match="one of them is missing"):
        fit(paths, GATE)


def test_expectations_are_of_attacks_that_were_left_out() -> None:
    alike = {"first": {Statistic.CONE: 5.0}, "second": {Statistic.CONE: 5.0}, "alone": {Statistic.REPLAY: 4.0}}
    paths = federations(alike)
    expected = expect(paths, GATE)
    assert list(expected.detection) == attacks_of(paths) == ["first", "second", "alone"]
    assert min(expected.detection["first"].value, expected.detection["second"].value) > 0.9
    # Nothing else shows in the replay statistic, so leaving this attack out leaves nothing to see it by.
    assert expected.detection["alone"].value < 0.5
    assert expected.detection["alone"].trials == 2 * 10 * 8
    assert expected.false_alarms.trials == 3 * 2 * 40 * 8
    assert expected.expelled.hits == 0


def test_ratios_are_those_of_the_gate() -> None:
    fitted = fit(federations(STRONG), GATE)
    for one in federations(STRONG, count=1):
        expected = [log_likelihood_ratio(tuple(row), fitted) for row in one.statistics.tolist()]
        assert ratios(fused_values(one, fitted), fitted).tolist() == expected


def test_the_ratio_of_an_unremarkable_update_is_negative() -> None:
    fitted = fit(federations(STRONG), GATE)
    assert log_likelihood_ratio((0,) * len(Statistic), fitted) < 0
