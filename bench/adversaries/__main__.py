"""`make bench-adversaries` writes bench/out/adversaries.json; QUICK=1 takes fewer seeds, rounds and rules, and no `friends`.

It goes on where it was stopped: see `bench.pieces`.
"""

import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import structlog
import torch

from bench.adversaries import copies, disputes, faults, friends, lies, pay, rollbacks, rules, seeds, settlement, tolerance
from bench.adversaries.ground import ground
from bench.adversaries.stage import SCORERS, digits, honestly, prepared
from bench.pieces import piece, source_hash
from bench.report import Row, publish

ON_CHAIN: dict[str, Callable[[Path], Iterable[Row]]] = {
    "settlement": lambda place: settlement.rows(ground(place / "ground", SCORERS), place),
    "faults": lambda place: faults.rows(ground(place / "ground"), place),
    "rollbacks": rollbacks.rows,
    "lies": lambda place: lies.rows(prepared(place / "one", 2, honestly(digits(2))), place),
    "disputes": lambda place: disputes.rows(prepared(place / "one", 2, honestly(digits(2))), place),
    "tolerance": tolerance.rows,
    "copies": copies.rows,
    "friends": friends.rows,
}
"""Each plays in a directory of its own, on real chains with real contracts."""


def main() -> None:
    """Measure and publish."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))  # lies and rollbacks are meant
    torch.set_num_threads(1)  # as the service's worker does: sums do not depend on the machine's size
    is_quick = bool(os.environ.get("QUICK"))
    many, rounds, names = (2, 3, rules.QUICK) if is_quick else (4, 4, rules.NAMES)
    publish("adversaries", [*_on_chain(is_quick), *seeds.rows(many), *pay.rows(many, rounds, names)])


def _on_chain(is_quick: bool) -> Iterator[Row]:
    common = [f"bench/adversaries/{name}.py" for name in ("stage", "ground", "lies")]
    for name, play in ON_CHAIN.items():
        if is_quick and name == "friends":
            continue
        mine = f"bench/adversaries/{name}.py"
        version = source_hash("aggregator", "ledger", "protocol", "learning", "tests/support", *common, mine)
        for found in piece(f"adversaries {name}", version, partial(_played, play)):
            yield Row(**found)


def _played(play: Callable[[Path], Iterable[Row]]) -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory() as directory:
        return [asdict(found) for found in play(Path(directory))]


if __name__ == "__main__":  # the evaluation's process imports this file again
    main()
