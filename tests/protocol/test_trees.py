import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from protocol.trees import (
    EMPTY_LEAF,
    EMPTY_SUM_LEAF,
    SumNode,
    inner_hash,
    leaf_hash,
    root_from_proof,
    sum_hash,
    sum_root_from_proof,
    sum_tree_proof,
    sum_tree_root,
    tree_proof,
    tree_root,
)
from tests.protocol import by_hand

DEPTH = 5
FEDERATION = by_hand.sha256(b"some federation")

indices = st.integers(0, (1 << DEPTH) - 1)
hashes = st.binary(min_size=32, max_size=32).filter(lambda hashed: hashed != EMPTY_LEAF)
leaf_sets = st.dictionaries(indices, hashes, max_size=6)
sum_leaf_sets = st.dictionaries(indices, st.builds(SumNode, hashes, st.integers(0, 1 << 200)), max_size=6)


@given(leaf_sets, indices)
def test_every_position_has_a_proof_of_its_leaf_or_of_its_emptiness(leaves, index):
    proof = tree_proof(leaves, DEPTH, index)
    assert len(proof) == DEPTH
    assert root_from_proof(leaves.get(index, EMPTY_LEAF), index, proof) == tree_root(leaves, DEPTH)


@given(leaf_sets, indices, hashes)
def test_no_other_leaf_is_proved(leaves, index, other):
    assume(leaves.get(index) != other)
    assert root_from_proof(other, index, tree_proof(leaves, DEPTH, index)) != tree_root(leaves, DEPTH)


@given(leaf_sets.filter(bool), indices, st.data())
def test_a_present_leaf_is_proved_at_no_other_position(leaves, elsewhere, data):
    index = data.draw(st.sampled_from(sorted(leaves)))
    proof = tree_proof(leaves, DEPTH, index)
    # swapping equal neighbours changes nothing, so a position counts as another one only if its leaf is another
    assume(leaves.get(elsewhere) != leaves[index])
    assert root_from_proof(leaves[index], elsewhere, proof) != tree_root(leaves, DEPTH)


@given(leaf_sets.filter(bool), st.integers(0, DEPTH - 1), hashes, st.data())
def test_no_other_sibling_is_accepted(leaves, height, other, data):
    index = data.draw(st.sampled_from(sorted(leaves)))
    proof = list(tree_proof(leaves, DEPTH, index))
    assume(proof[height] != other)
    proof[height] = other
    assert root_from_proof(leaves[index], index, tuple(proof)) != tree_root(leaves, DEPTH)


@given(leaf_sets, leaf_sets)
def test_other_leaves_have_another_root(leaves, others):
    assert (tree_root(leaves, DEPTH) == tree_root(others, DEPTH)) == (leaves == others)


@given(leaf_sets)
def test_the_sparse_root_is_that_of_the_whole_tree(leaves):
    assert tree_root(leaves, DEPTH) == by_hand.subtree(leaves, DEPTH)


@given(sum_leaf_sets)
def test_the_sum_tree_carries_the_sum(leaves):
    assert sum_tree_root(leaves, DEPTH).sum == sum(leaf.sum for leaf in leaves.values())
    assert tuple(sum_tree_root(leaves, DEPTH)) == by_hand.sum_subtree(leaves, DEPTH)


@given(sum_leaf_sets, indices)
def test_sum_proofs_prove_leaf_and_total(leaves, index):
    proof = sum_tree_proof(leaves, index, DEPTH)
    assert sum_root_from_proof(leaves.get(index, EMPTY_SUM_LEAF), index, proof) == sum_tree_root(leaves, DEPTH)


@given(sum_leaf_sets.filter(bool), st.integers(0, DEPTH), st.integers(1, 1 << 100), st.data())
def test_a_moved_sum_changes_the_hash_even_if_the_total_stays(leaves, height, moved, data):
    index = data.draw(st.sampled_from(sorted(leaves)))
    proof = list(sum_tree_proof(leaves, index, DEPTH))
    leaf = leaves[index]._replace(sum=leaves[index].sum + moved)
    if height < DEPTH:
        assume(proof[height].sum >= moved)
        proof[height] = proof[height]._replace(sum=proof[height].sum - moved)
    assert sum_root_from_proof(leaf, index, tuple(proof)).hash != sum_tree_root(leaves, DEPTH).hash


@pytest.mark.parametrize("index", [-1, 1 << DEPTH, 1 << 40])
def test_a_position_outside_the_tree_is_refused(index: int):
    proof = tree_proof({}, DEPTH, 0)
    sums = sum_tree_proof({}, 0, DEPTH)
    for attempt in (
        lambda: tree_root({index: EMPTY_LEAF}, DEPTH),
        lambda: sum_tree_root({index: EMPTY_SUM_LEAF}, DEPTH),
        lambda: tree_proof({}, DEPTH, index),
        lambda: sum_tree_proof({}, index, DEPTH),
        lambda: root_from_proof(EMPTY_LEAF, index, proof),
        lambda: sum_root_from_proof(EMPTY_SUM_LEAF, index, sums),
    ):
        with pytest.raises(ValueError, match="positions 0 to 31"):
            attempt()


def test_leaves_bind_federation_kind_position_and_payload():
    variants = {
        leaf_hash(federation, kind, index, payload)
        for federation in (FEDERATION, bytes(32))
        for kind in (1, 2)
        for index in (0, 1)
        for payload in (b"", b"\x00", b"\x00" * 32)
    }
    assert len(variants) == 2 * 2 * 2 * 3


@given(hashes, hashes)
def test_leaf_inner_and_sum_nodes_never_stand_for_each_other(left, right):
    made = {
        leaf_hash(left, 0, 0, right),
        inner_hash(left, right),
        sum_hash(SumNode(left, 0), SumNode(right, 0)).hash,
    }
    assert len(made) == 3
    assert EMPTY_LEAF not in made


def test_the_largest_tree_of_nodes_is_built_and_proved():
    leaves = {index: by_hand.sha256(index.to_bytes(2, "big")) for index in range(8191)}
    root = tree_root(leaves, 13)
    for index in (0, 4095, 8190):
        assert root_from_proof(leaves[index], index, tree_proof(leaves, 13, index)) == root
    assert root_from_proof(EMPTY_LEAF, 8191, tree_proof(leaves, 13, 8191)) == root
