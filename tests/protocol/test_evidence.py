import copy
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import EvidenceError, FormatError
from protocol.evidence import LEAF_KINDS, Access, Evidence, Header, Input, Kind, Leaf, LeafClass, subtree_roots, update_leaf
from protocol.evidence_json import evidence_from_json, evidence_to_json, header_from_json
from protocol.trees import NODE_TREE_DEPTH, root_from_proof, tree_proof
from protocol.typed_data import Update
from tests.protocol import story


def frozen(value):
    return tuple(map(frozen, value)) if isinstance(value, list) else value


LEAVES = tuple(Leaf(Kind[kind], at, frozen(values)) for kind, found in story.LEAVES.items() for at, values in found.items())


def evidence_of(leaves: tuple[Leaf, ...]) -> Evidence:
    roots, total = subtree_roots(story.FEDERATION, leaves)
    header = Header(
        federation=story.FEDERATION,
        round=story.ROUND,
        inputs=story.INPUTS,
        seed=story.SEED,
        roots=roots,
        total_basis=total,
        utility_empty=story.UTILITY_EMPTY,
        utility_all=story.UTILITY_ALL,
        z_thousandths=story.Z_THOUSANDTHS,
        denominator=story.DENOMINATOR,
        tolerances=tuple(story.TOLERANCES),
        code_version=story.CODE_VERSION,
    )
    return Evidence(header, leaves)


EVIDENCE = evidence_of(LEAVES)


def served(evidence: Evidence = EVIDENCE) -> dict:
    """The bundle after it has been text on the wire."""
    return json.loads(json.dumps(evidence_to_json(evidence)))


def test_a_bundle_survives_the_wire():
    read = evidence_from_json(served())
    assert read == EVIDENCE
    read.check_roots()
    assert read.header.root() == story.EVIDENCE_ROOT


by_abi_type = {
    "bytes32": st.binary(min_size=32, max_size=32),
    "bytes": st.binary(max_size=70),
    "address": st.just(story.LEDGER),
    "int256[]": st.lists(st.integers(-(1 << 255), (1 << 255) - 1), max_size=3).map(tuple),
    "uint256[]": st.lists(st.integers(0, (1 << 256) - 1), max_size=3).map(tuple),
    **{f"uint{bits}": st.integers(0, (1 << bits) - 1) for bits in (8, 16, 24, 32, 64, 128)},
    **{f"int{bits}": st.integers(-(1 << bits - 1), (1 << bits - 1) - 1) for bits in (64, 128, 256)},
    # the sum tree adds bases in 256 bits
    "uint256": st.integers(0, 1 << 250),
}


@st.composite
def any_leaf(draw):
    kind = draw(st.sampled_from(Kind))
    spec = LEAF_KINDS[kind]
    values = tuple(draw(by_abi_type[abi_type]) for abi_type, _ in spec.fields)
    return Leaf(kind, draw(st.integers(0, (1 << spec.depth) - 1)), values)


leaf_sets = st.lists(any_leaf(), max_size=6, unique_by=lambda leaf: (leaf.kind, leaf.position)).map(tuple)


@given(leaf_sets)
def test_any_leaves_survive_the_wire(leaves):
    read = evidence_from_json(served(evidence_of(leaves)))
    assert read.leaves == leaves
    read.check_roots()


@given(leaf_sets.filter(bool), any_leaf())
def test_no_other_leaves_have_the_roots(leaves, other):
    evidence = evidence_of(leaves)
    for tampered in (leaves[1:], (other, *leaves[1:])):
        if set(tampered) != set(leaves):
            with pytest.raises(EvidenceError, match=r"leaves hash to|two .* leaves at position"):
                Evidence(evidence.header, tampered).check_roots()


@given(st.permutations(LEAVES))
def test_the_order_of_leaves_in_a_bundle_means_nothing(leaves):
    assert subtree_roots(story.FEDERATION, leaves) == (EVIDENCE.header.roots, story.TOTAL_BASIS)


def test_roots_belong_to_one_federation():
    other, _ = subtree_roots(bytes(32), LEAVES)
    assert all(one != two for one, two in zip(EVIDENCE.header.roots, other, strict=True))


def test_two_leaves_at_one_position_are_refused():
    twin = Leaf(Kind.SCORE, 5, (1,))
    with pytest.raises(EvidenceError, match="two SCORE leaves at position 5"):
        subtree_roots(story.FEDERATION, (*LEAVES, twin))
    document = served()
    document["leaves"].append(served(Evidence(EVIDENCE.header, (twin,)))["leaves"][0])
    with pytest.raises(EvidenceError, match="claim the same position"):
        evidence_from_json(document)


