"""`make bench-adversaries` writes bench/out/adversaries.json; QUICK=1 takes fewer seeds and rounds."""

import os

from bench.adversaries import pay, settlement, tolerance
from bench.report import publish


def main() -> None:
    """Measure and publish."""
    seeds, rounds = (2, 3) if os.environ.get("QUICK") else (3, 6)
    publish("adversaries", [*settlement.rows(), *tolerance.rows(seeds), *pay.rows(seeds, rounds)])


main()
