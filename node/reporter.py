"""What a run tells while it works: lines, and on a terminal a live line with the training's progress below them.

Some of it was written by the aggregator, so nothing is printed that could steer a terminal.
"""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from protocol.terminal import plain


class Reporter(Protocol):
    """Where a run tells what it does."""

    def say(self, sentence: str) -> None:
        """Something happened."""

    def waiting(self, for_what: str) -> None:
        """Nothing happens until `for_what`; told again and again, shown as a state."""

    def on_step(self, step: int, steps: int, loss: float) -> None:
        """A training step is done: `step` of `steps`, and the batch's mean loss before it."""

    def paused(self) -> AbstractContextManager[None]:
        """Leave the terminal to somebody who is asked something."""


class LineReporter:
    """Plain lines, for logs and pipes. Each state is told once, when it changes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._state = stream, ""

    def say(self, sentence: str) -> None:
        """Print and flush, since logs are read while the run goes on."""
        print(plain(sentence), file=self._stream, flush=True)

    def waiting(self, for_what: str) -> None:
        """One line per change."""
        if for_what != self._state:
            self._state = for_what
            self.say(f"waiting {for_what}")

    def on_step(self, step: int, steps: int, loss: float) -> None:
        """Not a line per step; the end of training is told by `say`."""

    def paused(self) -> AbstractContextManager[None]:
        """There is nothing to take away."""
        return nullcontext()


class LiveReporter:
    """Lines above one live line: a spinner while waiting, a bar while training."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("starting", total=None)

    def say(self, sentence: str) -> None:
        """A line that stays."""
        self._progress.console.print(Text(plain(sentence)))

    def waiting(self, for_what: str) -> None:
        """The spinner's text."""
        self._progress.update(self._task, description=f"waiting {for_what}", total=None)

    def on_step(self, step: int, steps: int, loss: float) -> None:
        """The bar."""
        self._progress.update(self._task, description=f"training, loss {loss:.4f}", completed=step, total=steps)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Without the live line."""
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()


@contextmanager
def reporting(stream: TextIO = sys.stdout) -> Iterator[Reporter]:
    """A live reporter if `stream` is a terminal, plain lines otherwise."""
    if not stream.isatty():
        yield LineReporter(stream)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(file=stream, highlight=False), transient=True) as progress:
        yield LiveReporter(progress)
