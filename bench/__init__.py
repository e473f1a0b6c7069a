"""Measurements against peers: `python -m bench.NAME`, or `make bench-NAME`, which sets everything up first.

Each prints a table and writes `bench/out/NAME.json` (`bench.report`). `QUICK=1` gives a version under five minutes. Peers live
in an environment of their own (`bench.peers`); one thread everywhere, CPU time, and ratios from one run (`bench.timing`), because
that is what a shared machine can be asked for. Long benchmarks keep their pieces and go on where they were stopped
(`bench.pieces`).
"""

import os

for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_variable] = "1"  # before numpy and torch are imported, and for the peers' processes

QUICK = os.environ.get("QUICK", "") not in ("", "0")
"""Whether the short version was asked for."""
