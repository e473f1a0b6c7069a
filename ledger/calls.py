"""The transactions that change a federation, built and ready for a `Sender`. Who may send each is said in its docstring."""

from collections.abc import Sequence

from web3 import Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction

from ledger.records import Call, Terms
from protocol.inputs import shards_hash
from protocol.typed_data import Expulsion, Invitation, Update


class LedgerCalls:
    """Calls to a federation's RoundLedger and NodeRegistry."""

    def __init__(self, ledger: Contract, registry: Contract) -> None:
        self._ledger = ledger
        self._registry = registry

    # ------------------------------------------------------------------------------------------------ the aggregator

    def open_round(self, parent: int, shards: tuple[bytes, ...], root_set: bytes) -> Call:
        """Open the next round after its `parent`, the last that is not Void; hashes are SHA-256. By an aggregator."""
        return call_of(
            self._ledger, self._ledger.functions.open(parent, shards_hash(shards), root_set), f"open a round after round {parent}"
        )

    def close_round(self, round_number: int, update_root: bytes, commits: int = 0) -> Call:
        """Close an Open round over the tree of its commitments, `commits` of them made on chain. By the round's aggregator."""
        function = self._ledger.functions.close(round_number, update_root, commits)
        return call_of(self._ledger, function, f"close round {round_number}")

    def abandon(self, round_number: int) -> Call:
        """Give up an Open round. By the round's aggregator."""
        return call_of(self._ledger, self._ledger.functions.abandon(round_number), f"abandon round {round_number}")

    # --------------------------------------------------------------------------------------------------------- anyone

    def propose(
        self, round_number: int, evidence_root: bytes, model_hash: bytes, scores: bytes, attestations: Sequence[bytes]
    ) -> Call:
        """Record the outcome of a Closed round, authorised by the scorers' quorum. By anyone.

        `scores` are packed (`protocol.shares.pack_scores`); `attestations` are 65-byte signatures of distinct scorers in
        ascending order of their addresses, as `protocol.typed_data.Attestation.signer` recovers them.
        """
        proposal = (evidence_root, model_hash, scores)
        return call_of(
            self._ledger,
            self._ledger.functions.propose(round_number, proposal, list(attestations)),
            f"propose the outcome of round {round_number}",
        )

    def commit(self, update: Update, signature: bytes) -> Call:
        """Commit to a node's signed Update on chain; overrides what the aggregator gave a receipt for. By anyone."""
        fields = (update.round, update.inputs, update.node, update.base_model, update.parameters, update.samples)
        what = f"commit to the update of node {update.node} in round {update.round}"
        return call_of(self._ledger, self._ledger.functions.commit(fields, signature), what)

    def seal(self, round_number: int) -> Call:
        """Store a Closed round's seed, for a proposal more than 256 blocks after it closed. By anyone."""
        return call_of(self._ledger, self._ledger.functions.seal(round_number), f"seal round {round_number}")

    def release(self, round_number: int) -> Call:
        """Give back what a Void or all-zero round reserved. By anyone."""
        return call_of(
            self._ledger, self._ledger.functions.release(round_number), f"release the reservation of round {round_number}"
        )

    def claim(self, node: int, rounds: Sequence[int]) -> Call:
        """Mint a node's rewards of Final rounds to its payout address. By anyone."""
        listed = ", ".join(map(str, rounds))
        return call_of(
            self._ledger, self._ledger.functions.claim(node, list(rounds)), f"claim the rewards of node {node} in rounds {listed}"
        )

    def expel(self, expulsion: Expulsion, signatures: Sequence[bytes]) -> Call:
        """Expel a node for its reputation in a Final round; `signatures` as in `propose`. By anyone."""
        function = self._registry.functions.expel((expulsion.round, expulsion.node), list(signatures))
        return call_of(self._registry, function, f"expel node {expulsion.node} for round {expulsion.round}")

    def claim_scorer(self, scorer: str, rounds: Sequence[int]) -> Call:
        """Mint a scorer's rewards of Final rounds that it attested to. By anyone."""
        listed = ", ".join(map(str, rounds))
        function = self._ledger.functions.claimScorer(_address(scorer), list(rounds))
        return call_of(self._ledger, function, f"claim the rewards of scorer {scorer} in rounds {listed}")

    def deposit_bond(self, account: str, amount: int) -> Call:
        """Put down what the bond of the aggregator or a scorer lacks, in wei. By anyone."""
        function = self._registry.functions.depositBond(_address(account))
        return call_of(self._registry, function, f"put down the bond of {account}", amount)

    def withdraw_bond(self, account: str) -> Call:
        """Send an aggregator or scorer its bond back, after unbonding. By anyone."""
        function = self._registry.functions.withdrawBond(_address(account))
        return call_of(self._registry, function, f"withdraw the bond of {account}")

    def enact(self, terms: Terms) -> Call:
        """Put announced terms into force for the rounds that open from now on. By anyone, after the admin's delay."""
        return call_of(self._ledger, self._ledger.functions.enact(_terms(terms)), "enact the announced terms")

    def collect(self, account: str) -> Call:
        """Send an account what proofs and disputes left owed to it. By anyone."""
        return call_of(self._registry, self._registry.functions.collect(_address(account)), f"collect what is owed to {account}")

    def withdraw(self, node: int) -> Call:
        """Send the stake of a node that left to its owner, after unbonding. By anyone."""
        return call_of(self._registry, self._registry.functions.withdraw(node), f"withdraw the stake of node {node}")

    # -------------------------------------------------------------------------------------------------- who has a role

    def unbond(self) -> Call:
        """Stop one's bond from counting, from the next round on. By an aggregator or scorer."""
        return call_of(self._registry, self._registry.functions.unbond(), "unbond")

    def announce(self, terms: Terms) -> Call:
        """Announce terms for later rounds, in the place of any others that are announced. By the admin."""
        return call_of(self._ledger, self._ledger.functions.announce(_terms(terms)), "announce new terms")

    def pause(self) -> Call:
        """Stop rounds from opening; all else goes on. By the guardian."""
        return call_of(self._ledger, self._ledger.functions.pause(), "pause the opening of rounds")

    def unpause(self) -> Call:
        """Let rounds open again. By the admin."""
        return call_of(self._ledger, self._ledger.functions.unpause(), "let rounds open again")

    # ----------------------------------------------------------------------------------------------- a node's owner

    def join(self, signing_key: str, payout: str, invitation: Invitation, signature: bytes, stake: int) -> Call:
        """Join with the operator's signed invitation and `stake` wei. By the invited owner."""
        invited = (invitation.owner, invitation.max_samples, invitation.nonce, invitation.deadline)
        function = self._registry.functions.join(_address(signing_key), _address(payout), invited, signature)
        return call_of(self._registry, function, f"join as {invitation.owner}", value=stake)

    def join_open(self, signing_key: str, payout: str, value: int) -> Call:
        """Join an open federation; `value` wei are the stake and the fee, which is burned. By the owner of the node-to-be."""
        function = self._registry.functions.joinOpen(_address(signing_key), _address(payout))
        return call_of(self._registry, function, "join the open federation", value=value)

    def rotate_key(self, new_key: str) -> Call:
        """Replace the signing key from the next round on. By the owner."""
        return call_of(
            self._registry, self._registry.functions.rotateKey(_address(new_key)), f"rotate the signing key to {new_key}"
        )

    def set_payout(self, payout: str) -> Call:
        """Replace the payout address for everything not yet claimed. By the owner."""
        return call_of(
            self._registry, self._registry.functions.setPayout(_address(payout)), f"set the payout address to {payout}"
        )

    def leave(self) -> Call:
        """Leave the federation: not eligible from the next round on. By the owner."""
        return call_of(self._registry, self._registry.functions.leaveFederation(), "leave the federation")


def call_of(contract: Contract, function: ContractFunction, what: str, value: int = 0) -> Call:
    """A call of a contract's function; `what` says for people what it does."""
    data = contract.encode_abi(function.abi_element_identifier, args=function.arguments)
    return Call(str(contract.address), Web3.to_bytes(hexstr=data), value, what)


def _terms(terms: Terms) -> tuple[bytes, bytes, str, list[str]]:
    return terms.config_hash, terms.task_hash, _address(terms.aggregator), [_address(scorer) for scorer in terms.scorers]


def _address(address: str) -> str:
    return Web3.to_checksum_address(address)
