"""`make bench-gate`, `QUICK=1 make bench-gate`, `make bench-gate-full`: plays the grid, prints and writes the figures.

`python -m bench.gate so-far` plays nothing, and publishes what these have played until now.
"""

import sys
from collections.abc import Iterator

import torch
from rich.progress import Progress

from bench import QUICK
from bench.gate.figures import figures
from bench.gate.grid import Turn, full, headline, quick
from bench.gate.report import Results, rows
from bench.gate.results import is_played, played
from bench.gate.speed import speed_rows
from bench.report import publish


def main(arguments: list[str]) -> None:
    """Play what is not played yet and publish everything. Ctrl-C at any time; the next run goes on."""
    torch.set_num_threads(1)
    whole, so_far = arguments == ["full"], arguments == ["so-far"]
    turns = list(full() if whole else quick() if QUICK else headline())
    if so_far:
        turns = [turn for turn in dict.fromkeys((*headline(), *full())) if is_played(*turn)]
    name = "gate-full" if whole else "gate-so-far" if so_far else "gate"
    results: Results = {}
    for cell, defence in _with_progress(turns, name):
        results.setdefault(defence, []).append(figures(cell, played(cell, defence)))
    publish(name, [*rows(results), *([] if whole or so_far else speed_rows(QUICK))])


def _with_progress(turns: list[Turn], name: str) -> Iterator[Turn]:
    with Progress(transient=True) as progress:
        bar = progress.add_task(name, total=len(turns))
        for cell, defence in turns:
            progress.update(bar, description=f"{cell.name} {defence}")
            yield cell, defence
            progress.advance(bar)


if __name__ == "__main__":
    main(sys.argv[1:])