@pytest.mark.parametrize("kind", Kind)
def test_a_changed_root_of_any_kind_is_noticed(kind: Kind):
    roots = [bytes(32) if other is kind else root for other, root in zip(Kind, EVIDENCE.header.roots, strict=True)]
    with pytest.raises(EvidenceError, match=f"the {kind.name} leaves hash to"):
        Evidence(replace(EVIDENCE.header, roots=tuple(roots)), LEAVES).check_roots()


def test_a_changed_total_is_noticed():
    header = replace(EVIDENCE.header, total_basis=story.TOTAL_BASIS + 1)
    with pytest.raises(EvidenceError, match="score bases sum to"):
        Evidence(header, LEAVES).check_roots()


@pytest.mark.parametrize(
    "change",
    [
        {"federation": bytes(32)},
        {"round": 8},
        {"inputs": bytes(32)},
        {"seed": bytes(32)},
        {"roots": (bytes(32),) * len(Kind)},
        {"total_basis": 1},
        {"utility_empty": 1},
        {"utility_all": -1},
        {"z_thousandths": 0},
        {"denominator": 7},
        {"tolerances": (16, 64, 1024, 2048, 129)},
        {"code_version": bytes(32)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_of_the_header_is_hashed_and_no_tampered_one_is_read(change: dict):
    header = replace(EVIDENCE.header, **change)
    assert header.root() != EVIDENCE.header.root()
    document = served()
    document["header"] = served(Evidence(header, ()))["header"]
    with pytest.raises(EvidenceError, match=r"the header hashes to .*, the bundle names"):
        evidence_from_json(document)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"round": -1}, "round"),
        ({"round": 1 << 64}, "round"),
        ({"z_thousandths": 1 << 32}, "z_thousandths"),
        ({"utility_all": 1 << 255}, "utility_all"),
        ({"seed": b"short"}, "seed"),
        ({"roots": (bytes(32),) * 10}, "roots"),
    ],
)
def test_a_header_that_does_not_fit_has_no_root(change: dict, said: str):
    with pytest.raises(FormatError, match=f"{said} = "):
        replace(EVIDENCE.header, **change).root()


@pytest.mark.parametrize(
    ("leaf", "said"),
    [
        (Leaf(Kind.SCORE, 0, (1 << 24,)), "score = 16777216 is not a uint24"),
        (Leaf(Kind.MODEL, 0, (b"short",)), "hash = b'short' is not a bytes32"),
        (Leaf(Kind.ROSTER, 0, (story.LEDGER.lower(), 1)), "signer"),
        (Leaf(Kind.STATISTICS, 0, ((0.5,),)), "values"),
    ],
)
def test_a_leaf_that_does_not_fit_has_no_hash(leaf: Leaf, said: str):
    with pytest.raises(FormatError, match=said):
        leaf.hash(story.FEDERATION)


def test_another_version_is_not_read_even_if_it_is_whole():
    header = replace(EVIDENCE.header, version=3)
    assert header.root() != EVIDENCE.header.root()
    with pytest.raises(EvidenceError, match="header, version: published 3"):
        evidence_from_json(served(Evidence(header, LEAVES)))


def edited(path: list, value: object) -> dict:
    document = copy.deepcopy(served())
    *parents, last = path
    place = document
    for step in parents:
        place = place[step]
    if value is KeyError:
        del place[last]
    else:
        place[last] = value
    return document


