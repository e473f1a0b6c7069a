import errno
import json
import re

import pytest

from protocol.errors import (
    BodyError,
    CommitmentError,
    ConfigError,
    EvidenceError,
    FormatError,
    ProtocolError,
    ServiceRefused,
    ServiceUnreachable,
    ServiceUnreadable,
    SignatureError,
)
from protocol.terminal import emit, expecting, fail, note, plain, table


class WalletError(Exception):
    """Stands for another package's family."""


class WrongPassphrase(WalletError):
    """Nearer than its base."""


def ended(error: BaseException, *families) -> str | int | None:
    @expecting(*families)
    def command() -> None:
        raise error

    with pytest.raises(SystemExit) as caught:
        command()
    return caught.value.code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FormatError("x"), 10),
        (ConfigError("x"), 10),
        (BodyError("x"), 10),
        (EvidenceError("x"), 10),
        (FileNotFoundError("x"), 11),
        (PermissionError("x"), 11),
        (IsADirectoryError("x"), 11),
        (FileExistsError("x"), 12),
        (SignatureError("x"), 13),
        (CommitmentError("x"), 13),
        (ProtocolError("x"), 13),
        (ServiceUnreachable("http://127.0.0.1:1", "x"), 40),
        (ServiceRefused(404, "no-such-round", "x"), 41),
        (ServiceUnreadable("http://127.0.0.1:1", "x"), 42),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
def test_each_error_of_the_protocol_has_its_exit_code(error: Exception, code: int, capsys):
    assert ended(error) == code
    captured = capsys.readouterr()
    assert captured.err == f"error: {error}\n"
    assert captured.out == ""


def test_another_family_adds_its_codes_and_the_nearest_class_decides(capsys):
    families = {WalletError: 20, WrongPassphrase: 21}
    assert ended(WrongPassphrase("wrong passphrase"), families) == 21
    assert ended(WalletError("no key"), families) == 20
    assert ended(FormatError("x"), families) == 10
    assert capsys.readouterr().err == "error: wrong passphrase\nerror: no key\nerror: x\n"


@pytest.mark.parametrize("error", [RuntimeError("a fault of ours"), BrokenPipeError()])
def test_an_unexpected_error_is_not_hidden(error: BaseException):
    @expecting()
    def command() -> None:
        raise error

    with pytest.raises(type(error)):
        command()


def test_a_full_disk_and_a_wrong_path_have_their_own_next_steps(capsys):
    assert ended(OSError(errno.ENOSPC, "No space left on device")) == 11
    assert ended(OSError(errno.ELOOP, "Too many levels of symbolic links", "a/b")) == 11
    assert capsys.readouterr().err == (
        "error: no space left on device; make room on that disk, or make it writable\n"
        "error: a/b: too many levels of symbolic links; check the path\n"
    )


def test_ctrl_c_ends_a_command_in_order(capsys):
    assert ended(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "error: stopped; whatever was begun can be begun again by the same command\n"


def test_a_command_that_succeeds_gives_its_result_and_keeps_its_name():
    @expecting()
    def status(node: int, *, twice: bool = False) -> int:
        """The docstring that typer shows."""
        return node * (1 + twice)

    assert status(3, twice=True) == 6
    assert status.__name__ == "status"
    assert status.__doc__ == "The docstring that typer shows."


def test_json_is_one_object_on_stdout_with_a_schema_version(capsys):
    emit({"node": 3, "name": "Größe\n"}, True, lambda: pytest.fail("people do not see JSON"))
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    assert json.loads(captured.out) == {"schema_version": 1, "node": 3, "name": "Größe\n"}
    assert captured.err == ""


def test_people_see_what_is_shown_for_them(capsys):
    emit({"node": 3}, False, lambda: table(["node", "score"], [[3, 10_000_000]], title="Round 7"))
    captured = capsys.readouterr()
    assert captured.out.split() == ["Round", "7", "node", "score", "3", "10000000"]
    assert captured.err == ""


def test_fail_ends_with_the_sentence_on_stderr(capsys):
    with pytest.raises(SystemExit) as caught:
        fail("the [bold]chain[/bold] is down", 30)
    assert caught.value.code == 30
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "error: the [bold]chain[/bold] is down\n")


def test_a_long_sentence_is_one_line(capsys):
    note("word " * 100 + "/a/path/that/must/stay/in/one/piece")
    assert capsys.readouterr().err.count("\n") == 1


STRANGE = "\x1b[2J\x1b]0;title\x07\x9b31m\u202eltr\u202c\r\x08"


def test_what_a_stranger_wrote_cannot_steer_the_terminal(capsys):
    note(STRANGE)
    table(["name"], [[STRANGE]])
    captured = capsys.readouterr()
    for shown in (captured.err, captured.out.replace("name", "")):
        assert "ltr" in shown
        assert not set(shown) & set("\x1b\x07\x9b\u202e\u202c\r\x08")


def test_plain_text_stays_as_it_is():
    for text in ("Größe, 大きさ, \N{NO-BREAK SPACE}, 🎉", "two\nlines\tand a tab", "[bold]", ""):
        assert plain(text) == text


def test_a_table_fits_the_terminal_and_loses_no_digit(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    hashed = "0x" + "0123456789abcdef" * 4
    table(("", "goes on chain", "and"), [("genesis", hashed, "a sentence that is longer than its column could be by far")])
    table(("config", "hash"), [("config", hashed)])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert hashed in out  # beside a short word, a whole hash stays on its line
    first = out.split("config")[0]
    assert "".join(re.findall("[0-9a-f]{8,}", first)) == hashed[2:]
