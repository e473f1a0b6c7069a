"""What a node earned, straight from the chain: no word of the aggregator is needed for it."""

from dataclasses import dataclass

from ledger.artifacts import ContractName
from ledger.client import LedgerClient
from ledger.contracts import contract_at
from ledger.records import RoundState
from ledger.reverts import chain_errors


@dataclass(frozen=True)
class RoundReward:
    """A node's part in one round: its score, what that is worth in base units, and whether that was minted."""

    round: int
    state: RoundState
    score: int
    tokens: int
    claimed: bool


@dataclass(frozen=True)
class Rewards:
    """A node's rewards of all rounds, in base units."""

    node: int
    rounds: tuple[RoundReward, ...]

    @property
    def earned(self) -> int:
        """Of all Final rounds, claimed or not."""
        return sum(r.tokens for r in self.rounds if r.state is RoundState.FINAL)

    @property
    def pending(self) -> int:
        """Of proposed rounds, which may yet be undone."""
        return sum(r.tokens for r in self.rounds if r.state in (RoundState.PROPOSED, RoundState.DISPUTED))

    @property
    def claimed(self) -> int:
        """What was minted already."""
        return sum(r.tokens for r in self.rounds if r.claimed)

    @property
    def claimable(self) -> int:
        """What a claim would mint now."""
        return self.earned - self.claimed

    @property
    def claimable_rounds(self) -> tuple[int, ...]:
        """The rounds for `LedgerClient.claim`."""
        return tuple(r.round for r in self.rounds if r.state is RoundState.FINAL and r.tokens and not r.claimed)


def rewards_of(client: LedgerClient, node: int) -> Rewards:
    """Read a node's rewards.

    Raises `Reverted` (UnknownNode) if there is no such node.
    """
    client.node(node)
    return Rewards(node, tuple(_reward(client, node, number) for number in range(1, client.last_round() + 1)))


def _reward(client: LedgerClient, node: int, number: int) -> RoundReward:
    state = client.round(number).state
    score = client.score(number, node)
    # Most rounds of most nodes need no further question.
    tokens = client.reward(number, node) if score else 0
    claimed = client.claimed(node, number) if score and state is RoundState.FINAL else False
    return RoundReward(number, state, score, tokens, claimed)


def scorer_rounds(client: LedgerClient, scorer: str) -> tuple[int, ...]:
    """The Final rounds that pay a scorer for its attestation and are not claimed, ascending. What pays no node pays no scorer."""
    functions, found = contract_at(client.web3, client.ledger_address, ContractName.LEDGER).functions, list[int]()
    with chain_errors("read the scorers' pool"):
        if not functions.scorerPool().call():
            return ()
    for number in range(1, client.last_round() + 1):
        on_chain, scorers = client.round(number), client.scorers(number)
        if on_chain.state is not RoundState.FINAL or scorer not in scorers or not client.scores(number):
            continue
        with chain_errors(f"read the claims of {scorer}"):
            claimed = bool(functions.scorerClaimed(scorer, number).call())
        if on_chain.signers >> scorers.index(scorer) & 1 and not claimed:
            found.append(number)
    return tuple(found)
