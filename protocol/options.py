"""The options that commands of every group have."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
PassphraseFile = Annotated[
    Path | None, typer.Option(help="File with the keystores' passphrase; else FAIRSHARE_PASSPHRASE_FILE, or a prompt.")
]
