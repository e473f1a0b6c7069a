"""The transactions of the court: proofs of faults, and disputes of what must be re-executed. Ready for a `Sender`.

What is opened are leaves and headers of `protocol.evidence`, with the paths of `protocol.trees`.
"""

from collections.abc import Callable, Sequence

from eth_utils.crypto import keccak
from web3 import Web3
from web3.contract import Contract

from ledger.calls import call_of
from ledger.records import Call, Closing
from protocol.abi import encode_fields
from protocol.evidence import Header, Leaf, header_fields
from protocol.trees import SumOpening
from protocol.typed_data import Update

Path = Sequence[bytes]
"""The siblings from a leaf up to its root, as `protocol.trees.tree_proof` gives them."""


class CourtCalls:
    """Calls to a federation's Court. Anyone may send a proof or a dispute; votes are the scorers'.

    `closing` tells what a round was closed over: from the proposal on the ledger has only the seed, and a proof about the
    update tree opens it.
    """

    def __init__(self, court: Contract, closing: Callable[[int], Closing]) -> None:
        self._court = court
        self._closing = closing

    # ---------------------------------------------------------------------------------------------- the update tree

    def prove_double_update(self, first: tuple[Update, bytes], second: tuple[Update, bytes]) -> Call:
        """Prove that a node signed two Updates of one round and inputs; each with its signature."""
        (a, signature_a), (b, signature_b) = first, second
        function = self._court.functions.proveDoubleUpdate(_update(a), signature_a, _update(b), signature_b)
        return call_of(self._court, function, f"prove that node {a.node} signed two updates in round {a.round}")

    def prove_broken_receipt(self, update: Update, signature: bytes, receipt: bytes, slot: bytes, path: Path) -> Call:
        """Prove that the update root has `slot` at a node's place, and not the Update that the aggregator signed a Receipt for.

        An Update of other inputs than the round's is no fault: it was sent in a history of the chain that was rolled back.
        """
        arguments = (_update(update), signature, receipt, slot, list(path), self._closing(update.round).block_hash)
        function = self._court.functions.proveBrokenReceipt(*arguments)
        return call_of(self._court, function, f"prove the broken receipt of node {update.node} in round {update.round}")

    def prove_missing_commit(self, number: int, node: int, slot: bytes, path: Path) -> Call:
        """Prove that the update root has `slot` at a node's place, and not what the node committed to on chain."""
        function = self._court.functions.proveMissingCommit(number, node, slot, list(path), self._closing(number).block_hash)
        return call_of(self._court, function, f"prove that round {number} left out the commitment of node {node}")

    def prove_early_close(self, number: int, node: int, path: Path) -> Call:
        """Prove that a round was closed early with nothing at an eligible node's place."""
        function = self._court.functions.proveEarlyClose(number, node, list(path), self._closing(number).block_hash)
        return call_of(self._court, function, f"prove that round {number} was closed early without node {node}")

    def prove_forged_update(self, number: int, node: int, update: Update, signature: bytes, path: Path) -> Call:
        """Prove that the update root holds an Update that the node's key did not sign for this round."""
        arguments = (number, node, _update(update), signature, list(path), self._closing(number).block_hash)
        function = self._court.functions.proveForgedUpdate(*arguments)
        return call_of(self._court, function, f"prove the forged update of node {node} in round {number}")

    # ------------------------------------------------------------------------------------------------- the evidence

    def prove_wrong_header(self, number: int, header: Header) -> Call:
        """Prove that the header under a round's evidence root contradicts the chain."""
        function = self._court.functions.proveWrongHeader(number, header_fields(header), *self._closing(number))
        return call_of(self._court, function, f"prove the wrong header of round {number}")

    def prove_wrong_basis(self, number: int, header: Header, leaf: Leaf, opening: SumOpening) -> Call:
        """Prove that a CONTRIBUTION leaf's standard error or basis does not follow from its other figures."""
        function = self._court.functions.proveWrongBasis(number, header_fields(header), leaf.values, _opening(opening))
        return call_of(self._court, function, f"prove the wrong basis of node {leaf.position} in round {number}")

    def prove_wrong_score(self, number: int, header: Header, leaf: Leaf, opening: SumOpening) -> Call:
        """Prove that a score on chain is not its CONTRIBUTION leaf's part of the whole."""
        function = self._court.functions.proveWrongScore(number, header_fields(header), leaf.values, _opening(opening))
        return call_of(self._court, function, f"prove the wrong score of node {leaf.position} in round {number}")

    def prove_unfounded_score(self, number: int, header: Header, node: int, opening: SumOpening) -> Call:
        """Prove that a node without a CONTRIBUTION leaf has a score."""
        function = self._court.functions.proveUnfoundedScore(number, header_fields(header), node, _opening(opening))
        return call_of(self._court, function, f"prove the unfounded score of node {node} in round {number}")

    def prove_wrong_total(self, number: int, header: Header, leaf: Leaf, opening: SumOpening) -> Call:
        """Prove that the sum tree does not sum to the header's T on the way to a CONTRIBUTION leaf."""
        function = self._court.functions.proveWrongTotal(number, header_fields(header), leaf.values, _opening(opening))
        return call_of(self._court, function, f"prove the wrong total of round {number}")

    # ----------------------------------------------------------------------------------------------------- disputes

    def dispute(self, number: int, header: Header, leaf: Leaf, path: Path, bond: int) -> Call:
        """Dispute a leaf of any kind but CONTRIBUTION, with `bond` wei."""
        arguments = (number, header_fields(header), int(leaf.kind), leaf.position, leaf.payload(), list(path))
        what = f"dispute the {leaf.kind.name} leaf at position {leaf.position} of round {number}"
        return call_of(self._court, self._court.functions.dispute(*arguments), what, bond)

    def dispute_contribution(self, number: int, header: Header, leaf: Leaf, opening: SumOpening, bond: int) -> Call:
        """Dispute a CONTRIBUTION leaf, with `bond` wei."""
        function = self._court.functions.disputeContribution(number, header_fields(header), leaf.values, _opening(opening))
        return call_of(self._court, function, f"dispute the contribution of node {leaf.position} in round {number}", bond)

    def seal_vote(self, dispute: int, scorer: str, recomputed: bytes, salt: bytes) -> Call:
        """Commit to the payload that a scorer recomputed; `salt` is 32 bytes that nobody can guess. By that scorer."""
        sealed = sealed_vote(dispute, scorer, recomputed, salt)
        return call_of(self._court, self._court.functions.sealVote(dispute, sealed), f"seal a vote in dispute {dispute}")

    def reveal_vote(self, dispute: int, payload: bytes, recomputed: bytes, salt: bytes) -> Call:
        """Reveal a sealed vote: the disputed payload, and the one that the scorer recomputed. By that scorer."""
        function = self._court.functions.revealVote(dispute, payload, recomputed, salt)
        return call_of(self._court, function, f"reveal a vote in dispute {dispute}")

    def decide(self, dispute: int) -> Call:
        """Decide a dispute by the votes revealed."""
        return call_of(self._court, self._court.functions.decide(dispute), f"decide dispute {dispute}")

    def prove_contradiction(self, dispute: int, scorer: str) -> Call:
        """Prove that a scorer attested to a round and then revealed against it."""
        function = self._court.functions.proveContradiction(dispute, Web3.to_checksum_address(scorer))
        return call_of(self._court, function, f"prove that {scorer} contradicted itself in dispute {dispute}")


def sealed_vote(dispute: int, scorer: str, recomputed: bytes, salt: bytes) -> bytes:
    """keccak256(abi.encode(dispute, scorer, recomputed, salt)), as the Court checks it."""
    fields = (("uint256", "dispute"), ("address", "scorer"), ("bytes", "recomputed"), ("bytes32", "salt"))
    return keccak(encode_fields(fields, (dispute, Web3.to_checksum_address(scorer), recomputed, salt)))


def _update(update: Update) -> tuple[int, bytes, int, bytes, bytes, int]:
    return update.round, update.inputs, update.node, update.base_model, update.parameters, update.samples


def _opening(opening: SumOpening) -> tuple[list[int], list[tuple[bytes, int]]]:
    # web3 rebuilds tuples by their class, and a named tuple's does not take a generator.
    return list(opening.sums), [(sibling.hash, sibling.sum) for sibling in opening.siblings]
