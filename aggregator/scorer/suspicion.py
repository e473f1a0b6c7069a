"""Whether the evidence of a round justifies expelling a node: the rule by which a scorer signs, and nothing else makes it sign.

The round is Final, its published reason is `expellable`, and the round did not lower the suspicion that the node came in with: a
node that was expelled, came back with a new invitation and sends usual updates is not signed out again for what it did before.
"""

from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from aggregator.blobs import BlobStore
from aggregator.bundles import read_evidence
from aggregator.evaluation.gate.fusion import nats
from aggregator.evaluation.gate.statistics import STATISTIC_UNIT
from aggregator.scorer.errors import NothingToExpel
from aggregator.scorer.verify import intact, verify
from aggregator.terms import read_config
from ledger.client import LedgerClient
from ledger.records import RoundState
from protocol.evidence import Evidence, Input, Kind
from protocol.typed_data import Expulsion
from protocol.verdicts import Reason


@dataclass(frozen=True)
class Standing:
    """What a Final round's evidence says about a node. Suspicions in units of 2^-20 nats: what it came in with (`before`), what
    it left with (`after`), and the `limit` of the config that the round was opened with.
    """

    round: int
    node: int
    reason: Reason
    before: int
    after: int
    limit: int

    @property
    def justifies(self) -> bool:
        """Whether a scorer that got the same evidence signs the node out."""
        return self.reason is Reason.EXPELLABLE and self.after > self.limit and self.after >= self.before

    @property
    def sentence(self) -> str:
        """The numbers, for people."""
        before, after, limit = (value / STATISTIC_UNIT for value in (self.before, self.after, self.limit))
        return (
            f"in round {self.round} node {self.node} was judged {self.reason.code!r}, its suspicion went from {before:.2f} to "
            f"{after:.2f} nats, and the limit for expulsion is {limit:.2f}"
        )


def standings(ledger: LedgerClient, blobs: BlobStore, number: int) -> dict[int, Standing]:
    """What the evidence under the chain's root says about every node of a Final round, by node index.

    Raises `NothingToExpel` if the round is not Final, and `BlobMissing` or `BlobCorrupt` as reading does.
    """
    on_chain = ledger.round(number)
    if on_chain.state is not RoundState.FINAL or not any(on_chain.evidence_root):
        raise NothingToExpel(f"round {number} is {on_chain.state} and has no evidence that could be signed for")
    found = intact(blobs, lambda: read_evidence(on_chain.evidence_root, blobs))
    inputs = found.by_kind[Kind.INPUT]
    config = intact(blobs, lambda: read_config(inputs[Input.CONFIG].get("hash"), blobs))
    parent = inputs[Input.PARENT_EVIDENCE].get("hash")
    before = _reputations(intact(blobs, lambda: read_evidence(parent, blobs))) if any(parent) else {}
    after = _reputations(found)
    return {
        node: Standing(number, node, Reason(leaf.get("reason")), before.get(node, 0), after.get(node, 0), nats(config.gate.expel))
        for node, leaf in found.by_kind[Kind.VERDICT].items()
    }


def standing_of(ledger: LedgerClient, blobs: BlobStore, number: int, node: int) -> Standing:
    """What a Final round's evidence says about a node. Raises `NothingToExpel` if that does not justify expelling it."""
    found = standings(ledger, blobs, number).get(node)
    if found is None:
        raise NothingToExpel(f"round {number} has no update of node {node}")
    if not found.justifies:
        raise NothingToExpel(found.sentence)
    return found


def sign_out(ledger: LedgerClient, blobs: BlobStore, number: int, node: int, account: LocalAccount) -> bytes:
    """Sign the expulsion of a node, 65 bytes, if the evidence justifies it; a round that this key's attestation is not on chain
    for is replayed first. Raises `NothingToExpel`, and what `verify` raises.
    """
    standing_of(ledger, blobs, number, node)
    if not attested_on_chain(ledger, number, account.address):
        verify(ledger, blobs, number)
    return Expulsion(number, node).sign(ledger.domain, account)


def attested_on_chain(ledger: LedgerClient, number: int, scorer: str) -> bool:
    """Whether a round was proposed with this scorer's attestation."""
    scorers = ledger.scorers(number)
    return scorer in scorers and bool(ledger.round(number).signers >> scorers.index(scorer) & 1)


def _reputations(evidence: Evidence) -> dict[int, int]:
    return {node: leaf.get("reputation") for node, leaf in evidence.by_kind[Kind.REPUTATION].items()}
