"""Following a federation's rounds until stopped.

One look at chain and store decides the one next step, and every step leaves its trace in the store before the next: so
going on after a kill is nothing but looking again. The chain says which round there is and in what state, the aggregator
only what the chain confirms.
"""

import shlex
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from eth_account.signers.local import LocalAccount

from learning.errors import TrainingError
from learning.training import Progress
from ledger.client import LedgerClient
from ledger.errors import ChainRefused, ChainUnavailable
from ledger.records import ChainRound, RoundState
from ledger.wallet import Wallet
from node.enrolment import open_ledger
from node.errors import CommittedElsewhere, NotJoined, SecondUpdate
from node.home import NodeHome
from node.outcome import RoundReport, round_report
from node.participation import Participation, passes_by_itself
from node.patience import Backoff, longest_backoff, poll_seconds, reveal_delay
from node.reporter import Reporter
from node.store import Phase, RoundRecord, RoundStore
from node.terms import Agree, Pair, fetch_announced, in_force
from node.training import Trainer, showing
from node.workplaces import Workplaces
from protocol.client import FederationClient
from protocol.config import RoundsSection
from protocol.errors import ServiceError, ServiceRefused, ServiceUnreachable
from protocol.terminal import when
from protocol.typed_data import Domain

_T = TypeVar("_T")

_SETTLED = frozenset({RoundState.PROPOSED, RoundState.DISPUTED, RoundState.FINAL, RoundState.VOID})


