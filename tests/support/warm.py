"""Runs `fairshare` commands in processes of their own that need not import everything anew: they are forked from one that has.

The commands are the real ones from their first line on, with the directory, the environment and the streams that they are given.
"""

import os
import shlex
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

from aggregator import forked
from fairshare.demo.processes import IMPORTED
from ledger.wallet import Wallet

forked.preload([__name__, *IMPORTED])


def fairshare(command: str, directory: Path, environment: Mapping[str, str]) -> CompletedProcess[str]:
    """Run `fairshare …` to its end."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = forked.start(_run, shlex.split(command), directory, dict(environment), out, err)
        process.join()
        assert process.exitcode is not None
        return CompletedProcess(command, process.exitcode, out.read_text(), err.read_text())


def _run(command: list[str], directory: Path, environment: dict[str, str], out: Path, err: Path) -> None:
    for path, descriptor in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = command
    # Nobody attacks the keystores of a walk; the strong default is tried in tests/ledger/test_wallet.py.
    Wallet.create = partial(Wallet.create, scrypt_n=2)  # type: ignore[method-assign] # all who call it get the cheap one
    from fairshare.cli import main

    main()
