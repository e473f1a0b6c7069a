"""Every leaf opens alone, nothing else passes for it, and what is not there can be shown not to be."""

import json
from dataclasses import replace
from typing import Any

import pytest

from protocol.errors import EvidenceError
from protocol.evidence import LEAF_KINDS, Evidence, Kind, Leaf
from protocol.openings import Opening, check_opening, open_leaf, opening_from_json, opening_to_json
from protocol.trees import NODE_TREE_DEPTH
from tests.protocol.test_evidence import EVIDENCE


@pytest.mark.parametrize("leaf", EVIDENCE.leaves, ids=lambda leaf: f"{leaf.kind.name}-{leaf.position}")
def test_every_leaf_opens_alone_after_the_wire(leaf: Leaf) -> None:
    sent = json.loads(json.dumps(opening_to_json(open_leaf(EVIDENCE, leaf.kind, leaf.position))))
    opening = opening_from_json(sent)
    assert opening.leaf == leaf
    check_opening(EVIDENCE.header, opening)


@pytest.mark.parametrize("kind", Kind)
def test_an_empty_position_opens_as_empty_and_a_taken_one_does_not(kind: Kind) -> None:
    last = (1 << LEAF_KINDS[kind].depth) - 1
    check_opening(EVIDENCE.header, open_leaf(EVIDENCE, kind, last))
    for position in EVIDENCE.by_kind[kind]:
        with pytest.raises(EvidenceError, match=f"{kind.name} leaf {position}"):
            check_opening(EVIDENCE.header, open_leaf(EVIDENCE, kind, position)._replace(values=None))


@pytest.mark.parametrize("leaf", EVIDENCE.leaves, ids=lambda leaf: f"{leaf.kind.name}-{leaf.position}")
def test_one_changed_bit_of_an_opening_is_seen(leaf: Leaf) -> None:
    opening = open_leaf(EVIDENCE, leaf.kind, leaf.position)
    flipped = bytes([opening.siblings[3][0] ^ 1]) + opening.siblings[3][1:]
    siblings = (*opening.siblings[:3], flipped, *opening.siblings[4:])
    for changed in (opening._replace(siblings=siblings), opening._replace(position=opening.position ^ 1)):
        with pytest.raises(EvidenceError, match="leads to"):
            check_opening(EVIDENCE.header, changed)
    with pytest.raises(EvidenceError, match="siblings"):
        check_opening(EVIDENCE.header, opening._replace(siblings=opening.siblings[:-1]))


def test_bases_open_with_sums_that_lead_to_the_total() -> None:
    node = next(iter(EVIDENCE.by_kind[Kind.CONTRIBUTION]))
    opening = open_leaf(EVIDENCE, Kind.CONTRIBUTION, node)
    assert opening.leaf is not None
    assert sum(opening.sums) + opening.leaf.get("basis") == EVIDENCE.header.total_basis
    for sums in ((), (opening.sums[0] + 1, *opening.sums[1:]), ((1 << 256) - 1,) * NODE_TREE_DEPTH):
        with pytest.raises(EvidenceError, match="CONTRIBUTION leaf"):
            check_opening(EVIDENCE.header, opening._replace(sums=sums))
    other = replace(EVIDENCE.header, total_basis=EVIDENCE.header.total_basis + 1)
    with pytest.raises(EvidenceError, match="the header promises"):
        check_opening(other, opening)


def test_what_is_no_opening_is_refused() -> None:
    good = opening_to_json(open_leaf(EVIDENCE, Kind.SCORE, 5))
    wrong: list[dict[str, Any]] = [{"kind": "none"}, {"position": "5"}, {"values": []}, {"siblings": ["0x12"]}, {"sums": None}]
    for change in wrong:
        with pytest.raises(EvidenceError, match="no opening"):
            opening_from_json({**good, **change})
    nothing: list[Any] = [None, [], {}]
    for document in nothing:
        with pytest.raises(EvidenceError):
            opening_from_json(document)
    with pytest.raises(EvidenceError, match="no position"):
        open_leaf(EVIDENCE, Kind.SCORE, 1 << NODE_TREE_DEPTH)


def test_an_access_level_hides_leaves_and_no_roots() -> None:
    hidden = Evidence(EVIDENCE.header, ())
    opening = open_leaf(EVIDENCE, Kind.VERDICT, 5)
    check_opening(hidden.header, opening)
    assert isinstance(opening, Opening)


def test_bases_that_sum_past_2_256_are_no_tree_and_can_be_shown_to_the_chain_all_the_same() -> None:
    whole = EVIDENCE.by_kind[Kind.CONTRIBUTION]
    huge = {node: Leaf(Kind.CONTRIBUTION, node, (*leaf.values[:-1], 1 << 255)) for node, leaf in whole.items()}
    assert len(huge) > 1
    leaves = tuple(huge.get(leaf.position, leaf) if leaf.kind is Kind.CONTRIBUTION else leaf for leaf in EVIDENCE.leaves)
    lie = Evidence(EVIDENCE.header, leaves)
    with pytest.raises(EvidenceError, match=r"past 2\^256"):
        lie.check_roots()
    opening = open_leaf(lie, Kind.CONTRIBUTION, min(huge))
    with pytest.raises(EvidenceError):
        check_opening(EVIDENCE.header, opening)


def test_a_tree_is_hashed_once_however_many_leaves_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = Evidence(EVIDENCE.header, EVIDENCE.leaves)  # nothing of it hashed yet
    for kind in Kind:
        open_leaf(evidence, kind, 0)
    monkeypatch.setattr("protocol.trees.keccak", lambda _: pytest.fail("hashed again"))
    openings = [open_leaf(evidence, kind, position) for kind in Kind for position in (*evidence.by_kind[kind], 77)]
    monkeypatch.undo()
    for opening in openings:
        check_opening(evidence.header, opening)
