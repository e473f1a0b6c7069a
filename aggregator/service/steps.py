"""One function per phase: looks at the chain, does what is due, and moves the round on.

Every step may be repeated after a crash at any of its lines. What it did on chain is found again under its outbox key, what
it stored is stored under its hash, and the chain's state goes before the database's: a step never sends what has happened.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count

import structlog

from aggregator.errors import AttestationRefused, NotAppointed, RoundForgotten
from aggregator.mirror.claim import Claim
from aggregator.mirror.deadlines import reveal_deadline
from aggregator.service.adoption import adopt
from aggregator.service.attestation import ScorerProcess
from aggregator.service.context import Context
from aggregator.service.events import SqlLogs
from aggregator.service.journal import key_of
from aggregator.service.library import claim_of
from aggregator.service.phases import Phase
from aggregator.service.records import RoundRecord, UpdateRecord
from aggregator.service.voids import VoidReason
from aggregator.service.worker import Order, Worker
from ledger.errors import Reverted
from ledger.event_index import EventIndex
from ledger.records import Call, ChainRound, RoundState
from ledger.sender import Sender
from protocol.evidence import update_leaf
from protocol.inputs import round_seed
from protocol.shares import pack_scores
from protocol.trees import NODE_TREE_DEPTH, tree_root

log = structlog.get_logger()

_WHY_VOID = {
    Phase.OPENING: VoidReason.OPENED_AND_LEFT,
    Phase.OPEN: VoidReason.NOT_CLOSED,
    Phase.CLOSING: VoidReason.NOT_CLOSED,
    Phase.REVEALING: VoidReason.NOT_PROPOSED,
    Phase.EVALUATING: VoidReason.NOT_EVALUATED,
    Phase.ATTESTING: VoidReason.NOT_ATTESTED,
    Phase.PROPOSING: VoidReason.NOT_PROPOSED,
    Phase.PROPOSED: VoidReason.DISPUTED,
}

_PROPOSED = (RoundState.PROPOSED, RoundState.DISPUTED, RoundState.FINAL)


@dataclass(frozen=True)
class Steps:
    """The steps of one federation's rounds."""

    context: Context
    sender: Sender
    worker: Worker
    scorer: ScorerProcess
    index: EventIndex
    logs: SqlLogs

    def take(self, found: RoundRecord) -> bool:
        """Do what is due for an undecided round; False if there is nothing but waiting.

        Raises `RoundForgotten`, `NotAppointed`, `EvaluationFailed`, `AttestationFailed`, and what ledger and blobs raise: to be
        tried again.
        """
        on_chain = self.context.ledger.round(found.number)
        if on_chain.state is RoundState.NONE and found.phase is not Phase.OPENING:
            raise RoundForgotten(found.number)
        if found.phase is Phase.OPENING and on_chain.state in (RoundState.OPEN, RoundState.CLOSED) and not self._is_ours(found):
            return False
        if found.phase is Phase.OPENING and on_chain.state in (RoundState.CLOSED, *_PROPOSED):
            adopt(self.context, found.bound, on_chain)
            return True
        if on_chain.state is RoundState.VOID and found.phase is not Phase.ABANDONING:
            return self._void(found, on_chain)
        if on_chain.state in _PROPOSED and found.phase not in (Phase.PROPOSING, Phase.PROPOSED):
            return self._catch_up(found, on_chain)
        return self._step_of(found.phase)(found, on_chain)

    def settle(self, decided: RoundRecord) -> None:
        """Give back the reservation of a round that pays nobody."""
        if decided.phase is Phase.VOID or not decided.scores:
            on_chain = self.context.ledger.round(decided.number)
            call = self.context.ledger.release(decided.number)
            self._send("release", decided.number, call, due=not on_chain.released)
        self.context.store.note(decided.number, settled=True)

    def stop(self) -> None:
        """Cut short an evaluation or a replay that is running; both are simply repeated."""
        self.worker.stop()
        self.scorer.stop()

    def _step_of(self, phase: Phase) -> Callable[[RoundRecord, ChainRound], bool]:
        return {
            Phase.OPENING: self._open,
            Phase.OPEN: self._collect_commits,
            Phase.CLOSING: self._close,
            Phase.REVEALING: self._collect_bodies,
            Phase.EVALUATING: self._evaluate,
            Phase.ATTESTING: self._attest,
            Phase.PROPOSING: self._propose,
            Phase.PROPOSED: self._await_finality,
            Phase.ABANDONING: self._abandon,
            Phase.STALLED: self._await_void,
        }[phase]

    def _open(self, found: RoundRecord, on_chain: ChainRound) -> bool:
        ledger, number = self.context.ledger, found.number
        bound = found.bound
        call = ledger.open_round(bound.parent, bound.shards, bound.root_set)
        if on_chain.state is RoundState.NONE and not self._is_ours(found):
            raise NotAppointed(self.context.account.address, ledger.aggregator(number))
        self._send("open", number, call, due=on_chain.state is RoundState.NONE)
        on_chain = ledger.round(number)
        if on_chain.inputs != found.inputs and not self._bound_by_new_terms(found, on_chain):
            adopt(self.context, bound, on_chain)
            return True
        deadline = on_chain.opened_at + self.context.federation.timing.commit
        self.context.store.opened(number, on_chain.opened_at, deadline, ledger.roster(number))
        return self._moved(number, Phase.OPEN)

    def _is_ours(self, found: RoundRecord) -> bool:
        """Whether the round is this aggregator's to lead, on chain or as things stand."""
        return self.context.ledger.aggregator(found.number) == self.context.account.address

    def _bound_by_new_terms(self, found: RoundRecord, on_chain: ChainRound) -> bool:
        """Bind a round again for which terms were enacted between our look at the chain and its opening; False if none were."""
        opening = self.context.ledger.opening(found.number)
        if opening is None:
            return False
        bound = replace(found.bound, config_hash=opening.config_hash, task_hash=opening.task_hash)
        if bound.digest() != on_chain.inputs or not all(map(self.context.blobs.has, (bound.config_hash, bound.task_hash))):
            return False
        self.context.store.bind(found.number, bound)
        return True

    def _collect_commits(self, found: RoundRecord, on_chain: ChainRound) -> bool:
        store, number = self.context.store, found.number
        self._take_commits(on_chain)
        if on_chain.state is RoundState.OPEN:
            commits, eligible = len(store.updates(number)), len(store.roster(number))
            minimum = self.context.config(found.bound.config_hash).rounds.minimum_commits
            is_over = found.commit_deadline is not None and self.context.ledger.now() >= found.commit_deadline
            if is_over and commits < minimum:
                why = VoidReason.TOO_FEW_COMMITS.because(f"{commits} of at least {minimum} came.")
                store.move(number, Phase.OPEN, Phase.ABANDONING, reason=why)
                return self._moved(number, Phase.ABANDONING)
            if not is_over and (commits < eligible or commits < minimum):
                return False
        store.close_intake(number, self._update_root)
        return self._moved(number, Phase.CLOSING)

    def _take_commits(self, on_chain: ChainRound) -> int:
        """Keep what nodes committed to on chain, which overrides what they sent here; how many these are."""
        store, number = self.context.store, on_chain.round
        known = {kept.leaf for kept in store.updates(number) if not kept.receipt}
        if len(known) < on_chain.commits and on_chain.state is RoundState.OPEN:
            self.index.catch_up()
            for update, signature in self.logs.commits(number):
                leaf = update_leaf(update, signature).hash(self.context.federation.domain.separator)
                if leaf not in known:
                    store.override(UpdateRecord(update, signature, leaf, b""), self._update_root)
        return sum(not kept.receipt for kept in store.updates(number))

    def _update_root(self, updates: Sequence[UpdateRecord]) -> bytes:
        return tree_root({update.update.node: update.leaf for update in updates}, NODE_TREE_DEPTH)

    def _close(self, found: RoundRecord, on_chain: ChainRound) -> bool:
        ledger, number = self.context.ledger, found.number
        commits = self._take_commits(on_chain)
        found = self.context.store.round(number) or found
        assert found.update_root is not None
        call = ledger.close_round(number, found.update_root, commits)
        self._send("close", number, call, due=on_chain.state is RoundState.OPEN)
        on_chain = ledger.round(number)
        if on_chain.update_root != found.update_root:
            self.context.store.move(number, Phase.CLOSING, Phase.STALLED, reason=VoidReason.ANOTHER_UPDATE_ROOT)
            return self._moved(number, Phase.STALLED)
        federation, close_hash = self.context.federation, ledger.block_hash(on_chain.close_block)
        self.context.store.move(
            number,
            Phase.CLOSING,
            Phase.REVEALING,
            close_block=on_chain.close_block,
            reveal_deadline=reveal_deadline(on_chain, federation.timing),
            seed=round_seed(federation.domain.separator, number, found.update_root, close_hash),
        )
        return self._moved(number, Phase.REVEALING)

    def _collect_bodies(self, found: RoundRecord, on_chain: ChainRound) -> bool:
        assert found.reveal_deadline is not None
        missing = [update.update.node for update in self.context.store.updates(found.number) if not update.revealed]
        # A body that is missing may be on its way from a scorer, whom its node could reach.
        until = found.reveal_deadline + self.context.federation.timing.grace
        if missing and on_chain.state is RoundState.CLOSED and self.context.ledger.now() < until:
            return False
        self.context.store.move(found.number, Phase.REVEALING, Phase.EVALUATING)
        return self._moved(found.number, Phase.EVALUATING, absent=missing)

    def _evaluate(self, found: RoundRecord, on_chain: ChainRound) -> bool:
        store, domain = self.context.store, self.context.federation.domain
        outcome = self.worker.evaluate(Order(domain, found, store.roster(found.number), store.updates(found.number)))
        store.move(
            found.number,
            Phase.EVALUATING,
            Phase.ATTESTING,
            evidence_root=outcome.evidence_root,
            model_hash=outcome.model_hash,
            scores=outcome.scores,
            accuracy=outcome.accuracy,
            base_accuracy=outcome.base_accuracy,
            evaluation_samples=outcome.samples,
        )
        return self._moved(found.number, Phase.ATTESTING, accuracy=round(outcome.accuracy, 4))

    def _attest(self, found: RoundRecord, on_chain: ChainRound) -> bool:
        """Our own scorer first, if it is one of the round's; then the others' signatures come in by the API, and wake us."""
        store, claim = self.context.store, _claimed(found)
        asked = self.scorer.address in self.context.ledger.scorers(found.number)
        if asked and all(kept.signer != self.scorer.address for kept in store.attestations(found.number)):
            try:
                store.attest(found.number, self.scorer.address, self.scorer.attest(claim))
            except AttestationRefused as refused:
                why = VoidReason.ATTESTATION_REFUSED.because(refused.sentence)
                log.error("nothing is proposed", round=found.number, why=why)
                store.move(found.number, Phase.ATTESTING, Phase.STALLED, reason=why)
                return self._moved(found.number, Phase.STALLED)
        gathered, quorum = len(store.attestations(found.number)), self.context.ledger.quorum(found.number)
        if gathered < quorum:
            return False
        store.move(found.number, Phase.ATTESTING, Phase.PROPOSING)
        return self._moved(found.number, Phase.PROPOSING, attestations=gathered)

    def _propose(self, found: RoundRecord, on_chain: ChainRound) -> bool:
        ledger, number, claim = self.context.ledger, found.number, _claimed(found)
        signatures = [kept.signature for kept in self.context.store.attestations(number)]
        call = ledger.propose(number, claim.evidence_root, claim.model_hash, claim.scores, signatures)
        self._send("propose", number, call, due=on_chain.state is RoundState.CLOSED)
        return self._catch_up(found, ledger.round(number))

    def _catch_up(self, found: RoundRecord, on_chain: ChainRound) -> bool:
        """The round was proposed, by us or with our database from before it: what the chain has is its outcome."""
        self.context.store.move(
            found.number,
            found.phase,
            Phase.PROPOSED,
            evidence_root=on_chain.evidence_root,
            model_hash=on_chain.model_hash,
            scores=pack_scores(self.context.ledger.scores(found.number)),
            final_at=on_chain.deadline,
        )
        return self._moved(found.number, Phase.PROPOSED)

    def _await_finality(self, found: RoundRecord, on_chain: ChainRound) -> bool:
        if on_chain.state is not RoundState.FINAL:
            return False
        self.context.store.move(found.number, Phase.PROPOSED, Phase.FINAL)
        return self._moved(found.number, Phase.FINAL)

    def _abandon(self, found: RoundRecord, on_chain: ChainRound) -> bool:
        call = self.context.ledger.abandon(found.number)
        self._send("abandon", found.number, call, due=on_chain.state is RoundState.OPEN)
        return self._void(found, self.context.ledger.round(found.number))

    def _await_void(self, found: RoundRecord, on_chain: ChainRound) -> bool:
        return False

    def _void(self, found: RoundRecord, on_chain: ChainRound) -> bool:
        reason = found.reason or self._why_void(found, on_chain)
        opened_at, timing = on_chain.opened_at, self.context.federation.timing
        self.context.store.move(
            found.number,
            found.phase,
            Phase.VOID,
            reason=reason,
            opened_at=opened_at,
            commit_deadline=opened_at + timing.commit,
        )
        return self._moved(found.number, Phase.VOID, why=reason)

    def _why_void(self, found: RoundRecord, on_chain: ChainRound) -> VoidReason:
        if self.context.ledger.round(on_chain.parent).state is RoundState.VOID:
            return VoidReason.PARENT_VOID
        if any(on_chain.evidence_root) and on_chain.open_disputes == 0:
            return VoidReason.FAULT_PROVED
        return _WHY_VOID[found.phase]

    def _send(self, step: str, number: int, call: Call, due: bool) -> None:
        """Have a transaction mined if it is due; if it is not, find out what became of one that was sent before a crash."""
        if not due and self.sender.recorded(key_of(step, number)) is None:
            return
        for spent in count():
            try:
                mined = self.sender.submit(key_of(step, number, spent), call)
            except Reverted as reverted:
                if not due:
                    return
                if reverted.tx_hash is None:
                    raise
                continue  # it came too early or too late, and has spent its key; estimation says whether it can succeed now
            log.info("mined", step=step, round=number, block=mined.block, gas=mined.gas_used)
            return

    def _moved(self, number: int, phase: Phase, **more: object) -> bool:
        log.info("round moved", round=number, phase=phase.value, **more)
        return True


def _claimed(found: RoundRecord) -> Claim:
    claim = claim_of(found)
    assert claim is not None, f"round {found.number} is {found.phase} without an outcome"
    return claim
