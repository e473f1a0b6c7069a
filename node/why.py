"""Why a node got what it got in a round: what it sent, what was decided about it and why, and what that is worth.

Score, tokens and claims are the chain's; verdict and contribution are the aggregator's word, which `node verify` checks. What
an aggregator that does not answer could have told is left open, never guessed.
"""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from ledger.amounts import show_amount
from ledger.client import LedgerClient
from ledger.membership import expelled_for
from ledger.records import ChainRound, NodeRecord, RoundState
from node.errors import NoSuchRound
from node.home import NodeHome
from node.membership import own_node, rejoining, told_expelled
from node.settings import NodeSettings
from node.store import RoundStore
from protocol.api import NodeScore, RoundView
from protocol.client import FederationClient
from protocol.errors import ServiceError
from protocol.requests import RequestSigner
from protocol.roster import RosterEntry
from protocol.shares import SCORE_TOTAL
from protocol.terminal import when
from protocol.verdicts import Reason

_UNIT = 1 << 20
_FULL_WEIGHT = 1 << 16


class Told(NamedTuple):
    """What the aggregator says about the node. The figures are None where there are none.

    `contribution` and `standard_error` are shares of a perfect score on the evaluation data; `weight` is d_i in [0, 1].
    """

    sentence: str
    next_step: str = ""
    verdict: str = ""
    reason: str = ""
    weight: float | None = None
    contribution: float | None = None
    standard_error: float | None = None


@dataclass(frozen=True)
class Why:
    """One round for one participant. `score` and `reward` (base units) are None before the round is proposed, and if Void.

    `sent` is what this directory's record says; `claimable` says when the reward can be claimed, or why there is none.
    """

    round: int
    state: str
    node: int
    sent: str
    told: Told
    score: int | None
    reward: int | None
    claimable: str

    def to_json(self) -> dict[str, Any]:
        """For --json; the reward as a decimal string."""
        found = asdict(self)
        del found["told"]
        return {**found, **self.told._asdict(), "reward": None if self.reward is None else str(self.reward)}

    def rows(self, symbol: str) -> list[tuple[str, str]]:
        """Ten lines for people."""
        told = self.told
        contribution, share = "none", "none"
        if told.contribution is not None and told.standard_error is not None:
            contribution = f"{100 * told.contribution:+.4f} ± {100 * told.standard_error:.4f} percent of a perfect model"
        if self.score is not None:
            share = f"{self.score:,} of {SCORE_TOTAL:,}, which is {100 * self.score / SCORE_TOTAL:.2f} % of the round's tokens"
        return [
            ("round", f"{self.round} is {self.state}"),
            ("sent", self.sent),
            ("verdict", f"{told.verdict}: {told.reason}" if told.verdict else told.reason or "none"),
            ("why", told.sentence),
            ("what to do", told.next_step or "nothing"),
            ("weight", "none" if told.weight is None else f"{100 * told.weight:.2f} % of the update"),
            ("contribution", contribution),
            ("score", share),
            ("tokens", "none" if self.reward is None else f"{show_amount(self.reward)} {symbol}"),
            ("claimable", self.claimable),
        ]


def explain_round(
    home: NodeHome, settings: NodeSettings, ledger: LedgerClient, number: int, signer: RequestSigner | None = None
) -> Why:
    """Find out why. An aggregator that does not answer is part of the answer; it tells the numbers behind a reason of measurement
    to a `signer` that was in the round.

    Raises `NoSuchRound`, `NotJoined`, and what the ledger raises.
    """
    record, last = own_node(home, ledger), ledger.last_round()
    node = record.node
    if not 1 <= number <= last:
        raise NoSuchRound(number, last)
    on_chain = ledger.round(number)
    place = next((entry for entry in ledger.roster(number) if entry.node == node), None)
    try:
        with FederationClient(settings.federation_url, signer=signer) as client:
            told = _told(on_chain, node, place, client)
    except ServiceError as error:
        told = Told(f"The aggregator does not tell ({error}).", "Ask again later.")
    if record.expelled:
        told = _to_the_expelled(told, home, ledger, record, place, number)
    decided = on_chain.state not in (RoundState.OPEN, RoundState.CLOSED, RoundState.VOID)
    return Why(
        round=number,
        state=str(on_chain.state),
        node=node,
        sent=_sent(home, ledger, on_chain),
        told=told,
        score=ledger.score(number, node) if decided else None,
        reward=ledger.reward(number, node) if decided else None,
        claimable=_claimable(home, ledger, on_chain, node),
    )


