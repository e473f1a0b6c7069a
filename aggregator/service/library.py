"""The aggregator as a mirror: its rounds' evidence and claimed outcomes, and the attestations that it gathers."""

from aggregator.blobs import BlobStore
from aggregator.mirror.claim import Claim
from aggregator.mirror.doubles import Double, Signed, doubles_among
from aggregator.mirror.expulsion import check_subject, signer_of, view_of
from aggregator.refusals import NotYetThere, WrongAttestation
from aggregator.service.context import Context
from aggregator.service.expelling import SqlExpulsions
from aggregator.service.intake import known_round
from aggregator.service.records import RoundRecord
from aggregator.service.second_updates import SqlSecondUpdates
from protocol.api import ExpulsionView
from protocol.evidence import Access
from protocol.typed_data import Expulsion


class ServiceLibrary:
    """A `Library` over store and blobs."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._expulsions = SqlExpulsions(context.store.engine)

    @property
    def blobs(self) -> BlobStore:
        """Everything that rounds depend on."""
        return self._context.blobs

    def evidence_root(self, number: int, access: Access) -> bytes:
        """The root of a round's evidence; before the round is proposed only for scorers, who are to attest it."""
        found = known_round(self._context, number)
        if found.evidence_root is None or (found.final_at is None and access < Access.SCORERS):
            raise NotYetThere(number, "evidence", found.phase.state)
        return found.evidence_root

    def claim(self, number: int) -> Claim:
        """The outcome of a round that was evaluated."""
        found = known_round(self._context, number)
        claim = claim_of(found)
        if claim is None:
            raise NotYetThere(number, "outcome", found.phase.state)
        return claim

    def attestations(self, number: int) -> tuple[bytes, ...]:
        """The signatures so far, ascending by signer."""
        return tuple(kept.signature for kept in self._context.store.attestations(number))

    def take_attestation(self, number: int, signature: bytes) -> None:
        """Keep a scorer's signature under the claim, and wake the coordinator."""
        signer = self.claim(number).attestation.signer(self._context.federation.domain, signature)
        if signer not in self._context.ledger.bonded(number):
            raise WrongAttestation(number, signer)
        self._context.store.attest(number, signer, signature)
        self._context.news.set()

    def expulsion(self, number: int, node: int) -> ExpulsionView:
        """The signatures under a node's expulsion that our scorer made, or that came in."""
        expulsion = self._expulsion(number, node)
        return view_of(self._context.ledger, expulsion, self._expulsions.signatures(expulsion))

    def take_expulsion(self, number: int, node: int, signature: bytes) -> None:
        """Keep a scorer's signature, and wake the coordinator, who sends a quorum."""
        expulsion = self._expulsion(number, node)
        self._expulsions.keep(expulsion, signer_of(self._context.ledger, expulsion, signature), signature)
        self._context.news.set()

    def _expulsion(self, number: int, node: int) -> Expulsion:
        known_round(self._context, number)
        check_subject(self._context.ledger, Expulsion(number, node))
        return Expulsion(number, node)

    def double_updates(self, number: int) -> tuple[Double, ...]:
        """Of the Updates that stand, and of those that came beside them or were overridden on chain."""
        known_round(self._context, number)
        store = self._context.store
        standing = (Signed(kept.update, kept.signature) for kept in store.updates(number))
        others = SqlSecondUpdates(store.engine).of(number)
        return doubles_among((*standing, *others), store.roster(number), self._context.federation.domain)

    def is_public_model(self, name: bytes) -> bool:
        """Whether some round started from this model, or ended with it in public."""
        return name == self._context.federation.genesis_model or self._context.store.is_public_model(name)


def claim_of(found: RoundRecord) -> Claim | None:
    """The outcome that the database has for a round, None before it is evaluated."""
    if found.seed is None or found.evidence_root is None or found.scores is None or found.model_hash is None:
        return None
    return Claim(found.number, found.seed, found.evidence_root, found.scores, found.model_hash)
