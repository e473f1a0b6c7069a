"""The pages beside the contracts' tests name tests that exist."""

import re
from pathlib import Path

import pytest

from ledger.artifacts import ContractName, load_artifact

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "contracts" / "test").glob("**/README.md"))


def known_tests() -> set[str]:
    solidity = [path.read_text() for path in (ROOT / "contracts" / "test").glob("**/*.t.sol")]
    python = [path.read_text() for path in (ROOT / "tests").glob("**/test_*.py")]
    names = r"(?:function|def) ((?:test|invariant)\w+)\("
    return {name for text in (*solidity, *python) for name in re.findall(names, text)}


@pytest.mark.parametrize("page", PAGES, ids=[page.parent.name for page in PAGES])
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"`((?:test|testFuzz|invariant)_\w+)`", page.read_text()))
    assert named
    assert named - known_tests() - {"test_Regression_"} == set()


def test_every_function_that_changes_anything_has_a_fuzz_test() -> None:
    interfaces = "".join(path.read_text() for path in (ROOT / "contracts" / "interfaces").glob("*.sol"))
    ours = set(re.findall(r"function (\w+)\(", interfaces))
    page = (ROOT / "contracts" / "test" / "fuzz" / "README.md").read_text()
    listed = set(re.findall(r"\| (\w+) \| `(\w+)` \| `testFuzz_", page))
    changing = {
        (name.value, entry["name"])
        for name in ContractName
        for entry in load_artifact(name).abi
        if entry["type"] == "function" and entry["stateMutability"] in ("nonpayable", "payable") and entry["name"] in ours
    }
    assert listed == changing
