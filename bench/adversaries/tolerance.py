"""A lying aggregator that uses every tolerance up in favour of a friend, in a round that is settled: scorers must attest it.

The digits are evaluated in integers, so their utilities have no tolerance; with tanh in its middle the same network is
evaluated in floats, and has it.
"""

from collections.abc import Iterator
from pathlib import Path

from bench.adversaries.lies import Lie, favouring, honestly_settled, inputs_of, published, told
from bench.adversaries.stage import FRIEND, Prepared, digits, gains, honestly, prepared
from bench.report import Row, row
from ledger.records import RoundState
from protocol.shares import SCORE_TOTAL, gain_tolerance
from tests.aggregator.service.support import Stage
from tests.support.chain import CONFIG

UTILITY = 4096
"""The default `tolerance.utility`, in units of 2^-20 of one sample's score."""

TASK = '''"""The digits with a smooth network, which is evaluated in floats."""

from torch import nn

from learning.tasks.digits import Digits


class Smooth(Digits):
    """A 64-32-10 network with tanh in its middle."""

    def model(self) -> nn.Module:
        """Its layers."""
        return nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
'''


def rows(directory: Path) -> Iterator[Row]:
    """What the friend gains, and the bound that arithmetic gives."""
    (directory / "smooth.py").write_text(TASK)
    task = f"{directory / 'smooth.py'}:Smooth"
    config = CONFIG.replace('task = "Digits"', 'task = "Smooth"').replace("utility = 64", f"utility = {UTILITY}")
    round_one = prepared(directory / "one", 2, honestly(digits(2), task), config, task)
    honest = honestly_settled(round_one, directory / "honest")
    lying = told(round_one, directory / "lying", _uses_it_up, 1)
    if lying.state is not RoundState.FINAL:
        raise RuntimeError("honest scorers did not attest the lie: it is not within the tolerances")
    case = "lying aggregator uses the tolerance of a float model up, f colluding scorers"
    yield from gains(case, honest, lying.gained, tokens=100 * _bound(round_one))
    yield row(case, "the bound in the pool", 100 * _bound(round_one) * round_one.scores[FRIEND] / SCORE_TOTAL, "% of the pool")


def _uses_it_up(one: Prepared, stage: Stage) -> Lie:
    return published(stage, favouring(FRIEND, UTILITY, UTILITY), inputs_of(one, stage))


def _bound(one: Prepared) -> float:
    """4τs / (G − 2τs) of the pool, as a part of the friend's honest pay; `gain_tolerance` is 2τs."""
    header, moved = one.evidence.header, gain_tolerance(1, UTILITY)
    return 2 * moved / (header.utility_all - header.utility_empty - moved) * SCORE_TOTAL / one.scores[FRIEND]