FIRST = {kind: next(i for i, leaf in enumerate(LEAVES) if leaf.kind is kind) for kind in Kind}


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "evidence",
        {},
        edited(["schema_version"], KeyError),
        edited(["schema_version"], 3),
        edited(["root"], KeyError),
        edited(["root"], "0x"),
        edited(["root"], 5),
        edited(["header"], []),
        edited(["header", "seed"], KeyError),
        edited(["header", "seed"], "0x00"),
        edited(["header", "seed"], "5"),
        edited(["header", "federation"], "0x" + "zz" * 32),
        edited(["header", "round"], "-1"),
        edited(["header", "round"], "7.0"),
        edited(["header", "round"], [7]),
        edited(["header", "roots"], "0x" + "00" * 32),
        edited(["header", "roots", 0], "0x00"),
        edited(["header", "roots"], []),
        edited(["header", "utility_all"], str(1 << 255)),
    ],
)
def test_another_form_is_an_EvidenceError(document):
    with pytest.raises(EvidenceError, match="not an evidence bundle of version 2"):
        evidence_from_json(document)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (edited(["leaves"], None), "no list of leaves"),
        (edited(["leaves"], {}), "no list of leaves"),
        (edited(["leaves", 0], None), "a leaf: "),
        (edited(["leaves", 0], "leaf"), "a leaf: "),
        (edited(["leaves", 0, "kind"], "surprise"), "SURPRISE leaf 0: "),
        (edited(["leaves", 0, "kind"], 1), "1 leaf 0: "),
        (edited(["leaves", 0, "position"], -1), "INPUT leaf -1: "),
        (edited(["leaves", 0, "position"], 1 << 20), "INPUT leaf 1048576: "),
        (edited(["leaves", FIRST[Kind.SCORE], "position"], 1 << 13), "SCORE leaf 8192: "),
        (edited(["leaves", 0, "position"], "0"), "INPUT leaf 0: "),
        (edited(["leaves", 0, "position"], True), "INPUT leaf True: "),
        (edited(["leaves", 0, "position"], 0.0), "INPUT leaf 0.0: "),
        (edited(["leaves", 0, "values"], []), "INPUT leaf 0: "),
        (edited(["leaves", 0, "values"], ["0x00", "0x00"]), "INPUT leaf 0: "),
        (edited(["leaves", 0, "values"], None), "INPUT leaf 0: "),
        (edited(["leaves", FIRST[Kind.MODEL], "values", 0], "0x00"), "MODEL leaf 0: "),
        (edited(["leaves", FIRST[Kind.SCORE], "values", 0], str(1 << 24)), "SCORE leaf 0: "),
        (edited(["leaves", FIRST[Kind.SCORE], "values", 0], "-1"), "SCORE leaf 0: "),
        (edited(["leaves", FIRST[Kind.SCORE], "values", 0], 1.5), "SCORE leaf 0: "),
        (edited(["leaves", FIRST[Kind.ROSTER], "values", 0], story.LEDGER.lower()), "ROSTER leaf "),
        (edited(["leaves", FIRST[Kind.STATISTICS], "values", 0], "1"), "STATISTICS leaf "),
        (edited(["leaves", FIRST[Kind.UTILITY], "values", 0], {"0x": 1}), "UTILITY leaf 0: "),
    ],
)
def test_a_leaf_of_another_form_is_named(document: dict, said: str):
    with pytest.raises(EvidenceError, match=said):
        evidence_from_json(document)
    # The header is whole all the same, and says whose word this is.
    assert header_from_json(document) == EVIDENCE.header


@pytest.mark.parametrize("access", Access)
def test_each_level_sees_its_kinds_and_the_whole_header(access: Access):
    seen = EVIDENCE.visible_to(access)
    assert seen.header == EVIDENCE.header
    assert set(seen.leaves) == {leaf for leaf in LEAVES if LEAF_KINDS[leaf.kind].access <= access}
    assert evidence_from_json(served(seen)) == seen


def test_what_anyone_members_and_scorers_see():
    kinds = [{leaf.kind for leaf in EVIDENCE.visible_to(access).leaves} for access in Access]
    assert kinds[Access.SCORERS] == set(Kind)
    assert kinds[Access.SCORERS] - kinds[Access.MEMBERS] == {Kind.BODY}
    assert kinds[Access.MEMBERS] - kinds[Access.ANYONE] == {Kind.STATISTICS, Kind.UTILITY, Kind.REPUTATION, Kind.ESTIMATE}


def test_what_is_hidden_is_missed_when_all_roots_are_checked():
    with pytest.raises(EvidenceError, match="the BODY leaves"):
        EVIDENCE.visible_to(Access.MEMBERS).check_roots()


def test_leaves_are_found_by_kind_position_and_name():
    assert EVIDENCE.by_kind[Kind.SCORE].keys() == set(story.NODES)
    assert EVIDENCE.by_kind[Kind.CONTRIBUTION][5].get("contribution") == story.CONTRIBUTIONS[5]
    assert EVIDENCE.by_kind[Kind.INPUT][Input.FIRST_SHARD + 1].get("hash") == story.SHARDS[1]
    assert evidence_of(()).by_kind == {kind: {} for kind in Kind}


def test_an_update_leaf_is_in_the_closed_tree():
    values = story.LEAVES["UPDATE"][5]
    leaf = update_leaf(Update(*values[:6]), values[6])
    proof = tree_proof(story.HASHES["UPDATE"], NODE_TREE_DEPTH, 5)
    assert root_from_proof(leaf.hash(story.FEDERATION), 5, proof) == story.UPDATE_ROOT


def test_kinds_are_numbered_and_classed():
    assert {kind.name: kind.value for kind in Kind} == story.KIND_NUMBERS
    toleranced = {kind for kind in Kind if LEAF_KINDS[kind].leaf_class is LeafClass.TOLERANCED}
    assert toleranced == {Kind.STATISTICS, Kind.UTILITY, Kind.ESTIMATE}
