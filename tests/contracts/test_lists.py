"""The pages beside the contracts' tests name tests that exist."""

import re
from pathlib import Path

import pytest

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
