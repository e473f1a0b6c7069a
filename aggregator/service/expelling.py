"""The aggregator's part in expelling a node: its own scorer is asked, the others' signatures are kept, a quorum is sent.

It decides nothing: a scorer signs by the evidence or not at all, and the registry counts the signatures.
"""

from collections.abc import Mapping

import structlog
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from aggregator.bundles import read_evidence
from aggregator.errors import AttestationFailed, AttestationRefused, BlobError
from aggregator.mirror.expulsion import in_order
from aggregator.service.attestation import ScorerProcess
from aggregator.service.context import Context
from aggregator.service.database import WRITES
from aggregator.service.journal import key_of
from aggregator.service.phases import Phase
from aggregator.service.records import RoundRecord
from aggregator.service.tables import ExpulsionRow
from ledger.errors import Reverted
from ledger.sender import Sender
from protocol.evidence import Kind
from protocol.typed_data import Expulsion
from protocol.verdicts import Reason

log = structlog.get_logger()


class SqlExpulsions:
    """The signatures in our database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def signatures(self, expulsion: Expulsion) -> Mapping[str, bytes]:
        """The signatures by their signers."""
        of_both = (ExpulsionRow.round == expulsion.round) & (ExpulsionRow.node == expulsion.node)
        with Session(self._engine) as session:
            return {row.signer: row.signature for row in session.scalars(select(ExpulsionRow).where(of_both))}

    def keep(self, expulsion: Expulsion, signer: str, signature: bytes) -> None:
        """Add a signature; it is durable when this returns."""
        row = ExpulsionRow(round=expulsion.round, node=expulsion.node, signer=signer, signature=signature)
        with Session(self._engine.execution_options(**{WRITES: True})) as session, session.begin():
            session.merge(row)

    def all(self) -> tuple[Expulsion, ...]:
        """What there are signatures under, oldest first."""
        query = select(ExpulsionRow.round, ExpulsionRow.node).distinct().order_by(ExpulsionRow.round, ExpulsionRow.node)
        with Session(self._engine) as session:
            return tuple(Expulsion(number, node) for number, node in session.execute(query))


class Expelling:
    """Expels nodes of one federation, as far as scorers sign them out."""

    def __init__(self, context: Context, sender: Sender, scorer: ScorerProcess) -> None:
        self._context = context
        self._sender = sender
        self._scorer = scorer
        self._kept = SqlExpulsions(context.store.engine)
        self._settled: set[Expulsion] = set()

    def look_at(self, decided: RoundRecord) -> None:
        """Have our own scorer look at whom a Final round could expel. That it cannot say holds nothing up: a node that goes on as
        it did is in the next round's evidence, too.
        """
        root = decided.evidence_root
        if decided.phase is not Phase.FINAL or root is None or not self._context.blobs.has(root):
            return
        if self._scorer.address not in self._context.ledger.scorers(decided.number):
            return  # its signature would not count
        try:
            published = read_evidence(root, self._context.blobs)
        except BlobError as error:
            log.warning("nobody is signed out", round=decided.number, why=str(error))
            return
        for node, leaf in published.by_kind[Kind.VERDICT].items():
            expulsion = Expulsion(decided.number, node)
            if leaf.get("reason") != Reason.EXPELLABLE or self._context.ledger.node(node).expelled:
                continue
            try:
                self._kept.keep(expulsion, self._scorer.address, self._scorer.sign_out(expulsion, root))
                log.warning("our scorer signed a node out", round=decided.number, node=node)
            except (AttestationRefused, AttestationFailed) as error:
                log.warning("our scorer signs no node out", round=decided.number, node=node, why=str(error))

    def turn(self) -> None:
        """Send what a quorum has signed. Raises what keeps it from being sent, but not that the registry refuses it."""
        for expulsion in self._kept.all():
            if expulsion not in self._settled:
                self._carry_on(expulsion)

    def _carry_on(self, expulsion: Expulsion) -> None:
        ledger, signatures = self._context.ledger, self._kept.signatures(expulsion)
        needed = ledger.quorum(expulsion.round)
        if len(signatures) < needed:
            return
        if not ledger.node(expulsion.node).expelled:
            call = ledger.expel(expulsion, in_order(signatures)[:needed])
            try:
                mined = self._sender.submit(key_of(f"expel-{expulsion.node}", expulsion.round), call)
                log.warning("node expelled", round=expulsion.round, node=expulsion.node, block=mined.block)
            except Reverted as error:  # somebody else was first, or it came back with a new invitation
                log.warning("not expelled", round=expulsion.round, node=expulsion.node, why=str(error))
        self._settled.add(expulsion)
