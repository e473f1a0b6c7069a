"""A stranger's code runs after someone typed its hash, or gave it; never otherwise."""

import pytest

from learning.source import TaskSource
from node.consent import consent, printable
from node.errors import TermsNotAccepted
from node.home import Terms
from protocol.config import parse_config
from tests.support.chain import CONFIG

TASK = TaskSource.from_texts("T", {"task.py": "class T:\n\tname = 'harmless\x1b[2K\x1b[1A\u202e'\n"})
SOURCE = Terms(CONFIG, parse_config(CONFIG), TASK)
HASH = SOURCE.digest


def test_typing_the_beginning_of_the_hash_accepts(capsys: pytest.CaptureFixture[str]) -> None:
    asked = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return f" {HASH.hex()[:8]}\n"

    consent(SOURCE, None, ask=ask)
    shown = capsys.readouterr().err
    assert HASH.hex()[:8] in asked[0]
    assert "class T:" in shown
    assert 'name = "test federation"' in shown
    assert f"terms hash 0x{HASH.hex()}" in shown.replace("\n", "").replace("0x\n", "0x")


@pytest.mark.parametrize("typed", ["", "y", "yes", "0" * 8])
def test_typing_anything_else_does_not(typed: str) -> None:
    with pytest.raises(TermsNotAccepted, match="were not accepted"):
        consent(SOURCE, None, ask=lambda prompt: typed)


def test_a_hash_given_beforehand_counts_for_these_terms_only() -> None:
    def nobody(prompt: str) -> str:
        raise AssertionError(prompt)

    consent(SOURCE, HASH, ask=nobody)
    other = CONFIG.replace("epochs = 1", "epochs = 9")
    with pytest.raises(TermsNotAccepted):  # the same code under another config is something else
        consent(Terms(other, parse_config(other), TASK), HASH, ask=nobody)
    with pytest.raises(TermsNotAccepted, match=f"--accept-terms {HASH.hex()}"):
        consent(SOURCE, bytes(32), ask=nobody)


def test_without_a_terminal_nothing_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(HASH.hex()))
    with pytest.raises(TermsNotAccepted, match="no terminal to ask at"):
        consent(SOURCE, None)


def test_code_cannot_hide_behind_what_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    assert printable("a\tb\x1b[2K\u202ec\r\n\x9b") == "a    b\\x1b[2K\\u202ec\\r\n\\x9b"
    with pytest.raises(TermsNotAccepted):
        consent(SOURCE, None, ask=lambda prompt: "")
    assert "\x1b" not in capsys.readouterr().err


def test_of_changed_terms_only_what_changed_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    text = CONFIG.replace("epochs = 1", "epochs = 9").replace('learning_rate = "0.05"', 'learning_rate = "0.050"')
    task = TaskSource.from_texts("T", {"task.py": TASK.texts()["task.py"] + "# more\n# \x1b[2J = 1\n"})
    offered = Terms(text, parse_config(text), task)
    consent(offered, None, SOURCE, ask=lambda prompt: offered.digest.hex()[:8])
    shown = capsys.readouterr().err
    assert "recipe.epochs: 1 -> 9" in shown
    assert "learning_rate" not in shown
    assert "+# more" in shown
    assert "+# \\x1b[2J = 1" in shown
    assert "name = 'harmless" in shown, "the lines around a change"
    assert 'name = "test federation"' not in shown
    consent(Terms("# hello\n" + CONFIG, SOURCE.config, TASK), None, SOURCE, ask=lambda prompt: HASH.hex()[:8])
    assert "nothing but its remarks" in capsys.readouterr().err
