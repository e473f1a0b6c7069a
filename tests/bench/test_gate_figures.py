"""The gate's benchmark counts what it says: on hand-made rounds, and for each rule on updates whose answer is known."""

import numpy as np
import pytest

from aggregator.calibration.rates import Rate
from bench.gate.cells import Cell
from bench.gate.detectors import DETECTORS, Context
from bench.gate.figures import figures
from bench.gate.grid import FULL_CELLS, full, headline, quick
from bench.gate.play import Played, Round
from bench.gate.report import rows

CELL = Cell("fashion-mlp", 0.3, 0.5, "sign-flip", 0)


def played() -> Played:
    """Four nodes, 0 and 1 malicious; 1 begins in round 3. Node 2 is wrongly named once, node 0 from round 2 on."""
    rounds = []
    for number in range(1, 9):
        attacking = [0, 1] if number >= 3 else [0]
        named = ([2] if number == 1 else []) + ([0] if number >= 2 else []) + ([1] if number == 5 else [])
        scores = {0: 0, 1: 1_000_000, 2: 4_000_000, 3: 5_000_000}
        reasons = {0: "expellable" if number == 8 else "ok", 1: "ok", 2: "ok", 3: "ok"}
        rounds.append(Round(attacking, named, reasons, {}, scores))
    return Played(0.7, None, [100, 100, 100, 50], [0, 1], rounds)


def test_node_rounds_are_counted() -> None:
    found = figures(CELL, played())
    assert found.recall == Rate(7 + 1, 8 + 6)
    assert found.settled_recall == Rate(3, 6)
    assert found.false_positives == Rate(1, 16)
    assert found.to_name == (2, 3)
    assert (found.expelled_honest, found.expelled_attackers) == (0, 1)
    # Attackers earn 1 of 10 on 200 samples, honest nodes 9 of 10 on 150.
    assert found.tokens == pytest.approx((1 / 200) / (9 / 150))
    assert found.part_of(found.malicious) == pytest.approx(1 / 10)


def test_a_rule_that_names_nobody_has_no_recall() -> None:
    one = played()
    one.rounds = [Round(r.attacking, None) for r in one.rounds]
    found = figures(CELL, one)
    assert found.recall == found.false_positives == Rate(0, 0)
    assert found.tokens is None


def test_attackers_are_compared_with_themselves_when_honest() -> None:
    attacked, clean = played(), played()
    clean.malicious = []
    for one in clean.rounds:
        one.attacking, one.scores = [], {0: 2_000_000, 1: 2_000_000, 2: 3_000_000, 3: 3_000_000}
    cells = [figures(CELL, attacked), figures(Cell("fashion-mlp", 0.3, 0.0, "none", 0), clean)]
    found = [row for row in rows({"gate": cells}) if "by honesty" in row.metric]
    assert [row.value for row in found] == [pytest.approx(0.1 / 0.4)]


def test_rows_pool_attacks_and_stand_beside_peers_on_the_same_cells() -> None:
    gate, oracle = figures(CELL, played()), figures(CELL, played())
    other = figures(Cell("fashion-mlp", 0.3, 0.5, "sign-flip", 7), played())
    found = rows({"gate": [gate], "oracle": [oracle], "DnC": [other], "Median": [gate]})
    assert not any(row.peer == "DnC" for row in found)
    assert any(row.peer == "Median" and row.value == row.peer_value for row in found)
    recall = [row for row in found if row.metric.startswith("recall, mean")]
    assert recall[0].value == pytest.approx(8 / 14)
    assert recall[0].met is False


def test_grids_are_as_large_as_they_say_and_have_no_cell_twice() -> None:
    assert len({cell.attack for cell, _ in quick()} - {"none"}) == 8
    assert len({cell.attack for cell, _ in headline()} - {"none"}) >= 26
    assert {cell.seed for cell, _ in headline()} == set(range(5))
    assert len({cell for cell, _ in full()}) <= FULL_CELLS
    for grid in (quick, headline, full):
        turns = list(grid())
        assert len(turns) == len(set(turns))


@pytest.mark.parametrize("name", DETECTORS)
def test_detectors_leave_out_what_is_plainly_wrong(name: str) -> None:
    random = np.random.default_rng(1)
    direction = random.normal(size=400)
    honest = direction + 0.3 * random.normal(size=(9, 400))
    updates = np.concatenate([honest, -20 * direction[None] + random.normal(size=(3, 400))]).astype(np.float32)
    found = DETECTORS[name](updates, Context(3, direction.astype(np.float32), np.random.default_rng(0)))
    assert found.refused is not None
    assert {9, 10, 11} <= found.refused
    assert found.step @ direction > 0
    assert found.step.shape == (400,)
