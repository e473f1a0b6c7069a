"""Cells that were played, each kept as a piece, so that a run that was stopped goes on where it was."""

from dataclasses import asdict, replace
from functools import cache
from typing import Any

from aggregator.simulation.attacks import ATTACKS
from aggregator.simulation.attacks.attack import always
from bench.gate.cells import Cell
from bench.gate.defaults import MEASURING
from bench.gate.play import BLIND, GATE, ORACLE, Played, Round, play
from bench.pieces import has_piece, piece, source_hash

_NODES = (
    "aggregator/simulation/attacks",
    "aggregator/simulation/participants.py",
    "bench/gate/cells.py",
    "bench/gate/tasks.py",
)
"""What the peers' outcomes depend on, beside their rules."""

_GATE = ("aggregator/evaluation", "aggregator/template.py")
"""What the gate's depend on further: the whole evaluation, and the config."""


def played(cell: Cell, defence: str) -> Played:
    """Play, unless the same was played before."""
    cell = _played_as(cell, defence)
    return restored(piece(_name(cell, defence), version_of(defence), lambda: asdict(play(cell, defence))))


def restored(found: dict[str, Any]) -> Played:
    """From the JSON that it was kept as."""
    rounds = [Round(**{**one, **{key: _by_node(one[key]) for key in _BY_NODE}}) for one in found["rounds"]]
    return Played(**{**found, "rounds": rounds})


def is_played(cell: Cell, defence: str) -> bool:
    """Whether `played` would find it done."""
    return has_piece(_name(_played_as(cell, defence), defence), version_of(defence))


def _name(cell: Cell, defence: str) -> str:
    return f"gate={cell.name}={defence}"


def _played_as(cell: Cell, defence: str) -> Cell:
    """The oracle merges what honest nodes send: one federation under all attacks that never pause, whatever they do."""
    steady = cell.attack in ATTACKS and ATTACKS[cell.attack].attacking is always
    return replace(cell, attack="backdoor") if defence == ORACLE and steady else cell


_BY_NODE = ("reasons", "reputation", "scores")


def _by_node(found: dict[str, Any]) -> dict[int, Any]:
    return {int(node): value for node, value in found.items()}  # JSON's keys are strings


@cache
def version_of(defence: str) -> str:
    """What the outcomes under `defence` depend on, as a name: other sources, other pieces."""
    if defence == GATE:
        return source_hash(*_NODES, *_GATE)
    if defence == BLIND:
        return source_hash(*_NODES, *_GATE, *MEASURING, "aggregator/calibration", "bench/gate/defaults.py", "bench/gate/blind.py")
    return source_hash(*_NODES, "bench/gate/detectors.py")
