"""How every command speaks: to people by rich, to programs by one JSON object on stdout, and by numbered exit codes."""

import errno
import functools
import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

from protocol.errors import FormatError, ProtocolError, ServiceRefused, ServiceUnreachable, ServiceUnreadable

if TYPE_CHECKING:
    from rich.status import Status

SCHEMA_VERSION = 1

EXIT_CODES = """\
0        done
2        wrong usage of the command line
10 - 19  a file, option or document does not have the right form
20 - 29  a key or passphrase
30 - 39  the chain
40 - 49  the aggregator
50 - 59  the task, its data or its training
60 - 69  the question was answered, and the answer is no
70       a fault of fairshare itself
130      stopped by Ctrl-C
"""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

_P = ParamSpec("_P")
_T = TypeVar("_T")

ExitCodes = Mapping[type[Exception], int]

PROTOCOL_EXIT_CODES: ExitCodes = {
    FormatError: 10,
    FileNotFoundError: 11,
    OSError: 11,
    FileExistsError: 12,
    ProtocolError: 13,
    ServiceUnreachable: 40,
    ServiceRefused: 41,
    ServiceUnreadable: 42,
}
"""The nearest class in an error's method resolution order decides; the other packages add their families."""


def plain(text: str) -> str:
    """The text without control and format characters, by which a stranger's name or answer could steer the terminal.

    >>> plain("a name\\x1b[2J")
    'a name�[2J'
    """
    steers = (unicodedata.category(char).startswith("C") and char not in "\n\t" for char in text)
    return "".join("\N{REPLACEMENT CHARACTER}" if steer else char for char, steer in zip(text, steers, strict=True))


def when(seconds: int) -> str:
    """A moment of the chain's clock, for people.

    >>> when(1_800_000_000)
    '2027-01-15 08:00:00 UTC'
    """
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def note(text: str) -> None:
    """Say something to the person on stderr; it is never part of the result."""
    from rich.console import Console

    Console(stderr=True, highlight=False, soft_wrap=True).print(plain(text), markup=False)


class Working:
    """A line on stderr that says what takes its time, with something that turns; nothing at all without a terminal."""

    def __init__(self, status: "Status | None") -> None:
        self._status = status

    def __call__(self, text: str) -> None:
        """Say what is being done now."""
        if self._status is not None:
            self._status.update(plain(text).replace("[", "\\["))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the line away while somebody is asked something."""
        if self._status is not None:
            self._status.stop()
        try:
            yield
        finally:
            if self._status is not None:
                self._status.start()


@contextmanager
def working(what: str, quiet: bool = False) -> Iterator[Working]:
    """Show on stderr that `what` is being done; silent if `quiet`, or where nobody looks on."""
    if quiet or not sys.stderr.isatty():
        yield Working(None)
        return
    from rich.console import Console

    with Console(stderr=True, highlight=False).status("") as status:
        told = Working(status)
        told(what)
        yield told


def emit(result: Mapping[str, Any], as_json: bool, show: Callable[[], None]) -> None:
    """Give a command's result: the JSON object with its `schema_version`, or whatever `show` prints for people."""
    if as_json:
        print(json.dumps({"schema_version": SCHEMA_VERSION, **result}))
    else:
        show()


def table(columns: Iterable[str], rows: Iterable[Iterable[object]], title: str | None = None) -> None:
    """Print a table on stdout. Cells are plain text: whatever a stranger put in them is shown, never interpreted."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    columns = tuple(columns)
    show_header = any(columns)  # a list of names and values has no heading
    drawn = Table(title=title, title_justify="left", header_style="bold", pad_edge=False, box=None, show_header=show_header)
    for column in columns:
        drawn.add_column(column, overflow="fold")  # what does not fit goes on below: half a hash is no hash
    for row in rows:
        drawn.add_row(*(Text(plain(str(cell))) for cell in row))
    Console(highlight=False).print(drawn)


def expecting(*families: ExitCodes) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Decorate a command: errors of these families (and the protocol's) end it with a sentence and their exit code."""
    codes: dict[type[Exception], int] = {**PROTOCOL_EXIT_CODES}
    for family in families:
        codes.update(family)

    def decorate(command: Callable[_P, _T]) -> Callable[_P, _T]:
        @functools.wraps(command)
        def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            try:
                return command(*args, **kwargs)
            except BrokenPipeError:
                raise  # whoever read our output has seen enough
            except KeyboardInterrupt:
                fail("stopped; whatever was begun can be begun again by the same command", 130)
            except tuple(codes) as error:
                code = next(codes[kind] for kind in type(error).__mro__ if kind in codes)
                fail(_sentence(error), code)

        return run

    return decorate


def _sentence(error: Exception) -> str:
    if not isinstance(error, OSError) or (error.filename is None and error.strerror is None):
        return str(error)
    what = (error.strerror or type(error).__name__).lower()
    next_step = "make room on that disk, or make it writable" if error.errno in _FULL else "check the path"
    return f"{what}; {next_step}" if error.filename is None else f"{error.filename}: {what}; {next_step}"


def fail(sentence: str, code: int) -> NoReturn:
    """End the command with a sentence on stderr and an exit code of the table above."""
    note(f"error: {sentence}")
    sys.exit(code)
