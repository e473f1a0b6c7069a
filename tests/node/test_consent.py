"""A stranger's code runs after someone typed its hash, or gave it; never otherwise."""

import pytest

from learning.source import TaskSource
from node.consent import consent, printable
from node.errors import TaskNotAccepted

SOURCE = TaskSource.from_texts("T", {"task.py": "class T:\n\tname = 'harmless\x1b[2K\x1b[1A\u202e'\n"})
HASH = SOURCE.sha256()


def test_typing_the_beginning_of_the_hash_accepts(capsys: pytest.CaptureFixture[str]) -> None:
    asked = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return f" {HASH.hex()[:8]}\n"

    consent(SOURCE, "name = 'a federation'", None, ask)
    shown = capsys.readouterr().err
    assert HASH.hex()[:8] in asked[0]
    assert "class T:" in shown
    assert "name = 'a federation'" in shown
    assert f"task hash 0x{HASH.hex()}" in shown.replace("\n", "").replace("0x\n", "0x")


@pytest.mark.parametrize("typed", ["", "y", "yes", "0" * 8])
def test_typing_anything_else_does_not(typed: str) -> None:
    with pytest.raises(TaskNotAccepted, match="was not accepted"):
        consent(SOURCE, "", None, lambda prompt: typed)


def test_a_hash_given_beforehand_counts_for_that_code_only() -> None:
    def nobody(prompt: str) -> str:
        raise AssertionError(prompt)

    consent(SOURCE, "", HASH, nobody)
    with pytest.raises(TaskNotAccepted, match=f"--accept-task {HASH.hex()}"):
        consent(SOURCE, "", bytes(32), nobody)


def test_without_a_terminal_nothing_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(HASH.hex()))
    with pytest.raises(TaskNotAccepted, match="no terminal to ask at"):
        consent(SOURCE, "", None)


def test_code_cannot_hide_behind_what_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    assert printable("a\tb\x1b[2K\u202ec\r\n\x9b") == "a    b\\x1b[2K\\u202ec\\r\n\\x9b"
    with pytest.raises(TaskNotAccepted):
        consent(SOURCE, "", None, lambda prompt: "")
    assert "\x1b" not in capsys.readouterr().err
