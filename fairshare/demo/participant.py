"""One liar's process: `python -m fairshare.demo.participant DIRECTORY ROLE`.

The same run as `fairshare node run DIRECTORY`, with the role's way of training. The command line has no such option.
"""

import sys
from pathlib import Path

from fairshare.demo.tampering import TRAINERS
from ledger.wallet import read_passphrase
from node.reporter import LineReporter
from node.runner import run
from node.stopping import Stopped, stopping_on_signals


def main(directory: str, role: str) -> None:
    """Take part until stopped."""
    try:
        with stopping_on_signals():
            run(Path(directory), read_passphrase(f"the node {directory}"), LineReporter(sys.stdout), train=TRAINERS[role])
    except Stopped:
        print("stopped")


if __name__ == "__main__":
    main(*sys.argv[1:])
