"""What the chain says of a round, and whether the published leaves agree with it, before anything is evaluated.

Only the chain is believed: round, roster, seed and hashes are read from it. A leaf that contradicts it, or carries a signature
or salt that does not fit, is named here; the bodies and data that the leaves name are checked when they are read.
"""

from aggregator.assembly import RoundReferences, SubmissionReference
from aggregator.scorer.errors import ChainDisagrees, ReplayDifference
from ledger.client import LedgerClient
from ledger.records import ChainRound, Opening, RoundState
from protocol.errors import CommitmentError, SignatureError
from protocol.evidence import Evidence, Input, Kind, Leaf
from protocol.inputs import BoundInputs, round_seed, shards_hash
from protocol.roster import RosterEntry
from protocol.trees import NODE_TREE_DEPTH, tree_root
from protocol.typed_data import Domain, Receipt, Update
from protocol.update import check_opening

PROPOSED = (RoundState.PROPOSED, RoundState.DISPUTED, RoundState.FINAL)


def references_from(published: Evidence, ledger: LedgerClient, round_number: int) -> RoundReferences:
    """What the round depends on, by the evidence's leaves, each of which the chain must confirm.

    Raises `ReplayDifference` naming the leaf, `ChainDisagrees` if the leaves together contradict the chain.
    """
    domain, on_chain = ledger.domain, ledger.round(round_number)
    if published.header.federation != domain.separator:
        # First of all: every leaf is hashed under the federation, so foreign evidence would look corrupt.
        raise ReplayDifference("header, federation", published.header.federation, domain.separator)
    bound = _bound(published, ledger, on_chain)
    roster = ledger.roster(round_number)
    for node, leaf in sorted(published.by_kind[Kind.UPDATE].items()):
        _check_update(leaf, domain, {entry.node: entry for entry in roster})
        _check_body(published, node, domain)
        _check_receipt(published, node, ledger)
    hashes = {node: leaf.hash(domain.separator) for node, leaf in published.by_kind[Kind.UPDATE].items()}
    _agree("update root", tree_root(hashes, NODE_TREE_DEPTH), on_chain.update_root)
    return RoundReferences(
        domain=domain,
        round=round_number,
        bound=bound,
        roster=roster,
        submissions=tuple(_submission(published, node) for node in sorted(published.by_kind[Kind.UPDATE])),
        seed=seed_of(ledger, on_chain),
    )


def seed_of(ledger: LedgerClient, on_chain: ChainRound) -> bytes:
    """The seed of a closed round, which the chain may not have stored yet."""
    if any(on_chain.seed):
        return on_chain.seed
    close_hash = ledger.block_hash(on_chain.close_block)
    return round_seed(ledger.domain.separator, on_chain.round, on_chain.update_root, close_hash)


def _bound(published: Evidence, ledger: LedgerClient, on_chain: ChainRound) -> BoundInputs:
    leaves = {position: leaf.get("hash") for position, leaf in published.by_kind[Kind.INPUT].items()}
    bound = BoundInputs(
        parent=on_chain.parent,
        config_hash=leaves.get(Input.CONFIG, bytes(32)),
        task_hash=leaves.get(Input.TASK_SOURCE, bytes(32)),
        base_model=leaves.get(Input.BASE_MODEL, bytes(32)),
        parent_evidence=leaves.get(Input.PARENT_EVIDENCE, bytes(32)),
        shards=tuple(leaves[position] for position in sorted(leaves) if position >= Input.FIRST_SHARD),
        root_set=leaves.get(Input.ROOT_SET, bytes(32)),
    )
    if bound.digest() != on_chain.inputs:
        if (opened := ledger.opening(on_chain.round)) is not None:
            _name_the_input(bound, opened)
        _agree("inputs, by the INPUT leaves", bound.digest(), on_chain.inputs)
    return bound


def _name_the_input(bound: BoundInputs, opened: Opening) -> None:
    """The chain's digest says that some input is another one; the event of the opening says which."""
    shards = ", ".join(str(Input.FIRST_SHARD + at) for at in range(len(bound.shards)))
    for where, published, told in (
        (Input.CONFIG, bound.config_hash, opened.config_hash),
        (Input.TASK_SOURCE, bound.task_hash, opened.task_hash),
        (Input.BASE_MODEL, bound.base_model, opened.base_model),
        (Input.PARENT_EVIDENCE, bound.parent_evidence, opened.parent_evidence),
        (Input.ROOT_SET, bound.root_set, opened.root_set),
        (f"{shards or 'of a shard'} (shards, hashed together)", shards_hash(bound.shards), opened.shards_hash),
    ):
        if published != told:
            raise ReplayDifference(f"INPUT leaf {where}", published, told)


def _check_update(leaf: Leaf, domain: Domain, roster: dict[int, RosterEntry]) -> None:
    *fields, signature = leaf.values
    update, entry, where = Update(*fields), roster.get(leaf.position), f"UPDATE leaf {leaf.position}"
    if update.node != leaf.position or entry is None:
        raise ReplayDifference(where, leaf.values, "no eligible node" if entry is None else f"node {leaf.position}")
    try:
        signer = update.signer(domain, signature)
    except SignatureError as error:
        raise ReplayDifference(where, str(error), f"a signature by {entry.signer}") from error
    if signer != entry.signer:
        raise ReplayDifference(where, f"signed by {signer}", f"the key of node {leaf.position} is {entry.signer}")


def _check_body(published: Evidence, node: int, domain: Domain) -> None:
    body = published.by_kind[Kind.BODY].get(node)
    if body is None:
        return
    update = published.by_kind[Kind.UPDATE][node]
    try:
        check_opening(
            update.get("parameters"), domain.separator, update.get("round"), node, body.get("salt"), body.get("body_hash")
        )
    except CommitmentError as error:
        raise ReplayDifference(f"BODY leaf {node}", body.values, f"what opens {update.get('parameters').hex()}") from error


def _check_receipt(published: Evidence, node: int, ledger: LedgerClient) -> None:
    receipt = published.by_kind[Kind.RECEIPT].get(node)
    if receipt is None:
        return  # a commitment that came by the chain has none
    update = published.by_kind[Kind.UPDATE][node]
    promised = Receipt(update.get("round"), node, update.hash(ledger.domain.separator))
    try:
        signer = promised.signer(ledger.domain, receipt.get("signature"))
    except SignatureError as error:
        raise ReplayDifference(f"RECEIPT leaf {node}", str(error), "a signature by the aggregator") from error
    if signer != ledger.aggregator(promised.round):
        raise ReplayDifference(f"RECEIPT leaf {node}", f"signed by {signer}", "a signature by the aggregator")


def _submission(published: Evidence, node: int) -> SubmissionReference:
    *fields, signature = published.by_kind[Kind.UPDATE][node].values
    body, receipt = published.by_kind[Kind.BODY].get(node), published.by_kind[Kind.RECEIPT].get(node)
    salt, hashed = (body.get("salt"), body.get("body_hash")) if body else (None, None)
    return SubmissionReference(Update(*fields), signature, salt, hashed, receipt.get("signature") if receipt else None)


def _agree(what: str, evidence: bytes, chain: bytes) -> None:
    if evidence != chain:
        raise ChainDisagrees(what, evidence.hex(), chain.hex())
