"""How a round ended for this node: the verdict from the aggregator, score and reward from the chain."""

from dataclasses import asdict, dataclass
from typing import Any

from ledger.amounts import show_amount
from ledger.client import LedgerClient
from ledger.records import ChainRound, RoundState
from protocol.client import FederationClient

_UNIT = 1 << 20


@dataclass(frozen=True)
class RoundReport:
    """One round for its participant.

    `score` and `reward` (base units) are the chain's; `contribution` and `standard_error` are mean score per evaluation
    sample, for people. `verdict` is "" for a round without one, such as a Void one; `note` adds what did not go as it should.
    """

    round: int
    state: str
    sentence: str
    note: str
    verdict: str = ""
    reason: str = ""
    contribution: float = 0.0
    standard_error: float = 0.0
    score: int = 0
    reward: int = 0

    def line(self, symbol: str) -> str:
        """The round on one line."""
        parts = [f"round {self.round} is {self.state}: {self.verdict or 'not paid'}.", self.sentence]
        if self.verdict:
            parts.append(
                f"Contribution {self.contribution:+.6f} ± {self.standard_error:.6f}, score {self.score}, "
                f"reward {show_amount(self.reward)} {symbol}."
            )
        if self.note:
            parts.append(f"({self.note})")
        return " ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """For --json; the reward as a decimal string."""
        return {**asdict(self), "reward": str(self.reward)}


def round_report(on_chain: ChainRound, node: int, note: str, ledger: LedgerClient, client: FederationClient) -> RoundReport:
    """The report of a round that is proposed or decided.

    Raises `ServiceRefused` while the aggregator has not got that far itself, and what client and ledger raise.
    """
    number, state = on_chain.round, str(on_chain.state)
    if on_chain.state is RoundState.VOID:
        view = client.round(number)
        return RoundReport(number, state, view.sentence or "It ended without an outcome.", note, reason=view.reason or "")
    scores = client.scores(number)
    mine = next((found for found in scores.nodes if found.node == node), None)
    if mine is None:
        return RoundReport(number, state, "No update of this node is in it.", note)
    score, reward = ledger.score(number, node), ledger.reward(number, node)
    if (mine.score, mine.reward) != (score, reward):
        differs = f"the aggregator says score {mine.score} and reward {mine.reward}, but the chain pays what stands here"
        note = f"{note}; {differs}" if note else differs
    per_sample = max(1, scores.denominator * scores.evaluation_samples * _UNIT)
    return RoundReport(
        round=number,
        state=state,
        sentence=mine.sentence,
        note=note,
        verdict=mine.verdict,
        reason=mine.reason,
        contribution=mine.contribution / per_sample,
        standard_error=mine.standard_error / per_sample,
        score=score,
        reward=reward,
    )
