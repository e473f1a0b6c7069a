"""Attestation: what a scorer checks against the chain before it replays, and what it signs afterwards.

Only the chain is believed: round, roster, seed and hashes are read from it, and everything else must hash to them.
"""

from eth_account.signers.local import LocalAccount

from aggregator.assembly import RoundReferences, SubmissionReference, assemble, read_evidence
from aggregator.blobs import BlobStore
from aggregator.scorer.errors import ChainDisagrees
from aggregator.scorer.replay import replay
from ledger.client import LedgerClient
from ledger.records import RoundState
from protocol.evidence import Evidence, Input, Kind
from protocol.inputs import BoundInputs, round_seed
from protocol.shares import pack_scores, scores_hash
from protocol.trees import NODE_TREE_DEPTH, tree_root
from protocol.typed_data import Attestation, Update


def attest(ledger: LedgerClient, blobs: BlobStore, round_number: int, evidence_root: bytes, account: LocalAccount) -> bytes:
    """Replay a closed round and sign its results; the 65-byte signature that `propose` takes.

    Raises `ChainDisagrees`, or whatever `replay` and `assemble` raise. Nothing is signed then.
    """
    published = read_evidence(evidence_root, blobs)
    references = references_from(published, ledger, round_number)
    outcome = replay(assemble(references, blobs), published)
    hashed = scores_hash(pack_scores(outcome.scores))
    attestation = Attestation(round_number, references.seed, evidence_root, hashed, outcome.model_hash)
    return attestation.sign(ledger.domain, account)


def references_from(published: Evidence, ledger: LedgerClient, round_number: int) -> RoundReferences:
    """What the round depends on, by the evidence's leaves, each of which the chain must confirm."""
    on_chain = ledger.round(round_number)
    _agree("state of the round", RoundState.CLOSED.name, on_chain.state.name)
    parent = ledger.round(on_chain.parent)
    inputs = {position: leaf.get("hash") for position, leaf in published.by_kind[Kind.INPUT].items()}
    bound = BoundInputs(
        parent=on_chain.parent,
        config_hash=ledger.config_hash(),
        task_hash=ledger.task_hash(),
        base_model=parent.model_hash,
        parent_evidence=parent.evidence_root,
        shards=tuple(inputs[position] for position in sorted(inputs) if position >= Input.FIRST_SHARD),
        root_set=inputs.get(Input.ROOT_SET, bytes(32)),
    )
    _agree("inputs", bound.digest().hex(), on_chain.inputs.hex())
    updates = published.by_kind[Kind.UPDATE]
    federation = ledger.domain.separator
    root = tree_root({node: leaf.hash(federation) for node, leaf in updates.items()}, NODE_TREE_DEPTH)
    _agree("update root", root.hex(), on_chain.update_root.hex())
    return RoundReferences(
        domain=ledger.domain,
        round=round_number,
        bound=bound,
        roster=ledger.roster(round_number),
        submissions=tuple(_submission(published, node) for node in sorted(updates)),
        seed=round_seed(federation, round_number, root, ledger.block_hash(on_chain.close_block)),
    )


def _submission(published: Evidence, node: int) -> SubmissionReference:
    *fields, signature = published.by_kind[Kind.UPDATE][node].values
    body = published.by_kind[Kind.BODY].get(node)
    salt, hashed = (body.get("salt"), body.get("body_hash")) if body else (None, None)
    return SubmissionReference(Update(*fields), signature, salt, hashed)


def _agree(what: str, evidence: object, chain: object) -> None:
    if evidence != chain:
        raise ChainDisagrees(what, evidence, chain)
