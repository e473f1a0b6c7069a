"""Commands of fairshare as processes of their own, beside a test that holds the chain's clock."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.chain import PASSPHRASE

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("FAIRSHARE_")},
    "FAIRSHARE_PASSPHRASE": PASSPHRASE,
    "OMP_NUM_THREADS": "1",
    "COLUMNS": "300",
}

PATIENCE = 600.0
"""Seconds that a test waits for a process: on the busiest machine nothing takes so long, so that only a hang ends a wait."""


@contextmanager
def process(*command: str, module: str = "fairshare") -> Iterator["subprocess.Popen[str]"]:
    """`python -m MODULE COMMAND`, its output piped; killed at the end."""
    started = subprocess.Popen(
        [sys.executable, "-m", module, *command],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def until(happened: Callable[[], bool], *alive: "subprocess.Popen[str]") -> None:
    """Wait for what other processes do; fails if one of them ends before."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        for one in alive:
            assert one.poll() is None, one.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
