"""What the database and the evidence say, in the form of the API's resources."""

from collections.abc import Callable

from aggregator.errors import BlobMissing, TermsMissing
from aggregator.evaluation.gate.explanation import explain
from aggregator.mirror.library import EvidenceReader
from aggregator.refusals import NotYetThere, UnknownTerms
from aggregator.service.context import Context
from aggregator.service.events import Position, SqlLogs, event_view
from aggregator.service.figures import ChainFigures
from aggregator.service.intake import known_round
from aggregator.service.journal import SqlJournal
from aggregator.service.phases import Phase
from aggregator.service.records import Counts, RoundRecord
from aggregator.service.totals import in_total, round_contribution
from aggregator.service.voids import told
from aggregator.terms import lacking
from ledger.records import Announcement
from protocol.api import (
    ConfigView,
    ContributionsView,
    EventsView,
    FederationView,
    Health,
    NodeScore,
    RoundContribution,
    RoundView,
    ScoresView,
    TaskView,
    TermsView,
    UploadView,
)
from protocol.evidence import Access, Evidence, Input, Kind
from protocol.verdicts import Reason, Verdict
from protocol.version import VERSION


class Views:
    """Answers of the API, all of them reads. `trouble` says what the coordinator keeps failing at; `scorers` are their URLs."""

    def __init__(
        self, context: Context, journal: SqlJournal, trouble: Callable[[], str | None], scorers: tuple[str, ...] = ()
    ) -> None:
        self.context = context
        self.logs = SqlLogs(context.store.engine)
        self.figures = ChainFigures(context.ledger, self.logs, context.federation.pool)
        self._journal = journal
        self._trouble = trouble
        self._scorers = scorers
        self._evidence = EvidenceReader(context.blobs)
        self._contributed: dict[tuple[int, int], RoundContribution] = {}  # by round and node, of Final rounds

    def health(self) -> Health:
        """Whether the service is up; that it answers at all says so, `status` says what it has trouble with."""
        trouble = self._trouble() or lacking(self.logs.announced(), self.context.blobs, self.context.directory)
        try:
            self.figures.block()
        except Exception as error:  # a probe must be answered whatever the chain does
            trouble = str(error)
        return Health(status=trouble or "ok", version=VERSION, block=self.figures.seen_block)

    def federation(self) -> FederationView:
        """What the federation is, as the chain has it."""
        fixed, ledger, announced = self.context.federation, self.context.ledger, self.logs.announced()
        block, config_hash = self.figures.block(), ledger.config_hash()
        return FederationView(
            name=self.context.config(config_hash).federation.name,
            chain_id=fixed.domain.chain_id,
            ledger=fixed.domain.ledger,
            registry=ledger.registry_address,
            token=ledger.token_address,
            token_symbol=fixed.token_symbol,
            pool=fixed.pool,
            config_hash=config_hash,
            task_hash=ledger.task_hash(),
            announced=None if announced is None else _terms_view(announced),
            last_round=ledger.last_round(),
            latest_final=ledger.latest_final(),
            node_count=ledger.node_count(),
            scorer_urls=list(self._scorers),
            block=block,
        )

    def config(self, name: bytes | None) -> ConfigView:
        """The text of the config with this hash, by default of the one in force. Raises `UnknownTerms`, `TermsMissing`."""
        return ConfigView(toml=self._of_terms("config", name or self.context.ledger.config_hash()).decode())

    def task(self, name: bytes | None) -> TaskView:
        """The source of the task with this hash, by default of the one in force. Raises `UnknownTerms`, `TermsMissing`."""
        return TaskView.model_validate_json(self._of_terms("task", name or self.context.ledger.task_hash()))

    def rounds(self) -> list[RoundView]:
        """All rounds that have opened, newest first."""
        block, counts, gas = self.figures.block(), self.context.store.counts(), self._journal.gas()
        return [
            self._round(found, counts.get(found.number), gas.get(found.number, 0), block)
            for found in self.context.store.rounds()
            if found.phase is not Phase.OPENING
        ]

    def round(self, number: int) -> RoundView:
        """One round. Raises `UnknownRound`."""
        found, block = known_round(self.context, number), self.figures.block()
        return self._round(found, self.context.store.counts().get(number), self._journal.gas().get(number, 0), block)

    def scores(self, number: int, access: Access) -> ScoresView:
        """What every node of a round did and earned: verdicts from the evidence, scores from the chain. Members are also told
        the numbers behind a reason, which are statistics.

        Raises `UnknownRound`, `NotYetThere`.
        """
        found, block = known_round(self.context, number), self.figures.block()
        evidence, on_chain = self._evidence_of(found, "scores"), self.figures.scores(number)
        return ScoresView(
            round=number,
            state=found.phase.state,
            denominator=evidence.header.denominator,
            utility_empty=evidence.header.utility_empty,
            utility_all=evidence.header.utility_all,
            evaluation_samples=found.evaluation_samples or 0,
            nodes=[
                self._node_score(evidence, access, node, on_chain[node] if node < len(on_chain) else 0, found.phase)
                for node in sorted(evidence.by_kind[Kind.VERDICT])
            ],
            block=block,
        )

    def contributions(self, node: int) -> ContributionsView:
        """What a node contributed to every round that was proposed, newest first, and in total."""
        block = self.figures.block()
        found = [one for one in self.context.store.rounds() if one.final_at is not None and one.evidence_root is not None]
        return in_total(node, self.figures.owner(node), [self._contribution(one, node) for one in found], block)

    def events(self, after: Position, limit: int, **wanted: str | int | None) -> EventsView:
        """Events of the contracts after a position, in the order of the chain."""
        cursor, found = self.logs.cursor(), self.logs.events(after, limit, **wanted)
        last = Position(found[-1].log.block.number, found[-1].log.position) if found else after
        return EventsView(events=[event_view(event) for event in found], next=str(last), block=cursor.number if cursor else 0)

    def upload(self, number: int, node: int) -> UploadView:
        """What is here of a node's update in a round. Raises `UnknownRound`."""
        known_round(self.context, number)
        kept = self.context.store.update(number, node)
        return UploadView(round=number, node=node, committed=kept is not None, revealed=kept is not None and kept.revealed)

    def _round(self, found: RoundRecord, counts: Counts | None, gas: int, block: int) -> RoundView:
        assert found.opened_at is not None
        assert found.commit_deadline is not None
        is_public = found.final_at is not None
        code, sentence, next_step = told(found.reason) if found.reason else (None, "", "")
        return RoundView(
            round=found.number,
            state=found.phase.state,
            parent=found.bound.parent,
            inputs=found.inputs,
            base_model=found.bound.base_model,
            parent_evidence=found.bound.parent_evidence,
            shards=list(found.bound.shards),
            root_set=found.bound.root_set,
            opened_at=found.opened_at,
            commit_deadline=found.commit_deadline,
            reveal_deadline=found.reveal_deadline,
            final_at=found.final_at,
            update_root=found.update_root,
            seed=found.seed,
            evidence_root=found.evidence_root if is_public else None,
            model=found.model_hash if is_public else None,
            commits=0 if counts is None else counts.commits,
            bodies=0 if counts is None else counts.bodies,
            accuracy=found.accuracy if is_public else None,
            base_accuracy=found.base_accuracy if is_public else None,
            gas=gas,
            minted=self.context.federation.pool if found.phase is Phase.FINAL and found.scores else 0,
            reason=code,
            sentence=sentence,
            next_step=next_step,
            block=block,
        )

    def _node_score(self, evidence: Evidence, access: Access, node: int, score: int, phase: Phase) -> NodeScore:
        leaves = evidence.by_kind
        verdict, reason = Verdict(leaves[Kind.VERDICT][node].get("verdict")), Reason(leaves[Kind.VERDICT][node].get("reason"))
        contribution = leaves[Kind.CONTRIBUTION].get(node)
        return NodeScore(
            node=node,
            address=self.figures.owner(node),
            samples=leaves[Kind.UPDATE][node].get("samples"),
            verdict=verdict.word,
            reason=reason.code,
            sentence=self._explained(evidence.visible_to(access), node, reason),
            next_step=reason.next_step,
            weight=leaves[Kind.VERDICT][node].get("weight"),
            contribution=0 if contribution is None else contribution.get("contribution"),
            standard_error=0 if contribution is None else contribution.get("standard_error"),
            sampling_error=0 if contribution is None else contribution.get("sampling_error"),
            estimation_error=0 if contribution is None else contribution.get("estimation_error"),
            score=score,
            reward=0 if phase is Phase.VOID else self.figures.worth(score),
        )

    def _explained(self, evidence: Evidence, node: int, reason: Reason) -> str:
        statistics, reputation = (evidence.by_kind[kind].get(node) for kind in (Kind.STATISTICS, Kind.REPUTATION))
        if statistics is None or reputation is None:
            return reason.sentence
        config = self.context.config(evidence.by_kind[Kind.INPUT][Input.CONFIG].get("hash"))
        return explain(reason, statistics.get("values"), reputation.get("reputation"), config.gate)

    def _of_terms(self, what: str, name: bytes) -> bytes:
        """A file of terms in force, announced, or of an earlier round; others lie here that are not for everybody."""
        ledger, announced = self.context.ledger, self.logs.announced()
        known = name in (ledger.config_hash(), ledger.task_hash()) or self.context.store.had_terms(name)
        if not known and (announced is None or name not in announced.terms[:2]):
            raise UnknownTerms(name)
        try:
            return self.context.blobs.get(name)
        except BlobMissing:
            raise TermsMissing(what, name, self.context.directory) from None

    def _contribution(self, found: RoundRecord, node: int) -> RoundContribution:
        key = found.number, node
        if key in self._contributed:
            return self._contributed[key]
        assert found.evidence_root is not None
        contribution = round_contribution(found, self._evidence.read(found.evidence_root), node)
        if found.phase is Phase.FINAL:
            self._contributed[key] = contribution
        return contribution

    def _evidence_of(self, found: RoundRecord, what: str) -> Evidence:
        if found.final_at is None or found.evidence_root is None:
            raise NotYetThere(found.number, what, found.phase.state)
        return self._evidence.read(found.evidence_root)


def _terms_view(announced: Announcement) -> TermsView:
    terms = announced.terms
    return TermsView(
        config_hash=terms.config_hash,
        task_hash=terms.task_hash,
        aggregator=terms.aggregator,
        scorers=list(terms.scorers),
        enactable_at=announced.enactable_at,
    )
