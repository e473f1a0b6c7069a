"""What a benchmark found: rows, printed as a table and written as JSON for programs."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from protocol.files import write_durably

OUT = Path(__file__).parent / "out"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Goal:
    """What a figure is to reach: bounds on the row's `value`, or with `of_ratio` on its `ratio`."""

    at_least: float | None = None
    at_most: float | None = None
    of_ratio: bool = False

    def __str__(self) -> str:
        """The goal as it stands in the JSON.

        >>> str(Goal(at_most=0.01)), str(Goal(at_least=12, of_ratio=True)), str(Goal(0.7, 1.3))
        ('<= 0.01', 'ratio >= 12', '>= 0.7 and <= 1.3')
        """
        bounds = [f"{sign} {bound:g}" for sign, bound in ((">=", self.at_least), ("<=", self.at_most)) if bound is not None]
        return ("ratio " if self.of_ratio else "") + " and ".join(bounds)

    def met_by(self, figure: float) -> bool:
        """Whether `figure` is within the bounds; NaN never is."""
        low = -math.inf if self.at_least is None else self.at_least
        high = math.inf if self.at_most is None else self.at_most
        return low <= figure <= high


@dataclass(frozen=True)
class Row:
    """One figure. `ratio` is peer_value / value: how many times as much the peer needs, or has.

    `goal` is the text of a `Goal`; `met` is None where there is no goal. Build rows with `row`.
    """

    case: str
    metric: str
    value: float
    unit: str
    peer: str | None
    peer_value: float | None
    ratio: float | None
    goal: str | None
    met: bool | None


def row(
    case: str,
    metric: str,
    value: float,
    unit: str,
    goal: Goal | None = None,
    peer: str | None = None,
    peer_value: float | None = None,
) -> Row:
    """A row whose ratio and `met` follow from the rest. A goal on a ratio that does not exist is not met."""
    ratio = None if peer_value is None or value == 0 else peer_value / value
    met = None
    if goal is not None:
        met = goal.met_by(math.nan if ratio is None else ratio) if goal.of_ratio else goal.met_by(value)
    return Row(case, metric, value, unit, peer, peer_value, ratio, None if goal is None else str(goal), met)


def publish(name: str, rows: Sequence[Row]) -> Path:
    """Print the rows and write `bench/out/NAME.json` in one step; a figure that is not finite is written as null."""
    _print(name, rows)
    document = {"schema_version": SCHEMA_VERSION, "rows": [_finite(asdict(found)) for found in rows]}
    path = OUT / f"{name}.json"
    write_durably(path, (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())
    return path


def _finite(found: dict[str, object]) -> dict[str, object]:
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in found.items()}


def _print(name: str, rows: Sequence[Row]) -> None:
    table = Table("case", "metric", "value", "unit", "peer", "peer's", "ratio", "goal", "met", title=name)
    for r in rows:
        met = {None: "", True: "yes", False: "NO"}[r.met]
        figures = (_figure(r.value), r.unit, r.peer or "", _figure(r.peer_value), _figure(r.ratio), r.goal or "", met)
        table.add_row(r.case, r.metric, *figures)
    Console(width=None if Console().is_terminal else 200).print(table)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
