"""The coordinator: one thread that leads round after round from opening to settlement. While a round waits in its window,
the next one is led already, as far as the federation's `maximum_pending` allows.

It keeps no state that a restart would miss: each turn it asks store and chain where things stand, does the one next step, and
waits for news or for the next look at the chain's clock. Whatever fails is tried again, ever less often; the chain's deadlines
end what cannot be mended.
"""

from collections.abc import Sequence
from dataclasses import replace
from threading import Event

import structlog

from aggregator.errors import AggregatorError, BlobMissing, NotAppointed, RoundForgotten, TermsMissing
from aggregator.service.adoption import adopt
from aggregator.service.context import Context
from aggregator.service.expelling import Expelling
from aggregator.service.phases import Phase
from aggregator.service.records import RoundRecord
from aggregator.service.rollback import Rollbacks
from aggregator.service.steps import Steps
from aggregator.terms import lacking
from ledger.errors import LedgerError
from ledger.event_index import EventIndex
from ledger.records import ChainRound, RoundState
from protocol.inputs import BoundInputs

log = structlog.get_logger()

_EXPECTED = (AggregatorError, LedgerError, OSError)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


class Coordinator:
    """Leads the rounds of one federation. `shards` and `root_set` are what new rounds are bound to.

    `trouble` is a sentence about what keeps failing, None while all goes well.
    """

    def __init__(
        self,
        context: Context,
        steps: Steps,
        expelling: Expelling,
        rollbacks: Rollbacks,
        index: EventIndex,
        shards: tuple[bytes, ...],
        root_set: bytes,
        poll_seconds: float,
    ) -> None:
        self.trouble: str | None = None
        self._notice: str | None = None
        self._context = context
        self._steps = steps
        self._expelling = expelling
        self._rollbacks = rollbacks
        self._index = index
        self._shards = shards
        self._root_set = root_set
        self._poll_seconds = poll_seconds
        self._max_pending = context.ledger.max_pending()
        self._stopping = Event()

    def run(self) -> None:
        """Lead rounds until `stop` is called from another thread."""
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            self._context.news.clear()
            try:
                progressed = self.turn()
            except Exception as error:  # whatever it is, receipts and rewards must go on being served
                if self._stopping.is_set():
                    return
                self._report(error)
                self._stopping.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            pause = _FIRST_PAUSE
            if self.trouble is not None:
                log.info("all goes well again")
                self.trouble = None
            if not progressed:
                self._context.news.wait(self._poll_seconds)

    def stop(self) -> None:
        """Make `run` return after the step that it is in, which is cut short where that is safe."""
        self._stopping.set()
        self._context.news.set()
        self._steps.stop()

    def turn(self) -> bool:
        """Do the one next thing for every round under way, and read what happened on chain; False if only waiting is left.

        Raises what `Steps.take` raises, `BlobMissing` if the next round could not be evaluated here, `NotAppointed` if it is for
        another aggregator to open, and `ChainRefused` if the node gives no logs: which holds up no round but those that nodes
        committed to on chain.
        """
        try:
            progressed = self._lead()
            self._expelling.turn()
            return progressed
        finally:
            while not self._stopping.is_set() and self._index.follow():
                pass
            self._look_ahead()

    def _look_ahead(self) -> None:
        """Tell the operator in time what the terms that are announced will need."""
        context = self._context
        notice = lacking(self._steps.logs.announced(), context.blobs, context.directory)
        if notice not in (None, self._notice):
            log.warning("not ready for the announced terms", why=notice)
        self._notice = notice

    def _lead(self) -> bool:
        self._rollbacks.heal()
        store = self._context.store
        unsettled = store.unsettled()
        for decided in unsettled:
            self._expelling.look_at(decided)
            self._steps.settle(decided)
        under_way = store.undecided()
        # Parents first: with a Void one its children are Void too, and what they were about to do is not to be done.
        progressed = [
            self._bind_again(found) or self._steps.take(found)
            for earlier, found in enumerate(under_way)
            if found.phase is not Phase.OPENING or self._may_follow(under_way[:earlier])
        ]
        if any(progressed):
            return True
        if self._may_follow(under_way):
            last = store.last()
            return self._begin(1 if last is None else last.number + 1) or bool(unsettled)
        return bool(unsettled)

    def _may_follow(self, under_way: Sequence[RoundRecord]) -> bool:
        """Whether the chain lets a round open after these; a rollback may leave one that is to be opened behind too many."""
        return len(under_way) < self._max_pending and all(found.phase is Phase.PROPOSED for found in under_way)

    def _bind_again(self, found: RoundRecord) -> bool:
        """Whether a round that is still to be opened had to be bound anew: what it was to continue is Void by now, or other terms
        are in force.
        """
        ledger = self._context.ledger
        if found.phase is not Phase.OPENING or ledger.round(found.number).state is not RoundState.NONE:
            return False
        bound = self._bound(ledger.tip())
        if all(getattr(bound, what) == getattr(found.bound, what) for what in ("parent", "config_hash", "task_hash")):
            return False
        self._check_blobs(bound)
        self._context.store.bind(found.number, bound)
        return True

    def _begin(self, number: int) -> bool:
        """Bind the next round, or take over one that the chain has already."""
        ledger, store = self._context.ledger, self._context.store
        newest = ledger.last_round()
        if newest < number - 1:
            raise RoundForgotten(number - 1)
        if newest >= number:
            return self._adopt(ledger.round(number))
        if len(ledger.roster(number)) < self._context.config(ledger.config_hash()).rounds.minimum_commits:
            return False
        if (appointed := ledger.aggregator(number)) != (ours := self._context.account.address):
            raise NotAppointed(ours, appointed)
        bound = self._bound(ledger.tip())
        self._check_blobs(bound)
        store.bind(number, bound)
        return True

    def _adopt(self, on_chain: ChainRound) -> bool:
        """Take over a round that the chain has; of another aggregator's only what is left when that one is through with it."""
        ledger = self._context.ledger
        is_ours = ledger.aggregator(on_chain.round) == self._context.account.address
        if not is_ours and on_chain.state in (RoundState.OPEN, RoundState.CLOSED):
            return False
        bound, opening = self._bound(on_chain.parent), ledger.opening(on_chain.round)
        if opening is not None:
            bound = replace(bound, config_hash=opening.config_hash, task_hash=opening.task_hash)
        adopt(self._context, bound, on_chain)
        return True

    def _bound(self, parent: int) -> BoundInputs:
        ledger = self._context.ledger
        before = ledger.round(parent)
        return BoundInputs(
            parent=parent,
            config_hash=ledger.config_hash(),
            task_hash=ledger.task_hash(),
            base_model=before.model_hash,
            parent_evidence=before.evidence_root,
            shards=self._shards,
            root_set=self._root_set,
        )

    def _check_blobs(self, bound: BoundInputs) -> None:
        for what, name in (("config", bound.config_hash), ("task", bound.task_hash)):
            if not self._context.blobs.has(name):
                raise TermsMissing(what, name, self._context.directory)
        needed = [bound.base_model, *bound.shards, bound.root_set]
        if any(bound.parent_evidence):
            needed.append(bound.parent_evidence)
        for name in needed:
            if not self._context.blobs.has(name):
                raise BlobMissing(name)

    def _report(self, error: Exception) -> None:
        sentence = str(error) or type(error).__name__
        if sentence != self.trouble:
            log.error("cannot go on", why=sentence, exc_info=not isinstance(error, _EXPECTED))
        self.trouble = sentence
