"""`fairshare demo`: a federation of real processes trains real data, settles every round on a chain, and is paid."""

from pathlib import Path
from typing import Annotated

import typer

from protocol.options import Json

ROUNDS = 5


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running afterwards, until Ctrl-C.")] = False,
    report: Annotated[Path | None, typer.Option(help="Also write every figure to this JSON file.")] = None,
    as_json: Json = False,
) -> None:
    """Run a whole federation on this machine: a chain, an aggregator and eight participants, three of whom lie.

    Example: fairshare demo --report report.json
    """
    from fairshare.demo.play import play
    from fairshare.demo.processes import DemoError
    from protocol.terminal import expecting

    expecting({DemoError: 70})(play)(keep, report, ROUNDS, as_json)
