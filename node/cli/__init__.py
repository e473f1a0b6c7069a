"""`fairshare node`: the participant's commands.

Whatever is heavy (torch, web3) is imported by the command that needs it; claiming and asking never import torch, but for
`doctor`, which tries the task out.
"""

import typer

from node.cli.acting import claim, leave, prove, run
from node.cli.asking import contributions, doctor, rewards, status, verify, why
from node.cli.joining import init, join

app = typer.Typer(
    no_args_is_help=True, help="Take part in a federation: train on your own data, see why you got what you got, claim."
)
for _command in (init, doctor, join, run, status, why, contributions, rewards, verify, prove, claim, leave):
    app.command()(_command)
