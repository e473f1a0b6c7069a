"""Asking before a stranger's code runs: config and task are shown whole, or what changed of them, and accepted by one hash;
and before a fee is paid.
"""

import sys
from collections.abc import Callable, Mapping
from difflib import unified_diff

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from ledger.amounts import show_amount
from node.errors import FeeNotAccepted, TermsNotAccepted
from node.home import Terms
from protocol.terms import changes

_TYPED = 8
"""Hexadecimal digits of the hash that are typed to accept: not a reflex like "y"."""


def consent(offered: Terms, accepted: bytes | None, before: Terms | None = None, ask: Callable[[str], str] | None = None) -> None:
    """Return if the participant accepts config and task; the code has all rights of the process that will run it.

    `accepted`: the hash that was accepted beforehand, by an option; only this very hash counts. Without it they are shown on the
    terminal, or what is different from those `before`, and `ask` (by default `input`, if there is a terminal) reads the answer.

    Raises `TermsNotAccepted`.
    """
    found = offered.digest
    if accepted is not None:
        if accepted != found:
            raise TermsNotAccepted(found, f"0x{accepted.hex()} was accepted, but the federation's terms are 0x{found.hex()}")
        return
    if ask is None:
        if not sys.stdin.isatty():
            show(offered, before)
            raise TermsNotAccepted(found, "nobody has accepted the federation's terms, and there is no terminal to ask at")
        ask = input
    show(offered, before)
    expected = found.hex()[:_TYPED]
    if ask(f"Type {expected} to accept this config and let this code run on your machine and data: ").strip() != expected:
        raise TermsNotAccepted(found, "the federation's terms were not accepted")


def accept_fee(fee: int, accepted: int | None, ask: Callable[[str], str] | None = None) -> None:
    """Return if the participant accepts a fee in wei that it does not get back: so much was accepted beforehand, or it is told
    and `ask` (by default `input`, if there is a terminal) reads a yes. No fee needs none.

    Raises `FeeNotAccepted`.
    """
    if fee <= (accepted or 0):
        return
    shown = show_amount(fee)
    if accepted is None and (ask is not None or sys.stdin.isatty()):
        told = f"Joining without an invitation costs {shown} coin besides the stake, which nobody gives back. Pay it? [y/N] "
        if (ask or input)(told).strip().lower() in ("y", "yes"):
            return
    raise FeeNotAccepted(shown)


def show(offered: Terms, before: Terms | None = None) -> None:
    """Print config and every file of the task with the hash, or what changed; through the pager if longer than the screen."""
    console = Console(stderr=True, highlight=False)
    texts = _whole(offered) if before is None else _changed(before, offered)
    title = "The federation's config and the code of its task" if before is None else "What changes of the federation's terms"
    lines = sum(text.count("\n") + 2 for text in texts.values())
    if console.is_terminal and lines > console.height:
        with console.pager():
            _print(console, title, texts)
    else:
        _print(console, title, texts)
    files = len(offered.task.texts())
    console.print(Text(f"{files} file(s), class {offered.task.entry}, task hash 0x{offered.task.sha256().hex()}"))
    console.print(Text(f"terms hash 0x{offered.digest.hex()}"))


def _whole(offered: Terms) -> dict[str, str]:
    return {"federation.toml": offered.config_toml, **offered.task.texts()}


def _changed(before: Terms, offered: Terms) -> dict[str, str]:
    """The keys of the config with both values, and the lines of the task's files that differ."""
    found = {}
    if keys := changes(before.config_toml, offered.config_toml):
        found["federation.toml"] = "\n".join(map(str, keys))
    old, new = before.task.texts(), offered.task.texts()
    for name in sorted({*old, *new}):
        earlier, later = (text.get(name, "").splitlines() for text in (old, new))
        if earlier != later:
            found[name] = "\n".join(unified_diff(earlier, later, "before", "after", lineterm=""))
    return found or {"federation.toml": "nothing but its remarks"}


def _print(console: Console, title: str, texts: Mapping[str, str]) -> None:
    console.print(Text(title))
    for name, text in texts.items():
        console.print(Rule(Text(name)))
        console.print(Text(printable(text)))


def printable(text: str) -> str:
    """`text` with every character that a terminal would obey, and not show, written as its escape."""
    return "".join(c if c.isprintable() or c == "\n" else "    " if c == "\t" else ascii(c)[1:-1] for c in text)
