"""The court from Python: leaves and trees of `protocol` open on chain, honest rounds cannot be proved, tampered ones can."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from ledger.errors import Reverted
from ledger.records import Call, RoundState
from protocol.evidence import Header, Kind, Leaf, subtree_roots, update_leaf
from protocol.shares import largest_remainder, score_basis
from protocol.trees import LIST_TREE_DEPTH, NODE_TREE_DEPTH, SumNode, sum_tree_opening, tree_proof, tree_root
from protocol.typed_data import Receipt, Update
from tests.support.chain import COIN, ChainT, TestFederation, account

SHARDS, ROOT_SET = (b"\x05" * 32,), b"\x06" * 32
SCORES = (6_000_000, 4_000_000)


def opened(federation: TestFederation[ChainT]) -> tuple[int, dict[int, tuple[Update, bytes]]]:
    """An open round and what its two nodes commit to."""
    for number in range(2):
        federation.join(number)
    federation.send("aggregator", federation.client.open_round(0, SHARDS, ROOT_SET))
    on_chain, base = federation.client.round(1), federation.client.round(0).model_hash
    updates = {}
    for node in range(2):
        update = Update(1, on_chain.inputs, node, base, bytes([node + 1]) * 32, 10)
        updates[node] = (update, update.sign(federation.client.domain, account(f"signer {node}")))
    return 1, updates


def leaves_of(federation: TestFederation[ChainT], updates: Mapping[int, tuple[Update, bytes]]) -> dict[int, bytes]:
    separator = federation.client.domain.separator
    return {node: update_leaf(*signed).hash(separator) for node, signed in updates.items()}


def close(federation: TestFederation[ChainT], number: int, leaves: dict[int, bytes], commits: int = 0) -> None:
    federation.chain.advance(federation.config.rounds.commit_seconds)
    federation.send("aggregator", federation.client.close_round(number, tree_root(leaves, NODE_TREE_DEPTH), commits))


def evidence(federation: TestFederation[ChainT], number: int, update_root: bytes) -> tuple[Header, dict[Kind, dict[int, Leaf]]]:
    """An honest header over two contributions and one utility."""
    separator, attested = federation.client.domain.separator, federation.attestation(number, bytes(32), bytes(32), b"")
    leaves: dict[Kind, dict[int, Leaf]] = {Kind.CONTRIBUTION: {}, Kind.UTILITY: {}}
    for node, value in enumerate((6000, 4000)):
        figures = (node, value, 5, 3, 4, score_basis(value, 5, 0))
        leaves[Kind.CONTRIBUTION][node] = Leaf(Kind.CONTRIBUTION, node, figures)
    leaves[Kind.UTILITY][0] = Leaf(Kind.UTILITY, 0, (b"\x03", 0, 10_000))
    roots, total = subtree_roots(separator, [leaf for kind in leaves.values() for leaf in kind.values()])
    position = list(Kind).index(Kind.UPDATE)
    roots = (*roots[:position], update_root, *roots[position + 1 :])
    on_chain = federation.client.round(number)
    header = Header(
        separator, number, on_chain.inputs, attested.seed, roots, total, 0, 10_000, 0, 1, (16, 64, 1024, 0, 128), bytes(32)
    )
    return header, leaves


def sums(federation: TestFederation[ChainT], leaves: Mapping[int, Leaf]) -> dict[int, SumNode]:
    separator = federation.client.domain.separator
    return {node: SumNode(leaf.hash(separator), leaf.get("basis")) for node, leaf in leaves.items()}


def refused(federation: TestFederation[ChainT], call: Call) -> str:
    with pytest.raises(Reverted) as refusal:
        federation.send("stranger", call)
    return refusal.value.name


def test_a_broken_receipt_costs_the_bond_and_the_round(federation: TestFederation[ChainT]) -> None:
    number, updates = opened(federation)
    client, leaves = federation.client, leaves_of(federation, updates)
    receipts = [Receipt(number, node, leaf).sign(client.domain, account("aggregator")) for node, leaf in leaves.items()]
    kept = {0: leaves[0]}
    close(federation, number, kept)
    honest = client.court.prove_broken_receipt(*updates[0], receipts[0], kept[0], tree_proof(kept, NODE_TREE_DEPTH, 0))
    assert refused(federation, honest) == "NotAFault"
    rolled_back = replace(updates[1][0], inputs=b"\x0f" * 32)
    signature = rolled_back.sign(client.domain, account("signer 1"))
    receipt = Receipt(number, 1, update_leaf(rolled_back, signature).hash(client.domain.separator))
    promised = receipt.sign(client.domain, account("aggregator"))
    path = tree_proof(kept, NODE_TREE_DEPTH, 1)
    other = client.court.prove_broken_receipt(rolled_back, signature, promised, bytes(32), path)
    assert refused(federation, other) == "NotAFault"
    proof = client.court.prove_broken_receipt(*updates[1], receipts[1], bytes(32), path)
    federation.send("stranger", proof)
    assert client.round(number).state is RoundState.VOID
    before = client.coin_balance(account("owner 1").address)
    federation.send("stranger", client.collect(account("owner 1").address))
    assert client.coin_balance(account("owner 1").address) - before == federation.config.stake.aggregator_bond // 2
    assert refused(federation, client.open_round(0, SHARDS, ROOT_SET)) == "NotTheAggregator"
    with pytest.raises(Reverted, match="AggregatorNotBonded"):
        federation.send("aggregator", client.open_round(0, SHARDS, ROOT_SET))


def test_a_commitment_on_chain_is_read_back_and_must_be_closed_over(federation: TestFederation[ChainT]) -> None:
    number, updates = opened(federation)
    client, leaves = federation.client, leaves_of(federation, updates)
    federation.send("stranger", client.commit(*updates[1]))
    assert client.commits(number) == (updates[1],)
    root = tree_root(leaves, NODE_TREE_DEPTH)
    with pytest.raises(Reverted, match="CommitsMissed"):
        federation.send("aggregator", client.close_round(number, root))
    close(federation, number, leaves, commits=1)
    path = tree_proof(leaves, NODE_TREE_DEPTH, 1)
    assert refused(federation, client.court.prove_missing_commit(number, 1, leaves[1], path)) == "NotAFault"


def test_two_updates_of_a_node_cost_its_stake(federation: TestFederation[ChainT]) -> None:
    number, updates = opened(federation)
    client, (update, signature) = federation.client, updates[0]
    other = replace(update, samples=11)
    signed = other.sign(client.domain, account("signer 0"))
    federation.send("stranger", client.court.prove_double_update((update, signature), (other, signed)))
    assert (client.node(0).stake, client.node(0).eligible, client.round(number).state) == (0, False, RoundState.OPEN)


def test_scores_that_do_not_follow_from_the_evidence(federation: TestFederation[ChainT]) -> None:
    number, updates = opened(federation)
    client, leaves = federation.client, leaves_of(federation, updates)
    close(federation, number, leaves)
    header, published = evidence(federation, number, tree_root(leaves, NODE_TREE_DEPTH))
    contributions = published[Kind.CONTRIBUTION]
    assert largest_remainder([leaf.get("basis") for leaf in contributions.values()]) == SCORES
    federation.propose(number, (SCORES[0] + 1, SCORES[1] - 1), evidence_root=header.root())
    tree = sums(federation, contributions)
    honest = [
        client.court.prove_wrong_header(number, header),
        client.court.prove_wrong_basis(number, header, contributions[0], sum_tree_opening(tree, 0)),
        client.court.prove_wrong_total(number, header, contributions[1], sum_tree_opening(tree, 1)),
        client.court.prove_unfounded_score(number, header, 2, sum_tree_opening(tree, 2)),
    ]
    assert [refused(federation, call) for call in honest] == 4 * ["NotAFault"]
    federation.send("stranger", client.court.prove_wrong_score(number, header, contributions[0], sum_tree_opening(tree, 0)))
    assert client.round(number).state is RoundState.VOID


@pytest.mark.parametrize(("recomputed", "state"), [(10_064, RoundState.FINAL), (10_065, RoundState.VOID)])
def test_a_utility_is_disputed(federation: TestFederation[ChainT], recomputed: int, state: RoundState) -> None:
    number, updates = opened(federation)
    client, leaves = federation.client, leaves_of(federation, updates)
    close(federation, number, leaves)
    header, published = evidence(federation, number, tree_root(leaves, NODE_TREE_DEPTH))
    federation.propose(number, SCORES, evidence_root=header.root())
    leaf = published[Kind.UTILITY][0]
    path = tree_proof({0: leaf.hash(client.domain.separator)}, LIST_TREE_DEPTH, 0)
    federation.send("stranger", client.court.dispute(number, header, leaf, path, COIN))
    assert client.round(number).state is RoundState.DISPUTED
    scorer, salt, vote_seconds = account("scorer").address, b"\x11" * 32, federation.config.rounds.vote_seconds
    own = Leaf(Kind.UTILITY, 0, (b"\x03", 0, recomputed)).payload()
    federation.send("scorer", client.court.seal_vote(0, scorer, own, salt))
    federation.chain.advance(vote_seconds)
    federation.send("scorer", client.court.reveal_vote(0, leaf.payload(), own, salt))
    federation.chain.advance(vote_seconds)
    federation.send("stranger", client.court.decide(0))
    federation.chain.advance(vote_seconds)
    assert client.round(number).state is state
    if state is RoundState.VOID:
        federation.send("stranger", client.court.prove_contradiction(0, scorer))
        assert not client.bonded(number + 1)
