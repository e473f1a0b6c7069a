"""Every reason code that anything raises, sends or stores is in the catalogue, and nothing else is."""

import ast
from collections.abc import Iterator
from pathlib import Path

from aggregator.service.voids import VoidReason, told
from aggregator.web import limits
from aggregator.web.problems import TABLE, Row
from ledger.artifacts import ContractName, load_artifact
from protocol.catalogue import REFUSALS, VERDICTS, VOIDS
from protocol.contract_errors import CONTRACT_ERRORS
from protocol.verdicts import Reason

ROOT = Path(__file__).parents[2]
OURS = [
    path
    for package in ("protocol", "learning", "ledger", "aggregator", "node", "fairshare")
    for path in (ROOT / package).rglob("*.py")
]


def _calls(name: str) -> Iterator[ast.Call]:
    """Every call of a function or class of this name in our code, with its literal arguments."""
    for path in OURS:
        for found in ast.walk(ast.parse(path.read_text())):
            if isinstance(found, ast.Call) and isinstance(found.func, ast.Name) and found.func.id == name:
                yield found


def _literals(calls: Iterator[ast.Call], position: int) -> set[str]:
    """The strings that stand at a position of these calls, both sides of a conditional expression included."""
    arguments = [argument for call in calls for argument in call.args[position : position + 1]]
    sides = [side for a in arguments for side in ((a.body, a.orelse) if isinstance(a, ast.IfExp) else (a,))]
    return {side.value for side in sides if isinstance(side, ast.Constant) and isinstance(side.value, str)}


def test_verdict_reasons() -> None:
    assert {reason.code for reason in Reason} == set(VERDICTS)


def test_void_reasons() -> None:
    assert {str(reason) for reason in VoidReason} == set(VOIDS)


def test_every_error_of_the_contracts_has_a_sentence_and_a_next_step_and_nothing_else_has() -> None:
    declared = {element["name"] for name in ContractName for element in load_artifact(name).abi if element["type"] == "error"}
    assert len(declared) > 100
    assert set(CONTRACT_ERRORS) == declared | {"Error", "Panic"}
    for entry in CONTRACT_ERRORS.values():
        assert entry.sentence.endswith("."), entry
        assert entry.next_step.endswith("."), entry


def test_refusals_are_the_rows_of_the_api_and_what_the_client_makes_up() -> None:
    rows = {row.code for row in (*TABLE.values(), *(value for value in vars(limits).values() if isinstance(value, Row)))}
    assert rows <= _literals(_calls("Row"), 1)
    assert _literals(_calls("Row"), 1) | _literals(_calls("ServiceRefused"), 1) == set(REFUSALS)


def test_a_void_reason_is_told_with_what_is_special_about_the_round() -> None:
    kept = VoidReason.TOO_FEW_COMMITS.because("1 of at least 2 came: so be it.")
    assert told(kept).code == "too-few-commits"
    assert told(kept).sentence == f"{VOIDS['too-few-commits'].sentence} 1 of at least 2 came: so be it."
    assert told(VoidReason.DISPUTED) == VOIDS["disputed"]
    assert told("What an older version: wrote.").sentence == "What an older version: wrote."
