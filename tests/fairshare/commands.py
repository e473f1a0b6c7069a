"""Every command of the house, as its parser knows it."""

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from fairshare.app import app


def leaves(name: str = "", command: Any = None) -> Iterator[tuple[str, Any]]:
    """("node claim", its parsed form) and so on."""
    command = command or get_command(app)
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
        return
    for word in sorted(below):
        yield from leaves(f"{name} {word}".strip(), below[word])


COMMANDS = dict(leaves())