def run(
    path: Path,
    passphrase: str,
    reporter: Reporter,
    *,
    train: Trainer | None = None,
    rounds: int | None = None,
    on_report: Callable[[RoundReport], None] = lambda report: None,
    agree: Agree | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> tuple[RoundReport, ...]:
    """Take part in round after round with the node at `path`, until `rounds` of them were proposed (None: for ever).

    `train` replaces the federation's local training; `on_report` hears of each round as it ends; `agree` asks about terms that
    were not accepted, which otherwise end the run; `pause` waits that many seconds when there is nothing to do. Returns the
    reports of all rounds that ended. At the start an unreachable chain or aggregator is an error, unless a round is under way;
    later it is told once, and tried again until it is back.

    Raises `NotJoined`, `HomeInUse`, `HomeIncomplete`, `TermsNotAccepted`, `AggregatorFault`, `TooMuchData`,
    `SigningKeyMismatch`, and what wallet, ledger, client and the task raise.
    """
    home = NodeHome(path)
    settings = home.settings()
    domain = Domain(settings.chain_id, settings.ledger)
    with ExitStack() as stack:
        stack.enter_context(home.exclusively())
        store = stack.enter_context(closing(RoundStore(home.store, domain.separator)))
        client = stack.enter_context(FederationClient(settings.federation_url))
        backoff = Backoff(longest_backoff(home.rounds()))

        def reached(attempt: Callable[[], _T]) -> _T:
            # With a round under way, going on is worth a wait: after a power cut everything starts at the same time.
            while True:
                try:
                    return attempt()
                except (ChainUnavailable, ServiceUnreachable) as error:
                    if not store.unreported():
                        raise
                    reporter.waiting(f"to go on with the round under way: {error}")
                    pause(backoff.after_failure())

        ledger = reached(lambda: open_ledger(settings))
        owner = Wallet.open(home.owner_key).address
        node = ledger.index_of(owner)
        if node is None:
            raise NotJoined(owner, path)
        account = Wallet.open(home.signing_key).unlock(passphrase)
        reached(client.health)
        workplaces = Workplaces(home, settings, ledger, client, agree)
        terms, workplace = reached(lambda: workplaces.at(*_to_begin_with(workplaces, store)))
        workplace.fits(ledger.node(node).max_samples or len(workplace.data))  # 0: it is leaving, and may finish its round
        reporter.say(
            f"node {node} of {terms.config.federation.name!r}: {len(workplace.data)} samples, "
            f"signing with {account.address}, following {settings.federation_url}"
        )
        trainer = train or showing(lambda progress: _show(reporter, progress))

        def payer() -> LocalAccount:
            return Wallet.open(home.owner_key).unlock(passphrase)

        part = Participation(home, settings, ledger, client, store, account, node, workplaces, trainer, payer)
        return _Runner(part, reporter, terms.config.rounds, ledger.token_symbol(), on_report, pause).follow(rounds)


def _to_begin_with(workplaces: Workplaces, store: RoundStore) -> tuple[Pair, str]:
    """The terms that the first work will be done under: of a round under way, of one that is open, or else those in force."""
    ledger, under_way = workplaces.ledger, store.unreported()
    last = ledger.round(under_way[-1].update.round if under_way else ledger.last_round())
    if last.round and (under_way or last.state is RoundState.OPEN):
        return workplaces.terms_of(last), f"round {last.round}"
    return in_force(ledger), "the federation"


def _show(reporter: Reporter, progress: Progress) -> None:
    reporter.on_step(progress.step, progress.steps, progress.loss)


@dataclass
class _Runner:
    part: Participation
    reporter: Reporter
    rounds: RoundsSection
    symbol: str
    on_report: Callable[[RoundReport], None]
    pause: Callable[[float], None]
    reports: list[RoundReport] = field(default_factory=list)
    left_out: set[int] = field(default_factory=set)  # rounds that this node takes no part in, and has said why
    told: bytes = bytes(32)  # the announcement that was told last

    @property
    def ledger(self) -> LedgerClient:
        return self.part.ledger

    def follow(self, rounds: int | None) -> tuple[RoundReport, ...]:
        backoff, down = Backoff(longest_backoff(self.rounds)), False
        while rounds is None or sum(report.state != "void" for report in self.reports) < rounds:
            try:
                progressed = self._step()
            except (ServiceError, ChainUnavailable, ChainRefused) as error:
                if isinstance(error, ServiceRefused) and not passes_by_itself(error):
                    raise
                if not (down or (isinstance(error, ServiceRefused) and error.status < 500)):
                    self.reporter.say(f"{error}; trying again until it works")
                    down = True
                self.pause(backoff.after_failure())
                continue
            if down:
                self.reporter.say("chain and aggregator answer again")
                down = False
            backoff.reset()
            if not progressed:
                self.pause(poll_seconds(self.rounds))
        return tuple(self.reports)

    def _step(self) -> bool:
        """Do the next thing there is to do; False if there is nothing but waiting."""
        last = self.ledger.last_round()
        for unreported in self.part.store.unreported():
            if self._settle(unreported, last):
                return True
        if last == 0:
            self.reporter.waiting("for the first round")
            return False
        if last in self.left_out:
            self.reporter.waiting(f"for round {last + 1}")
            return False
        current, record = self.ledger.round(last), self.part.store.find(last)
        match current.state, record:
            case RoundState.OPEN, None:
                return self._take_part(current)
            case RoundState.OPEN, RoundRecord(phase=Phase.TRAINED) as trained:
                return self._commit(trained)
            case RoundState.OPEN, RoundRecord(phase=Phase.COMMITTED):
                self.reporter.waiting(f"for round {last} to close")
            case RoundState.CLOSED, RoundRecord(phase=Phase.TRAINED) as trained:
                return self.part.was_committed(trained)
            case RoundState.CLOSED, RoundRecord(phase=Phase.COMMITTED) as committed:
                return self._reveal(committed, current)
            case RoundState.CLOSED, _:
                self.reporter.waiting(f"for the outcome of round {last}")
            case _:
                self.reporter.waiting(f"for round {last + 1}")
        return False

    def _take_part(self, current: ChainRound) -> bool:
        number = current.round
        self._tell_announced()
        if self.part.place(current) is None:
            return self._leave_out(number, "this node is not eligible in it; who joins takes part from the next round on")
        if self.ledger.now() >= current.opened_at + self.ledger.timing().commit:
            return self._leave_out(number, "its time to commit is over")
        data = self.part.workplaces.of_round(current).data
        self.reporter.say(f"round {number} is open: training on {len(data)} samples")
        started = time.monotonic()
        try:
            self.part.train(current)
        except (TrainingError, CommittedElsewhere) as error:
            return self._leave_out(number, str(error))
        self.reporter.say(f"round {number}: trained in {time.monotonic() - started:.1f} s")
        return True

    def _commit(self, record: RoundRecord) -> bool:
        self.part.commit(record)
        kept = self.part.store.find(record.update.round)
        how = "the receipt is checked" if kept and kept.receipt else "on chain, for the aggregator did not take it"
        self._tell(record, Phase.COMMITTED, f"committed, {how}")
        return True

    def _reveal(self, record: RoundRecord, current: ChainRound) -> bool:
        number = record.update.round
        timing = self.ledger.timing()
        seconds_left = current.deadline - timing.propose - timing.grace - self.ledger.now()
        self.pause(reveal_delay(len(self.ledger.roster(number)), seconds_left))
        self.part.reveal(record)
        self._tell(record, Phase.REVEALED, "the body was uploaded")
        return True

    def _tell(self, before: RoundRecord, reached: Phase, sentence: str) -> None:
        number = before.update.round
        after = self.part.store.find(number)
        assert after is not None
        self.reporter.say(f"round {number}: {sentence if after.phase is reached else after.note}")

    def _settle(self, record: RoundRecord, last: int) -> bool:
        """Report a round that has an outcome, once."""
        number = record.update.round
        on_chain = self.ledger.round(number)
        if on_chain.inputs != record.update.inputs:
            # Not the round that we signed for: another history of the chain. Our one signature for this number is spent.
            self.part.store.reported(number)
            return self._leave_out(number, str(SecondUpdate(number)))
        if on_chain.state not in _SETTLED:
            return False
        try:
            report = round_report(on_chain, self.part.node, record.note, self.ledger, self.part.client)
        except ServiceRefused as refused:
            if number == last or refused.status >= 500:
                raise
            # The federation went on: waiting for the aggregator's words would cost the next rounds.
            score, reward = self.ledger.score(number, self.part.node), self.ledger.reward(number, self.part.node)
            why = f"The aggregator tells no more about it ({refused})."
            report = RoundReport(number, str(on_chain.state), why, record.note, score=score, reward=reward)
        self.reporter.say(report.line(self.symbol))
        self.reports.append(report)
        self.on_report(report)
        self.part.store.reported(number)
        self.part.home.body(number).unlink(missing_ok=True)
        return True

    def _tell_announced(self) -> None:
        """Say once, in time, that terms are coming that nobody has accepted here."""
        hashed, _ = self.ledger.announced()
        if hashed == self.told or not any(hashed):
            return
        found = fetch_announced(self.part.client, self.ledger)
        if found is not None and self.part.home.accepted(found.terms.config.sha256(), found.terms.task.sha256()) is None:
            directory, digest = shlex.quote(str(self.part.home.path)), found.terms.digest.hex()
            self.reporter.say(
                f"new terms are announced, which can be enacted from {when(found.enactable_at)} on. Before this node takes part "
                f"in a round under them, read and accept them: fairshare node init {directory} --accept-terms {digest}"
            )
        self.told = hashed

    def _leave_out(self, number: int, why: str) -> bool:
        self.left_out.add(number)
        self.reporter.say(f"round {number} is left out: {why}")
        return True
