"""Asking before a stranger's code runs: the task is shown whole, and accepted by its hash."""

import sys
from collections.abc import Callable

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from learning.source import TaskSource
from node.errors import TaskNotAccepted

_TYPED = 8
"""Hexadecimal digits of the hash that are typed to accept: not a reflex like "y"."""


def consent(task: TaskSource, config_toml: str, accepted: bytes | None, ask: Callable[[str], str] | None = None) -> None:
    """Return if the participant accepts config and task; the code has all rights of the process that will run it.

    `accepted`: the hash that was accepted beforehand (an option, or an earlier init); only this very hash counts. Without it
    the files are shown on the terminal and `ask` (by default `input`, if there is a terminal) reads the answer.

    Raises `TaskNotAccepted`.
    """
    found = task.sha256()
    if accepted is not None:
        if accepted != found:
            raise TaskNotAccepted(found, f"0x{accepted.hex()} was accepted, but the federation's task is 0x{found.hex()}")
        return
    if ask is None:
        if not sys.stdin.isatty():
            show(task, config_toml)
            raise TaskNotAccepted(found, "nobody has accepted the task's code, and there is no terminal to ask at")
        ask = input
    show(task, config_toml)
    expected = found.hex()[:_TYPED]
    if ask(f"Type {expected} to accept this config and let this code run on your machine and data: ").strip() != expected:
        raise TaskNotAccepted(found, "the task's code was not accepted")


def show(task: TaskSource, config_toml: str) -> None:
    """Print config and every file of the task with the hash, through the pager if they are longer than the screen."""
    console = Console(stderr=True, highlight=False)
    texts = {"federation.toml": config_toml, **task.texts()}
    lines = sum(text.count("\n") + 2 for text in texts.values())
    if console.is_terminal and lines > console.height:
        with console.pager():
            _print(console, texts, task)
    else:
        _print(console, texts, task)
    console.print(Text(f"{len(texts) - 1} file(s), task hash 0x{task.sha256().hex()}, class {task.entry}"))


def _print(console: Console, texts: dict[str, str], task: TaskSource) -> None:
    console.print(Text(f"The federation's config and the code of its task 0x{task.sha256().hex()}"))
    for name, text in texts.items():
        console.print(Rule(Text(name)))
        console.print(Text(printable(text)))


def printable(text: str) -> str:
    """`text` with every character that a terminal would obey, and not show, written as its escape."""
    return "".join(c if c.isprintable() or c == "\n" else "    " if c == "\t" else ascii(c)[1:-1] for c in text)
