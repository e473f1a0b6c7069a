"""The `fairshare` command: mounts the command group of each part of the house."""

import typer

from aggregator.cli import app as aggregator
from aggregator.scorer.cli import app as scorer
from fairshare.demo.cli import demo
from ledger.cli import app as ledger
from node.cli import app as node
from protocol import terminal

app = typer.Typer(
    help="Federated learning in which every participant is paid its fair share, on chain.\n\nExample: fairshare demo",
    epilog="\b\nExit codes:\n" + terminal.EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(node, name="node")
app.add_typer(aggregator, name="aggregator")
app.add_typer(scorer, name="scorer")
app.add_typer(ledger, name="ledger")
app.command()(demo)
