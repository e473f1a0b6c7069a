"""The long checks of the contracts, one after the other, each with its time: `make soak`, or `make soak FROM=guards`.

A step that fails or is stopped ends it; guards and mutants then go on where they were.
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
STEPS = {
    "slither": "any finding of the static analysis",
    "coverage": "98 % of lines and branches",
    "differential": "10,000 random cases in Solidity and in Python",
    "honest": "2,000 honest rounds of which nothing is provable",
    "deep": "fuzzing with 10,000 cases a function, invariants over 256 runs of 128 calls",
    "guards": "every guard taken away in turn",
    "mutants": "a sample of slips of the pen",
}


def main(first: str) -> None:
    """Run the steps from `first` on."""
    if first not in STEPS:
        sys.exit(f"There is no step {first!r}; the steps are {', '.join(STEPS)}.")
    names = list(STEPS)
    for name in names[names.index(first) :]:
        print(f"\n── {name}: {STEPS[name]}", flush=True)
        start = time.monotonic()
        try:
            failed = subprocess.run(["make", "--no-print-directory", name], cwd=ROOT, check=False).returncode
        except KeyboardInterrupt:
            failed = 130
        minutes = f"{(time.monotonic() - start) / 60:.1f} minutes"
        if failed:
            sys.exit(f"── {name} ended with {failed} after {minutes}. `make soak FROM={name}` goes on from there.")
        print(f"── {name} passed in {minutes}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else next(iter(STEPS)))
