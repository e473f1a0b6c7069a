"""`make bench-adversaries` writes bench/out/adversaries.json; QUICK=1 takes fewer seeds and rounds."""

import os

from bench.adversaries import pay
from bench.report import publish


def main() -> None:
    """Measure and publish."""
    seeds, rounds = (2, 4) if os.environ.get("QUICK") else (4, 8)
    publish("adversaries", pay.rows(seeds, rounds))


main()
