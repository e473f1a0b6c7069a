"""What could keep a node from taking part and being paid, looked at one by one: what was found, and how to mend it.

Nothing is changed and nothing is sent. A check whose ground is missing (the contracts, without a chain) is not made, and
says so; every other one is, so that one look tells everything there is to mend.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from learning.errors import LearningError
from ledger.errors import LedgerError
from node.checks import CHECKS, Check, Ill, Patient
from node.errors import NodeError
from protocol.errors import ProtocolError


class State(StrEnum):
    """How a check ended."""

    WELL = "well"
    ILL = "ill"
    SKIPPED = "not checked"


@dataclass(frozen=True)
class Finding:
    """One check. `found` says what is there; `mend` what to do about it, empty unless it is ill."""

    check: str
    state: State
    found: str
    mend: str = ""

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def examine(patient: Patient, starting: Callable[[str], None] = lambda check: None) -> Iterator[Finding]:
    """All findings, in the order of `CHECKS`; `starting` hears the name of the check that is next."""
    without: set[str] = set()
    for check in CHECKS:
        starting(check.name)
        missing = next((need for need in check.needs if need in without), None)
        if missing is None:
            finding = _look(patient, check)
        else:
            finding = Finding(check.name, State.SKIPPED, f"cannot be told before this is mended: {missing}")
        if finding.state is not State.WELL:
            without.add(check.name)
        yield finding


def _look(patient: Patient, check: Check) -> Finding:
    try:
        return Finding(check.name, State.WELL, check.look(patient))
    except Ill as ill:
        found, mend = str(ill), ill.mend or check.mend
    except (NodeError, LedgerError, LearningError, ProtocolError, OSError) as error:
        found, mend = str(error), check.mend
    return Finding(check.name, State.ILL, found, mend.format(home=patient.home.path))
