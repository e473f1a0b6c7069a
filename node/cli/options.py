"""What the commands of a node have in common: their options, and opening a node's directory."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from learning.errors import LEARNING_EXIT_CODES
from ledger.errors import LEDGER_EXIT_CODES
from node.errors import NODE_EXIT_CODES
from protocol.terminal import Working, expecting

if TYPE_CHECKING:
    from ledger.client import LedgerClient
    from node.home import NodeHome
    from node.settings import NodeSettings

Home = Annotated[Path, typer.Argument(metavar="DIR", help="The node's directory.")]
Round = Annotated[int, typer.Argument(metavar="ROUND", min=1, help="The round's number.")]

ends_well = expecting(LEDGER_EXIT_CODES, LEARNING_EXIT_CODES, NODE_EXIT_CODES)
"""Decorates every command of a node: whatever goes wrong ends in a sentence and an exit code."""


def asking(tell: Working, whose: Path, file: Path | None) -> Callable[[], str]:
    """Finds the passphrase of these keys when it is needed, and asks for it beside the line that says what is being done."""

    def ask() -> str:
        from ledger.wallet import read_passphrase

        with tell.paused():
            passphrase = read_passphrase(f"the keys in {whose}", file)
        tell("unlocking the key, sending, and waiting until it is mined")
        return passphrase

    return ask


def open_home(directory: Path) -> "tuple[NodeHome, NodeSettings, LedgerClient]":
    """A finished node directory, and the contracts of its federation, checked."""
    from node.enrolment import open_ledger
    from node.home import NodeHome

    home = NodeHome(directory)
    settings = home.settings()
    return home, settings, open_ledger(settings)
