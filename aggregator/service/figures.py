"""What the chain says, in the form of the API's resources. Only what can never change again is remembered between requests."""

from threading import Lock

from aggregator.refusals import UnknownNode
from aggregator.service.events import SqlLogs
from ledger.client import LedgerClient
from ledger.records import NodeRecord, RoundState
from protocol.api import NodeView, RewardsView
from protocol.shares import SCORE_TOTAL


class ChainFigures:
    """Reads nodes and rewards, and from the event index what was slashed.

    Remembers the scores of Final rounds, claims that were made, and owners.

    `seen_block` is the last block that was seen, 0 before the first.
    """

    def __init__(self, ledger: LedgerClient, logs: SqlLogs, pool: int) -> None:
        self.seen_block = 0
        self._ledger = ledger
        self._logs = logs
        self._unit = pool // SCORE_TOTAL
        self._lock = Lock()
        self._final_scores: dict[int, tuple[int, ...]] = {}
        self._void: set[int] = set()
        self._claimed: set[tuple[int, int]] = set()
        self._owners: dict[int, str] = {}

    def forget(self) -> None:
        """What could never change has changed: the chain was rolled back."""
        with self._lock:
            for remembered in (self._final_scores, self._void, self._claimed, self._owners):
                remembered.clear()

    def block(self) -> int:
        """The latest block's number."""
        self.seen_block = self._ledger.block().number
        return self.seen_block

    def index(self, name: str) -> int:
        """The index of a node that is named by its index or by its owner's address. Raises `UnknownNode`."""
        if name.isascii() and name.isdecimal() and len(name) < 10:
            if int(name) < self._ledger.node_count():
                return int(name)
        elif len(name) == 42 and name.startswith("0x"):
            found = self._ledger.index_of(name) if _is_hex(name[2:]) else None
            if found is not None:
                return found
        raise UnknownNode(name)

    def node(self, index: int) -> NodeView:
        """One participant."""
        block = self.block()
        return _node_view(self._ledger.node(index), block)

    def nodes(self) -> list[NodeView]:
        """All participants, by index."""
        block = self.block()
        return [_node_view(node, block) for node in self._ledger.nodes()]

    def owner(self, index: int) -> str:
        """The address of a node's owner, which never changes."""
        if index not in self._owners:
            self._owners[index] = self._ledger.node(index).owner
        return self._owners[index]

    def rewards(self, node: int) -> RewardsView:
        """What a node earned in all rounds, in base units; only Final rounds count as earned."""
        block, last = self.block(), self._ledger.last_round()
        claimed, pending, claimable, pending_until = 0, 0, dict[int, int](), None
        for number in range(1, last + 1):
            state, deadline = self._state(number)
            if state is RoundState.FINAL and (reward := self._reward(number, node, remember=True)):
                if self._was_claimed(node, number):
                    claimed += reward
                else:
                    claimable[number] = reward
            elif state in (RoundState.PROPOSED, RoundState.DISPUTED):
                pending, pending_until = self._reward(number, node, remember=False), deadline
        return RewardsView(
            node=node,
            address=self.owner(node),
            earned=claimed + sum(claimable.values()),
            pending=pending,
            pending_until=pending_until,
            claimable=sum(claimable.values()),
            claimable_rounds=sorted(claimable),
            claimed=claimed,
            slashed=sum(event.get("amount") for event in self._logs.events(name="StakeSlashed", node=node)),
            last_round=last,
            block=block,
        )

    def scores(self, number: int) -> tuple[int, ...]:
        """The scores of a round by node index, as the chain has them; nodes beyond the end scored zero."""
        return self._final_scores.get(number) or self._ledger.scores(number)

    def worth(self, score: int) -> int:
        """The reward of a score in a round that pays, in base units: the ledger's own formula, score · (pool / S)."""
        return score * self._unit

    def _state(self, number: int) -> tuple[RoundState, int | None]:
        if number in self._final_scores:
            return RoundState.FINAL, None
        if number in self._void:
            return RoundState.VOID, None
        found = self._ledger.round(number)
        if found.state is RoundState.VOID:
            with self._lock:
                self._void.add(number)
        return found.state, found.deadline

    def _reward(self, number: int, node: int, remember: bool) -> int:
        scores = self._final_scores.get(number)
        if scores is None:
            scores = self._ledger.scores(number)
            if remember:
                with self._lock:
                    self._final_scores[number] = scores
        return self.worth(scores[node]) if node < len(scores) else 0

    def _was_claimed(self, node: int, number: int) -> bool:
        if (node, number) not in self._claimed and self._ledger.claimed(node, number):
            with self._lock:
                self._claimed.add((node, number))
        return (node, number) in self._claimed


def _is_hex(text: str) -> bool:
    return all(character in "0123456789abcdefABCDEF" for character in text)


def _node_view(node: NodeRecord, block: int) -> NodeView:
    return NodeView(
        node=node.node,
        address=node.owner,
        signer=node.signer,
        payout=node.payout,
        stake=node.stake,
        max_samples=node.max_samples,
        unbonding_until=node.unbonding_until,
        eligible=node.eligible,
        expelled=node.expelled,
        block=block,
    )
