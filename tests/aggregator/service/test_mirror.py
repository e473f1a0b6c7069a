"""The aggregator as a mirror, over real HTTP: who sees which leaves, files that go on where they broke off, attestations."""

from functools import partial

import pytest

from aggregator.service.phases import Phase
from protocol.client import FederationClient
from protocol.errors import EvidenceError
from protocol.evidence import LEAF_KINDS, Access, Kind
from protocol.openings import check_opening
from protocol.requests import RequestSigner
from protocol.shares import scores_hash
from protocol.typed_data import Attestation
from protocol.update import body_hash
from tests.aggregator.service.support import Sent, Service, problem
from tests.support.chain import account


def client_of(service: Service, name: str) -> FederationClient:
    return FederationClient(service.client.url, signer=RequestSigner(service.domain, account(name)))


def test_evidence_by_level_files_and_attestations(served: Service) -> None:
    sent = served.play()
    with client_of(served, "signer 0") as member, client_of(served, "scorer") as scorer:
        check_mirror(served, sent, member, scorer)


def bytes_of(client: FederationClient, name: bytes) -> bytes:
    return b"".join(client.blob(name))


def check_mirror(served: Service, sent: list[Sent], member: FederationClient, scorer: FederationClient) -> None:
    anyone = served.client
    kept = served.context.store.round(1)
    assert kept is not None
    assert kept.evidence_root is not None

    # Before the round is proposed: for scorers only, who are to attest it.
    for client in (anyone, member):
        assert problem(partial(client.evidence, 1)) == (404, "not-yet-there")
    whole = scorer.evidence(1)
    whole.check_roots()
    assert whole.header.root() == kept.evidence_root

    claim = anyone.attestations(1)
    assert (claim.evidence_root, claim.signatures) == (kept.evidence_root, [])
    message = Attestation(1, claim.seed, claim.evidence_root, scores_hash(claim.scores), claim.model)
    assert problem(lambda: anyone.attest(1, message.sign(served.domain, account("stranger")))) == (422, "wrong-attestation")
    other = Attestation(1, bytes(32), claim.evidence_root, scores_hash(claim.scores), claim.model)
    assert problem(lambda: anyone.attest(1, other.sign(served.domain, account("scorer")))) == (422, "wrong-attestation")
    assert problem(lambda: anyone.attest(1, b"\x01")) == (422, "bad-signature")
    good = message.sign(served.domain, account("scorer"))
    anyone.attest(1, good)
    anyone.attest(1, good)
    assert anyone.attestations(1).signatures == [good]

    served.turn(2)  # proposed with the signature that came by HTTP: the built-in scorer had nothing to do
    assert served.phase(1) is Phase.PROPOSED

    for client, access in ((anyone, Access.ANYONE), (member, Access.MEMBERS), (scorer, Access.SCORERS)):
        seen = client.evidence(1)
        assert seen.header == whole.header
        assert set(seen.leaves) == {leaf for leaf in whole.leaves if LEAF_KINDS[leaf.kind].access <= access}
        for kind in Kind:
            if LEAF_KINDS[kind].access <= access:
                for position in (0, 1, 7):
                    check_opening(whole.header, client.opening(1, kind, position))
            else:
                assert problem(partial(client.opening, 1, kind, 0)) == (403, "not-allowed")
    assert problem(lambda: anyone.opening(1, Kind.SCORE, 1 << 13)) == (404, "unknown-leaf")
    with pytest.raises(EvidenceError):
        check_opening(whole.header, anyone.opening(1, Kind.SCORE, 0)._replace(values=(1,)))

    name = body_hash(sent[0].body)
    for client in (anyone, member):
        assert problem(partial(bytes_of, client, name)) == (403, "not-allowed")
    assert b"".join(scorer.blob(name)) == sent[0].body
    assert b"".join(scorer.blob(name, offset=100)) == sent[0].body[100:]
    assert list(scorer.blob(name, offset=len(sent[0].body))) == []
    assert problem(lambda: list(scorer.blob(bytes(32)))) == (404, "unknown-blob")
    # A cache in between would give anyone what a scorer was answered with.
    signer = RequestSigner(served.domain, account("scorer"))
    for path in (f"/v1/blobs/0x{name.hex()}", "/v1/rounds/1/evidence", "/v1/rounds/1/evidence/utility/0"):
        answer = scorer._http.get(path, headers=signer.headers("GET", path))
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
