"""Every command of README and docs works as it is written there, for somebody who begins in an empty directory."""

from pathlib import Path

import pytest

from tests.docs.walkthrough import reader, steps

_TOP = Path(__file__).parents[2]
_DOCS = _TOP / "docs"
_WALKS = [
    (_TOP / "README.md",),
    # These four tell one story: each goes on where the one before ended.
    (_DOCS / "tutorial.md", _DOCS / "participant.md", _DOCS / "operator.md", _DOCS / "scorer.md"),
]


@pytest.mark.parametrize("pages", _WALKS, ids=lambda pages: pages[0].stem)
def test_the_pages_work_as_they_are_written(pages: tuple[Path, ...], tmp_path: Path) -> None:
    with reader(tmp_path) as person:
        for page in pages:
            before = len(person.done)
            person.follow(page.read_text())
            assert len(person.done) > before


def test_every_page_with_commands_is_walked() -> None:
    pages = {page for page in (_TOP / "README.md", *_DOCS.glob("*.md")) if any(s.kind == "run" for s in steps(page.read_text()))}
    assert pages == {page for walk in _WALKS for page in walk}
