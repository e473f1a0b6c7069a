"""The typed client of a federation's contracts: every question that Python asks the chain is a method here.

What the contracts decide by the clock is asked in the *pending* block: where no block is mined without a transaction, the
latest one may be hours old, and a round that has long been over would still look open. Everything else is asked in the
latest block, so nothing is believed that is not mined.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Self

from web3 import Web3
from web3.contract.contract import ContractFunction
from web3.exceptions import BlockNotFound
from web3.types import BlockIdentifier

from ledger.artifacts import ContractName
from ledger.calls import LedgerCalls
from ledger.connection import connect
from ledger.contracts import contract_at
from ledger.court import CourtCalls
from ledger.errors import BlockMissing, DeploymentMismatch, Reverted
from ledger.events import Event, decode_event, topic_of
from ledger.logs import LogReader
from ledger.records import BlockRef, ChainRound, Closing, NodeRecord, Opening, RoundState, Timing
from ledger.reverts import chain_errors
from protocol.roster import RosterEntry
from protocol.shares import unpack_scores
from protocol.typed_data import Domain, Update


class LedgerClient(LedgerCalls):
    """One federation on one chain, named by the address of its RoundLedger; the other three contracts are found from it.

    Every method raises `ChainUnavailable` if nobody answers. The constructor raises `DeploymentMismatch` unless the code at
    all four addresses is that of the artifacts and they name each other.
    """

    def __init__(self, web3: Web3, ledger: str) -> None:
        self._web3 = web3
        rounds = contract_at(web3, ledger, ContractName.LEDGER)
        self.ledger_address = str(rounds.address)
        self.registry_address = str(self._ask(rounds.functions.registry()))
        self.token_address = str(self._ask(rounds.functions.token()))
        self.court_address = str(self._ask(rounds.functions.court()))
        super().__init__(rounds, contract_at(web3, self.registry_address, ContractName.REGISTRY))
        self._court = contract_at(web3, self.court_address, ContractName.COURT)
        self.court = CourtCalls(self._court, self.closing)
        self._token = contract_at(web3, self.token_address, ContractName.TOKEN)
        for contract, name in (
            (self._registry, ContractName.REGISTRY),
            (self._court, ContractName.COURT),
            (self._token, ContractName.TOKEN),
        ):
            if (named := self._ask(contract.functions.ledger())) != self.ledger_address:
                raise DeploymentMismatch(name, str(contract.address), f"it belongs to the ledger at {named}")
        self.domain = Domain(web3.eth.chain_id, self.ledger_address)
        self.logs = LogReader(web3, (self.ledger_address, self.registry_address, self.court_address))

    @classmethod
    def open(cls, rpc_url: str, chain_id: int, ledger: str) -> Self:
        """Connect and check.

        Raises `ChainUnavailable`, `WrongChain`, `DeploymentMismatch`.
        """
        return cls(connect(rpc_url, chain_id), ledger)

    @property
    def web3(self) -> Web3:
        """The connection, for a `Sender`."""
        return self._web3

    # ------------------------------------------------------------------------------------------------------ the chain

    def now(self) -> int:
        """The chain's clock, in seconds: the time that a transaction sent now would see."""
        with chain_errors("read the clock"):
            return int(self._web3.eth.get_block("pending")["timestamp"])

    def block(self) -> BlockRef:
        """The latest block."""
        with chain_errors("read the latest block"):
            latest = self._web3.eth.get_block("latest")
        return BlockRef(int(latest["number"]), bytes(latest["hash"]))

    def block_hash(self, number: int) -> bytes:
        """The hash of a block; another one than before means that the chain was rolled back.

        Raises `BlockMissing` if the chain has no such block (any more).
        """
        with chain_errors(f"read block {number}"):
            try:
                return bytes(self._web3.eth.get_block(number)["hash"])
            except BlockNotFound as error:
                raise BlockMissing(number) from error

    def has(self, block: BlockRef) -> bool:
        """Whether a block that was seen before is still the chain's; it is not after a rollback behind it."""
        try:
            return self.block_hash(block.number) == block.hash
        except BlockMissing:
            return False

    def coin_balance(self, address: str) -> int:
        """What an account has of the chain's coin, in wei."""
        with chain_errors(f"read the coin of {address}"):
            return int(self._web3.eth.get_balance(Web3.to_checksum_address(address)))

    # ----------------------------------------------------------------------------------------------------- the rounds

    def last_round(self) -> int:
        """The number of the last round opened; 0 when there is only the genesis."""
        return int(self._ask(self._ledger.functions.lastRound()))

    def tip(self) -> int:
        """The number of the last round that is not Void, by the clock now: what the next round continues."""
        return int(self._ask_now(self._ledger.functions.tip()))

    def max_pending(self) -> int:
        """How many rounds may be neither Final nor Void at a time."""
        return int(self._ask(self._ledger.functions.maxPending()))

    def latest_final(self) -> int:
        """The number of the latest Final round, by the clock now."""
        return int(self._ask_now(self._ledger.functions.latestFinal()))

    def round(self, number: int) -> ChainRound:
        """A round, in the state that it has by the clock now; `RoundState.NONE` and zeros if it was never opened."""
        found = self._ask_now(self._ledger.functions.roundOf(number))
        return ChainRound(
            round=number,
            state=RoundState(found.state),
            parent=found.parent,
            ancestor=found.ancestor,
            inputs=found.inputs,
            update_root=self._update_root(number, found),
            seed=found.seed,
            evidence_root=found.evidenceRoot,
            model_hash=found.modelHash,
            opened_at=found.openedAt,
            deadline=found.deadline,
            close_block=found.closeBlock,
            commits=found.commits,
            closed_early=found.closedEarly,
            signers=found.signers,
            window_end=found.windowEnd,
            open_disputes=found.openDisputes,
            released=found.released,
        )

    def commit_of(self, number: int, node: int) -> bytes:
        """The leaf that a node committed to on chain in a round, zero if it did not."""
        return bytes(self._ask(self._ledger.functions.commitOf(number, node)))

    def opening(self, number: int) -> Opening | None:
        """What a round was opened with; terms that were enacted since do not change it.

        Looks backwards through the chain's logs from the round's close; None if they do not go back so far.
        """
        found = self._logged("RoundOpened", number, self.round(number).close_block or self.block().number)
        names = ("configHash", "taskHash", "baseModel", "parentEvidence", "shards", "rootSet")
        return next((Opening(*(bytes(opened.get(name)) for name in names)) for opened in found), None)

    def closing(self, number: int) -> Closing:
        """What the seed of a closed round is made of.

        Raises `BlockMissing` if the chain was rolled back meanwhile.
        """
        found = self._ask(self._ledger.functions.roundOf(number))
        return Closing(self._update_root(number, found), self.block_hash(found.closeBlock))

    def commits(self, number: int) -> tuple[tuple[Update, bytes], ...]:
        """What nodes committed to on chain in a round: each Update and the node's signature of it, by node index.

        Looks backwards through the chain's logs, no further than the last commitment is old.
        """
        found = islice(self._logged("UpdateCommitted", number, self.block().number), self.round(number).commits)
        return tuple(sorted((event.committed() for event in found), key=lambda commit: commit[0].node))

    def scores(self, number: int) -> tuple[int, ...]:
        """The scores of a round by node index, whatever its state; nodes beyond the end scored zero."""
        return unpack_scores(bytes(self._ask(self._ledger.functions.scoresOf(number))))

    def score(self, number: int, node: int) -> int:
        """A node's score in a round, whatever the round's state."""
        return int(self._ask(self._ledger.functions.scoreOf(number, node)))

    def reward(self, number: int, node: int) -> int:
        """What a node's score in a round is worth, in base units, whatever the round's state."""
        return int(self._ask(self._ledger.functions.rewardOf(number, node)))

    def claimed(self, node: int, number: int) -> bool:
        """Whether a node's reward of a round was minted."""
        return bool(self._ask(self._ledger.functions.claimed(node, number)))

    # ------------------------------------------------------------------------------------------------- the federation

    def config_hash(self) -> bytes:
        """SHA-256 of the federation's config, as the next round will be opened with it."""
        return bytes(self._ask(self._ledger.functions.configHash()))

    def task_hash(self) -> bytes:
        """SHA-256 of the task's source, as the next round will be opened with it."""
        return bytes(self._ask(self._ledger.functions.taskHash()))

    def announced(self) -> tuple[bytes, int]:
        """The hash of the terms that are announced, and when they can be enacted; zeros if there are none."""
        hashed, enactable_at = self._ask(self._ledger.functions.announced())
        return bytes(hashed), int(enactable_at)

    def paused(self) -> bool:
        """Whether no round opens."""
        return bool(self._ask(self._ledger.functions.paused()))

    def timing(self) -> Timing:
        """How long each state of a round waits."""
        return Timing(*self._ask(self._ledger.functions.timing()))

    def pool(self) -> int:
        """What the nodes of one round share, in base units."""
        return int(self._ask(self._ledger.functions.pool()))

    def reserved(self) -> int:
        """How much of the token's cap is minted or promised, in base units."""
        return int(self._ask(self._ledger.functions.reserved()))

    def aggregator(self, number: int) -> str:
        """The aggregator of a round; of one not yet open: as things stand."""
        return str(self._ask(self._registry.functions.aggregatorAt(number)))

    def scorers(self, number: int) -> tuple[str, ...]:
        """The scorers of a round, by their index in it; of one not yet open: as things stand."""
        return tuple(self._ask(self._registry.functions.scorersAt(number)))

    def bonded(self, number: int) -> frozenset[str]:
        """The scorers whose bond counts in a round; of one not yet open: as things stand."""
        mask = int(self._ask(self._registry.functions.bondedAt(number)))
        return frozenset(scorer for index, scorer in enumerate(self.scorers(number)) if mask >> index & 1)

    def is_aggregator(self, address: str) -> bool:
        """Whether an account opens, closes and abandons the next round."""
        return self.aggregator(self.last_round() + 1) == Web3.to_checksum_address(address)

    def is_operator(self, address: str) -> bool:
        """Whether an account's invitations count."""
        return self._has_role(self._ask(self._ledger.functions.OPERATOR_ROLE()), address)

    def is_scorer(self, address: str) -> bool:
        """Whether an account is a scorer of the next round, or of the oldest one that is not Final."""
        account = Web3.to_checksum_address(address)
        following = self.last_round() + 1
        return account in self.scorers(following) or account in self.scorers(min(self.latest_final() + 1, following))

    def quorum(self, number: int) -> int:
        """How many scorers must attest to a round, 2f + 1 of 3f + 1; to one not yet open: as things stand."""
        return int(self._ask(self._registry.functions.quorumAt(number)))

    # ------------------------------------------------------------------------------------------------------ the nodes

    def roster(self, number: int) -> tuple[RosterEntry, ...]:
        """Who may take part in a round, by node index; of a round not yet open: as things stand."""
        return tuple(RosterEntry(*entry) for entry in self._ask_now(self._registry.functions.roster(number)))

    def node_count(self) -> int:
        """How many nodes ever joined; their indices are below it."""
        return int(self._ask(self._registry.functions.nodeCount()))

    def node(self, index: int) -> NodeRecord:
        """A node as it stands now.

        Raises `Reverted` (UnknownNode) if there is none with this index.
        """
        found = self._ask_now(self._registry.functions.nodeOf(index))
        return NodeRecord(
            node=index,
            owner=found.owner,
            signer=found.signer,
            payout=found.payout,
            stake=found.stake,
            max_samples=found.maxSamples,
            unbonding_until=found.unbondingUntil,
            eligible=bool(self._ask_now(self._registry.functions.eligible(index, self.last_round() + 1))),
            expelled=bool(found.expelled),
        )

    def nodes(self) -> tuple[NodeRecord, ...]:
        """All nodes that ever joined, by index."""
        return tuple(self.node(index) for index in range(self.node_count()))

    def index_of(self, owner: str) -> int | None:
        """The index of an owner's node, None if it never joined."""
        found = self._ask_unless("NotANode", self._registry.functions.indexOf(Web3.to_checksum_address(owner)))
        return None if found is None else int(found)

    def minimum_stake(self) -> int:
        """The least stake to join with, in wei."""
        return int(self._ask(self._registry.functions.minimumStake()))

    # ------------------------------------------------------------------------------------------------------ the token

    def balance(self, address: str) -> int:
        """An account's tokens, in base units."""
        return int(self._ask(self._token.functions.balanceOf(Web3.to_checksum_address(address))))

    def token_symbol(self) -> str:
        """The token's symbol."""
        return str(self._ask(self._token.functions.symbol()))

    def token_cap(self) -> int:
        """The highest supply there can ever be, in base units."""
        return int(self._ask(self._token.functions.cap()))

    def total_supply(self) -> int:
        """All tokens minted so far, in base units."""
        return int(self._ask(self._token.functions.totalSupply()))

    # --------------------------------------------------------------------------------------------------------- inside

    def _logged(self, event: str, number: int, last: int) -> Iterator[Event]:
        """The events of this name about a round, newest first from block `last` on."""
        return map(decode_event, self.logs.backwards(last, (topic_of(event), number.to_bytes(32, "big"))))

    def _update_root(self, number: int, found: Any) -> bytes:
        """The update root of a round: from the proposal on it stands in the event of the block that closed the round."""
        if found.updateRoot != bytes(32) or found.closeBlock == 0:
            return bytes(found.updateRoot)
        with chain_errors(f"read the update root of round {number}"):
            event, block = self._ledger.events.RoundClosed(), found.closeBlock
            closed = event.get_logs(argument_filters={"round": number}, from_block=block, to_block=block)
        if not closed:
            raise BlockMissing(block)
        return bytes(closed[0]["args"]["updateRoot"])

    def _has_role(self, role: bytes, address: str) -> bool:
        return bool(self._ask(self._ledger.functions.hasRole(role, Web3.to_checksum_address(address))))

    def _ask_unless(self, error: str, function: ContractFunction) -> Any:
        try:
            return self._ask(function)
        except Reverted as reverted:
            if reverted.name != error:
                raise
            return None

    def _ask_now(self, function: ContractFunction) -> Any:
        return self._ask(function, "pending")

    def _ask(self, function: ContractFunction, block: BlockIdentifier = "latest") -> Any:
        with chain_errors(f"read {function.fn_name}"):
            return function.call(block_identifier=block)
