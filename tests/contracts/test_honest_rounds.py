"""Thousands of honest rounds of which nothing may be provable: `contracts/test/differential/HonestRounds.t.sol` settles each in a
federation of its own, and tries every proof with every leaf before the proposal, after it, and when the round is Final.

The rounds come from `evaluate_round` and `build_evidence`: the gate judges random updates, some of them copies, zeros, no
updates at all or never revealed. Their games are random too, put in as published utilities, which is how a replay gets them.
50 rounds here, 2,000 in `make soak`.
"""

import os
import random
import subprocess
from collections.abc import Mapping
from dataclasses import astuple, replace
from typing import Any

import numpy as np
from eth_abi.abi import encode

from aggregator.evaluation.contributions.contribute import Errors
from aggregator.evaluation.evidence import build_evidence
from aggregator.evaluation.round import Measurements, RoundInputs, RoundOutcome, evaluate_round
from aggregator.scorer.faults import sum_opening
from protocol.evidence import Evidence, Kind, header_fields, update_leaf
from protocol.inputs import round_seed, shards_hash
from protocol.openings import open_leaf
from protocol.roster import RosterEntry
from protocol.shares import gain_tolerance, pack_scores
from protocol.trees import EMPTY_LEAF, NODE_TREE_DEPTH, tree_root
from tests.aggregator.evaluation.tasks import ShareTask, federation, samples
from tests.contracts.test_differential import CONTRACTS, HEADER, LEAF, UPDATE
from tests.support.rounds import DOMAIN, ROUND, Sent, config, make_round, node_key

CASES = 2_000 if os.environ.get("SOAK") else 50
AT_ONCE = 50
NODES = 7
MAX_SAMPLES = 1000

_OPENING = "(uint256[13],(bytes32,uint256)[13])"
_NODE = f"(uint32,uint32,bool,bool,{UPDATE},bytes,bytes,bytes32,bytes32[],bool,{LEAF},{_OPENING})"
_DISPUTED = "(uint32,uint32,bytes,bytes32[])"
CASE = f"(bytes32[5],bytes32,bytes32,bool,{_NODE}[],{HEADER},bytes32,bytes,{_DISPUTED})"


def what_nodes_send(draw: random.Random) -> dict[int, Sent | None]:
    """By node; None for one that does not commit."""
    sent: dict[int, Sent | None] = {}
    for node in range(draw.randrange(1, NODES + 1)):
        update = np.array([draw.uniform(-1, 1) if draw.random() < 0.7 else 0 for _ in range(NODES)], np.float32)
        others = [one.body for one in sent.values() if one and isinstance(one.body, dict)]
        body: Any = draw.choice(
            [*[{"shares": update}] * 6, {"shares": np.zeros(NODES, np.float32)}, b"no tensors", None, *others[:2]]
        )
        sent[node] = None if draw.random() < 0.1 else Sent(body, draw.randrange(1, MAX_SAMPLES + 1), MAX_SAMPLES)
    return sent


def a_closed_round(draw: random.Random) -> tuple[RoundInputs, bytes, bytes]:
    """A round with everything that it depends on, the root of its updates and the hash of the block that closed it."""
    sent, separator = what_nodes_send(draw), DOMAIN.separator
    shards = tuple(samples(np.eye(NODES, dtype=np.float32)[: draw.randrange(2, NODES)]) for _ in range(draw.randrange(1, 4)))
    settings = config(pay={"z": draw.choice((0, 0, 500, 3000))}, tolerance={"utility": draw.choice((0, 64, 4096))})
    committed = {node: one for node, one in sent.items() if one is not None}
    inputs = make_round(federation(ShareTask(NODES), shards=shards), committed, config=settings)
    by_chain = {node for node in committed if draw.random() < 0.2}
    submissions = tuple(replace(s, receipt=None) if s.update.node in by_chain else s for s in inputs.submissions)
    roster = tuple(RosterEntry(node, node_key(node).address, MAX_SAMPLES) for node in sent)
    root = tree_root({s.update.node: update_leaf(s.update, s.signature).hash(separator) for s in submissions}, NODE_TREE_DEPTH)
    close_hash = draw.randbytes(32)
    seed = round_seed(separator, ROUND, root, close_hash)
    return replace(inputs, submissions=submissions, roster=roster, seed=seed), root, close_hash


