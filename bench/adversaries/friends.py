"""The aggregator gives its evaluation data to a friend, end to end: trained, committed, replayed, attested, settled, claimed.

Nothing of it can be seen or proved, so the pay rule has to bear it. Beside it, a node whose update the gate rejects: a verdict
costs the round's reward and never stake.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from aggregator.template import federation_text
from bench.adversaries.lies import honestly_settled
from bench.adversaries.stage import FRIEND, digits, gains, honestly, prepared
from bench.report import Row
from learning.calls import load_data
from learning.data import Data
from learning.loading import load_task
from learning.source import read_task_source
from protocol.parameters import Parameters
from tests.support.chain import CONFIG

REJECTED = 3
_TIMES = 100


def rows(directory: Path) -> Iterator[Row]:
    """What friend and rejected node gain by the rule alone and with the gate, against honest rounds of the same data."""
    for config, words in ((CONFIG, "rule alone"), (federation_text("bench", "Digits"), "with the gate")):
        declared = [len(part) for part in digits(4)]
        plays = {
            "honest": honestly(digits(4)),
            "friend": honestly(_with_the_shard(), declared=declared),
            "rejected": honestly(digits(4), send=_too_long),
        }
        played = {name: prepared(directory / f"{name} {words}", 4, play, config) for name, play in plays.items()}
        for node, name, case, bound in (
            (FRIEND, "friend", f"lying aggregator gives its evaluation shard to a friend, a first round ({words})", 50.0),
            (REJECTED, "rejected", f"amplified x{_TIMES} and rejected, a first round ({words})", 0.0),
        ):
            owner = f"owner {node}"
            usual = honestly_settled(played["honest"], directory / f"{name} {words} honest", owner)
            cheated = honestly_settled(played[name], directory / f"{name} {words} settled", owner)
            yield from gains(case, usual, cheated, tokens=bound)


def _with_the_shard() -> list[Data]:
    shard, data = load_data(load_task(read_task_source("digits")), "evaluation"), digits(4)
    mine = data[FRIEND]
    data[FRIEND] = Data(torch.cat([mine.features, shard.features]), torch.cat([mine.targets, shard.targets]))
    return data


def _too_long(node: int, update: Parameters) -> Parameters:
    scale = np.float32(_TIMES if node == REJECTED else 1)
    return {name: np.asarray(array * scale, np.float32) for name, array in update.items()}
