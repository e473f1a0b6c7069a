"""What both sides compute, on random cases: digests, evidence, tree openings, sums and pay. Solidity gets what Python got.

The cases are ABI-encoded into one file a kind, and `contracts/test/differential` reads and compares them:
500 here, 10,000 in `make soak`.
"""

import os
import random
import subprocess
from collections.abc import Callable
from dataclasses import astuple
from math import isqrt
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from protocol.evidence import Header, Kind, header_fields
from protocol.inputs import BoundInputs, round_seed, shards_hash
from protocol.shares import SCORE_TOTAL, largest_remainder, pack_scores, score_basis
from protocol.trees import (
    LIST_TREE_DEPTH,
    NODE_TREE_DEPTH,
    SumNode,
    leaf_hash,
    sum_tree_opening,
    sum_tree_root,
    tree_proof,
    tree_root,
)
from protocol.typed_data import Attestation, Domain, Expulsion, Invitation, Receipt, Update

CONTRACTS = Path(__file__).parents[2] / "contracts"
POOL = 1000 * 10**18  # of BaseTest.sol

UPDATE = "(uint64,bytes32,uint32,bytes32,bytes32,uint32)"
_ATTESTATION = "(uint64,bytes32,bytes32,bytes32,bytes32)"
_INVITATION = "(address,uint32,bytes32,uint40)"
_INPUTS = "(uint32,uint64,bytes32,bytes32,bytes32,bytes32,bytes32,bytes32)"
HEADER = "(uint32,bytes32,uint64,bytes32,bytes32,bytes32[13],uint256,int256,int256,uint32,uint256,uint64[5],bytes32)"
LEAF = "(uint32,int128,uint128,uint128,uint128,uint256)"
TYPES = {
    "digests": f"(uint64,address,bytes32,{UPDATE},(uint64,uint32,bytes32),{_ATTESTATION},{_INVITATION},(uint64,uint32),"
    f"{_INPUTS},bytes32[7])",
    "evidence": f"({HEADER},bytes32,{LEAF},bool)",
    "openings": "(bytes32,uint256,uint256,bytes,bytes32,bytes32[],bytes32)",
    "sums": "(bytes32,uint256,(uint256[13],(bytes32,uint256)[13]),bytes32,uint256)",
    "pay": "(uint256[],bytes,uint256[])",
}
Case = tuple[Any, ...]


def a_digest(draw: random.Random) -> Case:
    domain = Domain(draw.getrandbits(63), address_of(draw))
    update = Update(draw.getrandbits(64), hash_of(draw), draw.getrandbits(32), hash_of(draw), hash_of(draw), draw.getrandbits(32))
    receipt = Receipt(draw.getrandbits(64), draw.getrandbits(32), hash_of(draw))
    attestation = Attestation(draw.getrandbits(64), hash_of(draw), hash_of(draw), hash_of(draw), hash_of(draw))
    invitation = Invitation(address_of(draw), draw.getrandbits(32), hash_of(draw), draw.getrandbits(40))
    expulsion = Expulsion(draw.getrandbits(64), draw.getrandbits(32))
    hashes = [hash_of(draw) for _ in range(4)]
    shards = tuple(hash_of(draw) for _ in range(draw.randrange(4)))
    bound = BoundInputs(draw.getrandbits(64), hashes[0], hashes[1], hashes[2], hashes[3], shards, hash_of(draw))
    close_hash = hash_of(draw)
    messages = (update, receipt, attestation, invitation, expulsion)
    seed = round_seed(domain.separator, update.round, update.inputs, close_hash)
    return (
        domain.chain_id,
        domain.ledger,
        close_hash,
        *(astuple(message) for message in messages),
        (1, bound.parent, *hashes, shards_hash(shards), bound.root_set),
        (*(message.digest(domain) for message in messages), bound.digest(), seed),
    )


