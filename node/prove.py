"""`fairshare node prove`: what a node holds against the aggregator of a round, judged by the chain in one call.

Two promises are about the node's commitment: the aggregator's receipt, which is in this directory alone, and a commitment on
chain. If the tree that the round was closed over has anything else at the node's place, the aggregator loses its bond, half of it
to the node's owner, and the round is Void unless it is Final.
"""

from collections.abc import Callable
from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from ledger.records import Call
from ledger.sender import MemoryJournal, Mined, Sender
from node.errors import NothingToProve
from node.verify import Case
from protocol.evidence import Kind, update_leaf
from protocol.trees import EMPTY_LEAF, NODE_TREE_DEPTH, tree_proof, tree_root


@dataclass(frozen=True)
class BrokenPromise:
    """What the Court calls it, what is wrong, and the call that proves it."""

    name: str
    sentence: str
    proof: Call


def broken_promise(case: Case) -> BrokenPromise:
    """The promise that the round's update tree breaks. Raises `NothingToProve` if it keeps all, or its leaves are not served."""
    number, node, ledger, record = case.on_chain.round, case.node, case.ledger, case.record
    federation = ledger.domain.separator
    leaves = {at: leaf.hash(federation) for at, leaf in case.evidence.by_kind[Kind.UPDATE].items()}
    if tree_root(leaves, NODE_TREE_DEPTH) != case.on_chain.update_root:
        raise NothingToProve(number, "the UPDATE leaves that are served are not those that the round was closed over")
    slot, path = leaves.get(node, EMPTY_LEAF), tree_proof(leaves, NODE_TREE_DEPTH, node)
    found = "another commitment" if any(slot) else "none"
    if any(promised := ledger.commit_of(number, node)):
        if slot != promised:
            proof = ledger.court.prove_missing_commit(number, node, slot, path)
            return BrokenPromise("MissingCommit", f"node {node} committed on chain, the round has {found} of it", proof)
    elif record is not None and record.receipt is not None and record.signature is not None:
        update, signature = record.update, record.signature
        if update.inputs != case.on_chain.inputs:
            raise NothingToProve(number, "the receipt is of a history of the chain that was rolled back, and of no other round")
        if slot != update_leaf(update, signature).hash(federation):
            proof = ledger.court.prove_broken_receipt(update, signature, record.receipt, slot, path)
            return BrokenPromise("BrokenReceipt", f"node {node} has a receipt, the round has {found} of it", proof)
    raise NothingToProve(number, "the round holds what was promised to this node")


def prove(case: Case, broken: BrokenPromise, payer: Callable[[], LocalAccount]) -> Mined:
    """Have the chain judge it. Raises `Reverted`, and what the sender raises."""
    return Sender(case.ledger.web3, payer(), MemoryJournal()).submit(f"prove {case.on_chain.round}", broken.proof)
