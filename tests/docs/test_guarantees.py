"""Every test that docs/guarantees.md names as showing a guarantee is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = sorted(set(re.findall(r"`((?:tests|contracts|bench)/[^`]+)`", (ROOT / "docs" / "guarantees.md").read_text())))


def test_guarantees_name_their_tests() -> None:
    assert len(NAMED) > 15


@pytest.mark.parametrize("named", [name for name in NAMED if not name.startswith("bench/out/")])
def test_what_shows_a_guarantee_exists(named: str) -> None:
    file, _, function = named.partition("::")
    assert (ROOT / file).exists()
    assert not function or re.search(rf"(?:def|function) {function}\(", (ROOT / file).read_text())
