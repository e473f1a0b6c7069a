"""Rollbacks of the chain: noticed by the hash of the last block seen, and healed by going back with every round to where the
chain has it now.

Nothing is thrown away. Commitments, bodies and evidence are still good where the chain's new history binds the same inputs and
seed; what is due again on chain is sent under the nonce that it had, so nothing can happen twice. Where the new history is
another one, the chain is believed, as everywhere: the round is evaluated again, or ends Void.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from aggregator.service.context import Context
from aggregator.service.database import WRITES
from aggregator.service.phases import Phase
from aggregator.service.records import RoundRecord
from aggregator.service.tables import AttestationRow, ExpulsionRow, RoundRow, SeenBlockRow, UpdateRow
from ledger.records import BlockRef, ChainRound, RoundState
from protocol.inputs import round_seed

log = structlog.get_logger()

_BEFORE_CLOSE = (Phase.OPENING, Phase.OPEN, Phase.CLOSING, Phase.ABANDONING)
_CLOSED = (Phase.REVEALING, Phase.EVALUATING, Phase.ATTESTING, Phase.PROPOSING, Phase.STALLED)


@dataclass(frozen=True)
class Rollbacks:
    """Watches for rollbacks; `forget` drops whatever was remembered of the old history."""

    context: Context
    forget: Callable[[], None]

    def heal(self) -> bool:
        """Bring the rounds into line with the chain if it was rolled back since the last call; whether it was."""
        seen, latest = self._seen(), self.context.ledger.block()
        if seen == latest:
            return False
        rolled_back = seen is not None and not self.context.ledger.has(seen)
        if rolled_back:
            assert seen is not None
            log.warning("the chain was rolled back", seen=seen.number, latest=latest.number)
            self.forget()
            for found in reversed(self.context.store.rounds()):
                self._rewind(found)
        self._see(latest)
        return rolled_back

    def _rewind(self, found: RoundRecord) -> None:
        on_chain = self.context.ledger.round(found.number)
        if on_chain.state in (RoundState.NONE, RoundState.OPEN):
            self._drop_commits(found.number)
        target = self._target(found, on_chain)
        unpaid = found.phase is Phase.VOID or not found.scores
        if target is None and found.settled and unpaid and not on_chain.released:
            self.context.store.note(found.number, settled=False)
        if target is None:
            return
        log.warning("round goes back", round=found.number, source=found.phase.value, target=target.value)
        with self._writing() as session:
            row = session.get_one(RoundRow, found.number)
            row.phase, row.reason, row.settled, row.final_at = target, None, False, None
            if on_chain.state is not RoundState.NONE:
                row.opened_at = on_chain.opened_at
                row.commit_deadline = on_chain.opened_at + self.context.federation.timing.commit
            if target in _BEFORE_CLOSE:  # another seed will come, and another outcome with it
                row.evidence_root = row.model_hash = row.scores = row.seed = None
                for table in (AttestationRow, ExpulsionRow):
                    session.execute(delete(table).where(table.round == found.number))
            if target is Phase.PROPOSED:
                row.final_at = on_chain.deadline

    def _drop_commits(self, number: int) -> None:
        """Commitments that came by the chain, and so have no receipt, count as far as its new history has them too."""
        with self._writing() as session:
            session.execute(delete(UpdateRow).where(UpdateRow.round == number, UpdateRow.receipt == b""))

    def _target(self, found: RoundRecord, on_chain: ChainRound) -> Phase | None:
        """The phase that a round has to go back to, None if it agrees with the chain or is behind it."""
        phase = found.phase
        match on_chain.state:
            case RoundState.NONE:
                return None if phase is Phase.OPENING else Phase.OPENING
            case RoundState.OPEN:
                moved = found.opened_at != on_chain.opened_at
                return Phase.OPEN if phase not in _BEFORE_CLOSE or (moved and phase is not Phase.OPENING) else None
            case RoundState.CLOSED if phase not in _BEFORE_CLOSE:
                if self._has_seed(found, on_chain):
                    return None if phase in _CLOSED else Phase.PROPOSING
                return Phase.CLOSING
            case RoundState.PROPOSED | RoundState.DISPUTED if phase.decided:
                return Phase.PROPOSED
            case RoundState.VOID if phase is Phase.FINAL:
                return Phase.PROPOSED  # from where it becomes Void like any other
            case _:
                return None

    def _has_seed(self, found: RoundRecord, on_chain: ChainRound) -> bool:
        close_hash = self.context.ledger.block_hash(on_chain.close_block)
        separator = self.context.federation.domain.separator
        return found.seed == round_seed(separator, found.number, on_chain.update_root, close_hash)

    def _seen(self) -> BlockRef | None:
        with Session(self.context.store.engine) as session:
            row = session.scalar(select(SeenBlockRow))
            return None if row is None else BlockRef(row.number, row.hash)

    def _see(self, block: BlockRef) -> None:
        with self._writing() as session:
            session.execute(delete(SeenBlockRow))
            session.add(SeenBlockRow(number=block.number, hash=block.hash))

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        with Session(self.context.store.engine.execution_options(**{WRITES: True})) as session, session.begin():
            yield session
