"""How rounds and commitments stand in the database: rows made of records, and records of rows."""

from dataclasses import asdict

from aggregator.service.phases import Phase
from aggregator.service.records import RoundRecord, UpdateRecord
from aggregator.service.tables import RosterRow, RoundRow, SecondUpdateRow, UpdateRow
from protocol.inputs import BoundInputs
from protocol.roster import RosterEntry
from protocol.typed_data import Update


def bound_row(number: int, phase: Phase, bound: BoundInputs, inputs: bytes) -> RoundRow:
    """A round with its inputs, which has not opened yet."""
    return RoundRow(
        number=number,
        phase=phase,
        parent=bound.parent,
        config_hash=bound.config_hash,
        task_hash=bound.task_hash,
        base_model=bound.base_model,
        parent_evidence=bound.parent_evidence,
        shards=b"".join(bound.shards),
        root_set=bound.root_set,
        inputs=inputs,
        settled=False,
    )


def roster_row(number: int, entry: RosterEntry) -> RosterRow:
    """Somebody who may take part in a round."""
    return RosterRow(round=number, node=entry.node, signer=entry.signer, max_samples=entry.max_samples)


def round_record(row: RoundRow) -> RoundRecord:
    """The round of a row."""
    shards = tuple(row.shards[at : at + 32] for at in range(0, len(row.shards), 32))
    return RoundRecord(
        number=row.number,
        phase=Phase(row.phase),
        bound=BoundInputs(row.parent, row.config_hash, row.task_hash, row.base_model, row.parent_evidence, shards, row.root_set),
        inputs=row.inputs,
        opened_at=row.opened_at,
        commit_deadline=row.commit_deadline,
        update_root=row.update_root,
        close_block=row.close_block,
        reveal_deadline=row.reveal_deadline,
        seed=row.seed,
        evidence_root=row.evidence_root,
        model_hash=row.model_hash,
        scores=row.scores,
        accuracy=row.accuracy,
        base_accuracy=row.base_accuracy,
        evaluation_samples=row.evaluation_samples,
        final_at=row.final_at,
        reason=row.reason,
        settled=row.settled,
    )


def update_row(record: UpdateRecord) -> UpdateRow:
    """A commitment, with its body once that is here."""
    return UpdateRow(
        **asdict(record.update),
        signature=record.signature,
        leaf=record.leaf,
        receipt=record.receipt,
        salt=record.salt,
        body_hash=record.body_hash,
    )


def update_record(row: UpdateRow) -> UpdateRecord:
    """The commitment of a row."""
    return UpdateRecord(signed_update(row), row.signature, row.leaf, row.receipt, row.salt, row.body_hash)


def signed_update(row: UpdateRow | SecondUpdateRow) -> Update:
    """What was signed: of a commitment that stands, or of one beside it."""
    return Update(row.round, row.inputs, row.node, row.base_model, row.parameters, row.samples)
