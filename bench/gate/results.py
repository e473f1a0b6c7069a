"""Cells that were played, each kept as a piece, so that a run that was stopped goes on where it was."""

from dataclasses import asdict
from functools import cache
from typing import Any

from bench.gate.cells import Cell
from bench.gate.play import GATE, Played, Round, play
from bench.pieces import piece, source_hash

_NODES = (
    "aggregator/simulation/attacks",
    "aggregator/simulation/participants.py",
    "bench/gate/cells.py",
    "bench/gate/tasks.py",
)
"""What the peers' outcomes depend on, beside their rules; the gate's also depend on the whole evaluation and the config."""


def played(cell: Cell, defence: str) -> Played:
    """Play, unless the same was played before."""
    found: dict[str, Any] = piece(f"gate={cell.name}={defence}", _version(defence), lambda: asdict(play(cell, defence)))
    rounds = [Round(**{**one, **{key: _by_node(one[key]) for key in _BY_NODE}}) for one in found["rounds"]]
    return Played(**{**found, "rounds": rounds})


_BY_NODE = ("reasons", "reputation", "scores")


def _by_node(found: dict[str, Any]) -> dict[int, Any]:
    return {int(node): value for node, value in found.items()}  # JSON's keys are strings


@cache
def _version(defence: str) -> str:
    if defence == GATE:
        return source_hash(*_NODES, "aggregator/evaluation", "aggregator/template.py")
    return source_hash(*_NODES, "bench/gate/detectors.py")