def _told(on_chain: ChainRound, node: int, place: RosterEntry | None, client: FederationClient) -> Told:
    number = on_chain.round
    if on_chain.state is RoundState.VOID:
        view = client.round(number)
        return Told(view.sentence or "The round ended without an outcome.", view.next_step, reason=view.reason or "")
    if place is None:
        return Told("The node was not eligible when the round opened.", "See `fairshare node status`.")
    if on_chain.state in (RoundState.OPEN, RoundState.CLOSED):
        return Told("The round has no outcome yet.", "Wait until it is proposed.")
    scores = client.scores(number)
    mine = next((found for found in scores.nodes if found.node == node), None)
    if mine is None:
        return Told("No update of this node is in the round.", "Let `fairshare node run` run, and read what it says.")
    per_sample = max(1, scores.denominator * scores.evaluation_samples * _UNIT)
    return Told(
        sentence=_with_figures(mine, place, client.round(number)),
        next_step=mine.next_step,
        verdict=mine.verdict,
        reason=mine.reason,
        weight=mine.weight / _FULL_WEIGHT,
        contribution=mine.contribution / per_sample,
        standard_error=mine.standard_error / per_sample,
    )


def _to_the_expelled(
    told: Told, home: NodeHome, ledger: LedgerClient, record: NodeRecord, place: RosterEntry | None, number: int
) -> Told:
    """What a node that is out hears of the round that it was expelled for, and of those after it."""
    is_after = place is None and number > (expelled_for(ledger, record.node) or 0)
    if is_after:
        told = told._replace(sentence=f"The node was not eligible when the round opened: {told_expelled(ledger, record)}.")
    if is_after or told.reason == Reason.EXPELLABLE.code:
        back = f"to take part again, {rejoining(home.path)}"
        told = told._replace(next_step=f"Get the stake, once it is free, by `fairshare node leave {home.path}`; {back}.")
    return told


def _with_figures(mine: NodeScore, place: RosterEntry, view: RoundView) -> str:
    """The reason's sentence, and the figures behind it that anyone may see."""
    figures = {
        Reason.CLIPPED.code: f"It was scaled to {100 * mine.weight / _FULL_WEIGHT:.2f} % of its length.",
        Reason.TOO_MANY_SAMPLES.code: f"It declared {mine.samples}, the bound is {place.max_samples}.",
        Reason.NO_BODY.code: f"The last moment was {when(view.reveal_deadline)}." if view.reveal_deadline else "",
    }
    return f"{mine.sentence} {figures.get(mine.reason, '')}".rstrip()


def _sent(home: NodeHome, ledger: LedgerClient, on_chain: ChainRound) -> str:
    store = RoundStore(home.store, ledger.domain.separator)
    try:
        record = store.find(on_chain.round)
    finally:
        store.close()
    if record is None or record.update.inputs != on_chain.inputs:
        return "nothing by this directory"
    committed = "committed, receipt here" if record.receipt else "not committed"
    missed = f"; {record.note}" if record.note else ""
    return f"an update from {record.update.samples} samples, body 0x{record.body_hash.hex()[:16]}…; {committed}{missed}"


def _claimable(home: NodeHome, ledger: LedgerClient, on_chain: ChainRound, node: int) -> str:
    match on_chain.state:
        case RoundState.VOID:
            return "never: a Void round pays nobody"
        case RoundState.FINAL if not ledger.reward(on_chain.round, node):
            return "there is nothing to claim"
        case RoundState.FINAL if ledger.claimed(node, on_chain.round):
            return "claimed already"
        case RoundState.FINAL:
            return f"now: fairshare node claim {home.path}"
        case RoundState.PROPOSED:
            return f"from {when(on_chain.deadline)} on, unless it is disputed before"
        case RoundState.DISPUTED:
            return "when the dispute is decided for the round"
    return "after the round is proposed and its window has passed"