def an_evidence(draw: random.Random) -> Case:
    low = draw.randrange(-(2**40), 2**40)
    tolerances = tuple(draw.getrandbits(draw.choice((4, 20, 64))) for _ in range(5))
    header = Header(
        federation=hash_of(draw),
        round=draw.getrandbits(64),
        inputs=hash_of(draw),
        seed=hash_of(draw),
        roots=tuple(hash_of(draw) for _ in Kind),
        total_basis=draw.getrandbits(256),
        utility_empty=low,
        utility_all=low + draw.choice((tolerances[4], tolerances[4] + 1, draw.randrange(-(2**30), 2**70))),
        z_thousandths=draw.getrandbits(draw.choice((1, 10, 32))),
        denominator=draw.getrandbits(128),
        tolerances=tolerances,
        code_version=hash_of(draw),
    )
    gained = header.utility_all - header.utility_empty > tolerances[4]
    contribution, sampling, estimation = draw.randrange(-(2**100), 2**126), draw.getrandbits(100), draw.getrandbits(120)
    error = isqrt(sampling**2 + estimation**2)
    basis = score_basis(contribution, error, header.z_thousandths) if gained else 0
    leaf = (draw.getrandbits(32), contribution, error, sampling, estimation, basis)
    return header_fields(header), header.root(), leaf, gained


def an_opening(draw: random.Random) -> Case:
    federation, kind, depth = hash_of(draw), draw.randrange(1, 14), draw.choice((NODE_TREE_DEPTH, LIST_TREE_DEPTH))
    index, payload = draw.randrange(2**depth), draw.randbytes(draw.randrange(200))
    leaf = leaf_hash(federation, kind, index, payload)
    tree = {draw.randrange(2**depth): hash_of(draw) for _ in range(draw.randrange(5))} | {index ^ 1: hash_of(draw), index: leaf}
    return federation, kind, index, payload, leaf, tree_proof(tree, depth, index), tree_root(tree, depth)


def a_sum(draw: random.Random) -> Case:
    index = draw.randrange(2**NODE_TREE_DEPTH)
    places = [draw.randrange(2**NODE_TREE_DEPTH) for _ in range(draw.randrange(5))]
    tree = {place: SumNode(hash_of(draw), draw.getrandbits(160)) for place in (*places, index)}
    root, opening = sum_tree_root(tree), sum_tree_opening(tree, index)
    return tree[index].hash, index, (opening.sums, opening.siblings), root.hash, root.sum


def a_payment(draw: random.Random) -> Case:
    bases = [draw.getrandbits(draw.choice((0, 8, 60, 170))) for _ in range(draw.randrange(1, 21))]
    scores = largest_remainder(bases)
    return bases, pack_scores(scores), [POOL * score // SCORE_TOTAL for score in scores]


CASES = 10_000 if os.environ.get("SOAK") else 500
MAKERS: dict[str, tuple[int, Callable[[random.Random], Case]]] = {
    "digests": (25, a_digest),
    "evidence": (25, an_evidence),
    "openings": (20, an_opening),
    "sums": (20, a_sum),
    "pay": (10, a_payment),
}


def address_of(draw: random.Random) -> str:
    return to_checksum_address(draw.randbytes(20))


def hash_of(draw: random.Random) -> bytes:
    return draw.randbytes(32)


def test_solidity_gets_what_python_gets() -> None:
    cases = CONTRACTS / "out" / "differential"
    cases.mkdir(parents=True, exist_ok=True)
    for kind, (percent, make) in MAKERS.items():
        draw = random.Random(f"fairshare {kind}")
        (cases / kind).write_bytes(encode([TYPES[kind] + "[]"], [[make(draw) for _ in range(CASES * percent // 100)]]))
    done = subprocess.run(
        ["tools/forge", "test", "--match-path", "test/differential/Differential.t.sol"],
        cwd=CONTRACTS,
        env={**os.environ, "CASES": "out/differential"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 tests passed" in done.stdout
