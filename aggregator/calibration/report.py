"""A calibration, told to people and to programs, with how far it can be trusted."""

from typing import Any

from aggregator.calibration.calibrate import FITTED, Calibration
from aggregator.calibration.rates import Rate

_FEW_SAMPLES = 200


def as_rows(found: Calibration) -> list[tuple[str, str, str]]:
    """Attack, share of its node-rounds that are detected, and the interval; the hardest first."""
    detection = sorted(found.expectation.detection.items(), key=lambda item: item[1].value)
    return [(attack, _percent(rate.value), _interval(rate)) for attack, rate in detection]


def as_text(found: Calibration) -> list[str]:
    """The figures that are not about one attack, a sentence each."""
    expected = found.expectation
    return [
        f"detected on average: {_percent(expected.mean_detection)} of attacks that were left out of the fit",
        f"false alarms: {_percent(expected.false_alarms.value)} of honest node-rounds ({_interval(expected.false_alarms)})",
        f"honest nodes that could be expelled: {expected.expelled.hits} of {expected.expelled.trials}",
    ]


def caveats(found: Calibration) -> list[str]:
    """What these figures do not say."""
    told = [
        "These figures are of simulated nodes whose data is like yours. They do not hold for nodes whose inputs differ from it, "
        "for attacks of kinds that are not simulated, or for a recipe that you change afterwards: calibrate again then.",
        "Intervals take rounds as independent; between federations the spread is wider.",
    ]
    if min(found.evaluation_samples, found.root_samples) < _FEW_SAMPLES:
        told.append(
            f"With {found.evaluation_samples} evaluation and {found.root_samples} root samples the fit is rough: "
            f"from {_FEW_SAMPLES} of each on it says more."
        )
    return told


def as_object(found: Calibration) -> dict[str, Any]:
    """The same as one JSON object; thresholds and weights in thousandths, as the config hashes them."""
    expected = found.expectation
    return {
        "gate": {key: getattr(found.gate, key) for key in FITTED},
        "weights": found.gate.weights,
        "detection": {attack: _rate(rate) for attack, rate in expected.detection.items()},
        "mean_detection": expected.mean_detection,
        "false_alarms": _rate(expected.false_alarms),
        "honest_expelled": _rate(expected.expelled),
        "simulated_federations": found.simulated,
        "evaluation_samples": found.evaluation_samples,
        "root_samples": found.root_samples,
        "caveats": caveats(found),
    }


def _rate(rate: Rate) -> dict[str, float]:
    low, high = rate.interval()
    return {"rate": rate.value, "low": low, "high": high, "trials": rate.trials}


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _interval(rate: Rate) -> str:
    low, high = rate.interval()
    return f"{_percent(low)} to {_percent(high)}"
