"""What the gate can be expected to do in a federation like the simulated ones: detection and false alarms, attack by attack.

Each attack is judged by weights and thresholds that were fitted without it, and honest nodes by halves of the federations that
were fitted on the other half: no figure here is of data that it was fitted to.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aggregator.calibration.fit import attacks_of, fit, judged
from aggregator.calibration.paths import Path
from aggregator.calibration.rates import Rate, pooled
from protocol.config import GateSection
from protocol.verdicts import Reason, Verdict


@dataclass(frozen=True)
class Expectation:
    """`detection` by attack, of node-rounds in which it was attacked; `false_alarms` of honest nodes' rounds; `expelled` of
    honest nodes.
    """

    detection: dict[str, Rate]
    false_alarms: Rate
    expelled: Rate

    @property
    def mean_detection(self) -> float:
        """The mean over attacks."""
        return sum(rate.value for rate in self.detection.values()) / len(self.detection)


def expect(paths: Sequence[Path], gate: GateSection) -> Expectation:
    """Fit and judge, leaving out in turn.

    Needs paths of two federations at least; raises `ValueError` as `fit` does.
    """
    detection = {}
    for attack in attacks_of(paths):
        others = fit([path for path in paths if path.scenario.attack != attack], gate)
        tested = [path for path in paths if path.scenario.attack == attack and path.malicious]
        detection[attack] = pooled(_detected(path, others) for path in tested)
    alarms, expelled = Rate(0, 0), Rate(0, 0)
    for half in (0, 1):
        fitted = fit([path for path in paths if path.scenario.seed % 2 != half], gate)
        for path in paths:
            if path.scenario.seed % 2 == half and not path.malicious:
                alarms += Rate(sum(named(path, fitted)), len(path.statistics))
                expelled += Rate(_expelled(path, fitted), 1)
    return Expectation(detection, alarms, expelled)


def named(path: Path, gate: GateSection) -> list[bool]:
    """Whether each round's update is rejected, or taken for a duplicate."""
    return [decision.verdict in (Verdict.REJECT, Verdict.DUPLICATE) for decision in judged(path, gate)]


def _expelled(path: Path, gate: GateSection) -> bool:
    return any(decision.reason is Reason.EXPELLABLE for decision in judged(path, gate))


def _detected(path: Path, gate: GateSection) -> Rate:
    caught = [hit for hit, attacks in zip(named(path, gate), path.attacking, strict=True) if attacks]
    return Rate(sum(caught), len(caught))
