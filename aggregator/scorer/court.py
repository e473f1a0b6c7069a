"""`fairshare scorer prove` and `dispute`: what a scorer, or anyone with its tools, does about a round that is wrong."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aggregator.scorer.double_updates import double_updates
from aggregator.scorer.errors import NothingToDispute, NothingToVerify, ReplayError
from aggregator.scorer.faults import Fault, provable_faults, sum_opening
from aggregator.scorer.gathering import Gathering
from aggregator.scorer.verify import read_published, verify
from ledger.errors import Reverted
from ledger.records import Call
from ledger.sender import Mined
from protocol.errors import CommitmentError, EvidenceError, SignatureError
from protocol.evidence import Evidence, Kind, subtree_roots
from protocol.openings import open_leaf

_LEAF = re.compile(r"([A-Z]+) leaf (\d+)")
_COALITION = re.compile(r"UTILITY leaf of coalition (0x[0-9a-f]+) on shard (\d+)")


@dataclass(frozen=True)
class Proved:
    """A fault that the chain has judged."""

    fault: Fault
    mined: Mined


def faults_of(gathering: Gathering, number: int) -> tuple[Fault, ...]:
    """Every provable fault of a round: the aggregator's, from the evidence that the chain points to or that mirrors claim, then
    nodes that signed two Updates, which need none. Raises `NothingToVerify` if there is neither evidence nor such a node.
    """
    root = _root(gathering, number)
    evidence = None if root is None else read_published(root, gathering.blobs)
    faults = tuple(provable_faults(evidence, gathering.ledger, number)) if evidence else ()
    faults += tuple(double_updates(gathering, number, evidence))
    if evidence is None and not faults:
        raise NothingToVerify(number, "without evidence")
    return faults


def prove(gathering: Gathering, number: int, fault: Fault) -> Proved:
    """Have the chain judge a fault of a round; the prover gets the fee, or the wronged node its part. Raises `Reverted`."""
    return Proved(fault, gathering.send(f"prove:{number}:{fault.name}", fault.proof))


def prove_first(gathering: Gathering, number: int, faults: Sequence[Fault]) -> Proved | None:
    """Have the chain judge the first fault whose culprit was not punished for this round yet; None if all were."""
    for fault in faults:
        try:
            return prove(gathering, number, fault)
        except Reverted as reverted:
            if reverted.name != "AlreadyPunished":
                raise
    return None


def dispute(gathering: Gathering, number: int, kind: Kind, position: int, bond: int) -> Mined:
    """Put a bond on a proposed round's leaf being wrong. Raises `NothingToDispute` if there is no such leaf, `Reverted`."""
    evidence = _evidence(gathering, number)
    return gathering.send(f"dispute:{number}:{kind}:{position}", _dispute(gathering, evidence, number, kind, position, bond))


def disputed_leaf(gathering: Gathering, number: int, named: str | None) -> tuple[Kind, int]:
    """The leaf that is named as KIND/POSITION, or else the first that a replay finds to differ; where what differs is no leaf
    of the evidence, any of it, as scorers then vote against all.

    Raises `NothingToDispute` if the name is none, or the round replays.
    """
    if named is not None:
        kind, _, position = named.partition("/")
        if kind.upper() not in Kind.__members__ or not position.isdecimal():
            raise NothingToDispute(number, named)
        return Kind[kind.upper()], int(position)
    try:
        verify(gathering.ledger, gathering.blobs, number)
    except (ReplayError, EvidenceError, CommitmentError, SignatureError) as refusal:
        evidence = _evidence(gathering, number)
        found = _named(evidence, str(getattr(refusal, "where", "")))
        return _any(evidence) if found is None else found
    raise NothingToDispute(number, "differing leaf: the round replays")


def _named(evidence: Evidence, where: str) -> tuple[Kind, int] | None:
    """The leaf of the evidence that a verification calls so."""
    if (found := _LEAF.match(where)) is not None:
        kind, position = Kind[found[1]], int(found[2])
        return (kind, position) if position in evidence.by_kind[kind] else None
    if (found := _COALITION.match(where)) is not None:
        coalition, shard = int(found[1], 16), int(found[2])
        for position, leaf in evidence.by_kind[Kind.UTILITY].items():
            if (int.from_bytes(leaf.get("coalition"), "little"), leaf.get("shard")) == (coalition, shard):
                return Kind.UTILITY, position
    return None


def _any(evidence: Evidence) -> tuple[Kind, int]:
    """A leaf that can be opened: of the first tree that is what the header promises."""
    roots, _ = subtree_roots(evidence.header.federation, evidence.leaves)
    for kind, found, promised in zip(Kind, roots, evidence.header.roots, strict=True):
        if found == promised and evidence.by_kind[kind]:
            return kind, min(evidence.by_kind[kind])
    raise NothingToDispute(evidence.header.round, "leaf that hashes to its header")


def _dispute(gathering: Gathering, evidence: Evidence, number: int, kind: Kind, position: int, bond: int) -> Call:
    leaf, court = evidence.by_kind[kind].get(position), gathering.ledger.court
    if leaf is None:
        raise NothingToDispute(number, f"{kind.name} leaf {position}")
    if kind is Kind.CONTRIBUTION:
        return court.dispute_contribution(number, evidence.header, leaf, sum_opening(evidence, position), bond)
    return court.dispute(number, evidence.header, leaf, open_leaf(evidence, kind, position).siblings, bond)


def _evidence(gathering: Gathering, number: int) -> Evidence:
    root = _root(gathering, number)
    if root is None:
        raise NothingToVerify(number, "without evidence")
    return read_published(root, gathering.blobs)


def _root(gathering: Gathering, number: int) -> bytes | None:
    proposed = gathering.ledger.round(number).evidence_root
    return proposed if any(proposed) else gathering.claimed(number)