def a_game(draw: random.Random, keys: Mapping[tuple[int, int], int], tolerance: int) -> dict[tuple[int, int], int]:
    """Random utilities of these coalitions (masks over node indices) on these shards."""
    scale, style = 1 << draw.choice((4, 20, 40)), draw.choice(("any", "additive", "alike", "nothing", "hardly", "just"))
    worth = [draw.randrange(-scale // 4, scale) for _ in range(NODES)]
    level = [draw.randrange(-scale, scale) for _ in range(NODES + 1)]
    values = {
        "any": lambda mask: draw.randrange(-scale, scale),
        "additive": lambda mask: sum(worth[node] for node in range(NODES) if mask >> node & 1),
        "alike": lambda mask: level[mask.bit_count()],
        "nothing": lambda mask: scale,
    }
    game = {(mask, shard): values.get(style, values["any"])(mask) for mask, shard in keys}
    # At the edge of being paid: a gain of exactly the tolerance, and of one more.
    everybody = max(mask for mask, _ in keys)
    if style in ("hardly", "just") and everybody:
        gain = sum(value * ((mask == everybody) - (mask == 0)) for (mask, _), value in game.items())
        game[everybody, 0] += tolerance + (style == "just") - gain
    return game


def an_outcome(draw: random.Random, inputs: RoundInputs) -> tuple[RoundOutcome, Evidence]:
    """What the round ends with, by the rules, when its game is a random one."""
    measured = evaluate_round(inputs).measured
    tolerance = gain_tolerance(len(inputs.shards), inputs.config.tolerance.utility)
    bits = draw.choice((1, 20, 60))
    figures = replace(
        measured.contributions,
        utilities=a_game(draw, measured.contributions.utilities, tolerance),
        errors={node: Errors(draw.getrandbits(bits), draw.getrandbits(bits)) for node in measured.contributions.errors},
    )
    outcome = evaluate_round(inputs, Measurements(measured.statistics, figures))
    return outcome, build_evidence(inputs, outcome)


def a_case(draw: random.Random) -> tuple[Any, ...]:
    inputs, root, close_hash = a_closed_round(draw)
    outcome, evidence = an_outcome(draw, inputs)
    bound = inputs.bound
    absent = {entry.node for entry in inputs.roster} - {s.update.node for s in inputs.submissions}
    leaf = draw.choice([leaf for leaf in evidence.leaves if leaf.kind is not Kind.CONTRIBUTION])
    path = open_leaf(evidence, leaf.kind, leaf.position).siblings
    return (
        (bound.config_hash, bound.task_hash, bound.base_model, shards_hash(bound.shards), bound.root_set),
        root,
        close_hash,
        not absent and draw.random() < 0.5,
        [a_node(inputs, evidence, node) for node in range(len(inputs.roster) + 1)],  # and one that nobody is
        header_fields(evidence.header),
        outcome.model_hash,
        pack_scores(outcome.scores) if any(outcome.scores) else b"",
        (leaf.kind, leaf.position, leaf.payload(), path),
    )


def a_node(inputs: RoundInputs, evidence: Evidence, node: int) -> tuple[Any, ...]:
    sent = {s.update.node: s for s in inputs.submissions}.get(node)
    contribution = evidence.by_kind[Kind.CONTRIBUTION].get(node)
    found = evidence.by_kind[Kind.UPDATE].get(node)
    opening = sum_opening(evidence, node)
    return (
        node,
        MAX_SAMPLES if node < len(inputs.roster) else 0,
        sent is not None,
        sent is not None and sent.receipt is None,
        astuple(sent.update) if sent else (0, bytes(32), 0, bytes(32), bytes(32), 0),
        sent.signature if sent else b"",
        (sent.receipt if sent else None) or b"",
        EMPTY_LEAF if found is None else found.hash(inputs.domain.separator),
        open_leaf(evidence, Kind.UPDATE, node).siblings,
        contribution is not None,
        contribution.values if contribution else (node, 0, 0, 0, 0, 0),
        (opening.sums, opening.siblings),
    )


def test_nothing_is_provable_of_honest_rounds() -> None:
    directory = CONTRACTS / "out" / "differential"
    directory.mkdir(parents=True, exist_ok=True)
    draw = random.Random("fairshare honest rounds")
    files = -(-CASES // AT_ONCE)
    for file in range(files):
        (directory / f"honest-{file}").write_bytes(encode([CASE + "[]"], [[a_case(draw) for _ in range(AT_ONCE)]]))
    done = subprocess.run(
        ["tools/forge", "test", "--match-path", "test/differential/HonestRounds.t.sol", "-vv"],
        cwd=CONTRACTS,
        env={**os.environ, "CASES": "out/differential", "FILES": str(files)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 tests passed" in done.stdout
    print(done.stdout)
