"""What one dishonest node or mirror tries so that honest scorers withhold their signatures from an honest round."""

from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI

from aggregator.mirror.claim import Claim
from aggregator.refusals import TooLate
from aggregator.scorer.forwarding import Commitment, Forwarding
from aggregator.scorer.gathering import Gathering
from aggregator.scorer.home import ScorerHome
from aggregator.scorer.sources import GatheredBlobs
from aggregator.service.phases import Phase
from protocol.api import AttestationsView
from protocol.client import FederationClient
from protocol.errors import ServiceUnreachable
from protocol.update import body_hash
from tests.aggregator.scorer.test_quorum import Scorer
from tests.aggregator.service.support import Stage, founded, make_update, problem, serve, stage
from tests.support.chain import account
from tests.support.rounds import DOMAIN
from tests.support.serving import answering

__all__ = ["founded", "stage"]


def lying() -> FastAPI:
    """A mirror that claims an outcome before anybody has one, signed by nobody who counts."""
    app = FastAPI()

    @app.get("/v1/rounds/{number}/attestations")
    def attestations(number: int) -> AttestationsView:
        signature = Claim(number, bytes(32), b"\xef" * 32, b"", bytes(32)).attestation.sign(DOMAIN, account("stranger"))
        return AttestationsView(
            round=number, seed=bytes(32), evidence_root=b"\xef" * 32, scores=b"", model=bytes(32), signatures=[signature]
        )

    return app


def test_what_a_node_or_a_mirror_hands_to_a_scorer_holds_no_honest_round_back(stage: Stage, tmp_path: Path) -> None:
    with ExitStack() as stack:
        service = stack.enter_context(serve(stage))
        liar = stack.enter_context(answering(lying()))
        scorer = Scorer(stack, stage, tmp_path / "scorer", "scorer", [service.client.url, liar])
        view = service.open_round(3)
        sent = [make_update(service.domain, view, 0, b"no tensors"), *(make_update(service.domain, view, n) for n in (1, 2))]
        service.commit(*sent)
        service.turn(2)
        service.reveal(sent[1])

        # What cannot be read the aggregator may refuse, so a scorer does not take it either.
        unreadable = sent[0]
        with FederationClient(scorer.url) as node:
            refused = problem(lambda: node.hand_over(unreadable.update, unreadable.signature, unreadable.salt, unreadable.body))
        assert refused == (422, "undecodable-body")
        scorer.follower.turn()  # only the liar claims anything yet

        # A body that begins to arrive in time and ends when nobody could forward it any more.
        forwarding = Forwarding(scorer.gathering)
        hashed = body_hash(sent[2].body)
        late = Commitment(1, 2, sent[2].update.samples, sent[2].signature, sent[2].salt, hashed, is_forwarded=False)
        forwarding.expect(late)
        with scorer.gathering.blobs.receive(len(sent[2].body)) as incoming:
            incoming.write(sent[2].body)
            stage.chain.advance_to(stage.ledger.round(1).deadline - stage.ledger.timing().propose)
            with pytest.raises(TooLate):
                forwarding.keep(late, incoming)

        service.turn(2)
        assert service.phase(1) is Phase.ATTESTING
        scorer.follower.turn()
        assert len(service.client.attestations(1).signatures) == 1


class Claiming:
    """A mirror that claims an outcome with these scorers' signatures; with none it claims nothing."""

    def __init__(self, root: bytes, *scorers: str) -> None:
        self._claim = Claim(1, b"s" * 32, root, b"", b"m" * 32)
        self._signatures = [self._claim.attestation.sign(DOMAIN, account(name)) for name in scorers]

    def attestations(self, number: int) -> AttestationsView:
        claim = self._claim
        if not self._signatures:
            raise ServiceUnreachable("http://nowhere", "nothing yet")
        return AttestationsView(
            round=number,
            seed=claim.seed,
            evidence_root=claim.evidence_root,
            scores=claim.scores,
            model=claim.model_hash,
            signatures=self._signatures,
        )


def test_the_aggregators_outcome_is_replayed_or_one_that_an_honest_scorer_signed(tmp_path: Path) -> None:
    four = [account(f"owner {n}").address for n in range(4)]
    ledger: Any = SimpleNamespace(
        domain=DOMAIN,
        round=lambda _: SimpleNamespace(evidence_root=bytes(32)),
        scorers=lambda _: tuple(four),
        bonded=lambda _: frozenset(four),
    )

    def claimed(*mirrors: Claiming) -> bytes | None:
        settings: Any = None
        given: Any = mirrors
        return Gathering(ScorerHome(tmp_path), settings, ledger, GatheredBlobs(tmp_path, []), given, None).claimed(1)

    silent, aggregator = Claiming(b"a" * 32), Claiming(b"a" * 32, "stranger")
    assert claimed(aggregator, Claiming(b"b" * 32, "owner 0", "owner 1")) == b"a" * 32
    assert claimed(silent, Claiming(b"b" * 32, "owner 0", "owner 0", "stranger")) is None
    assert claimed(silent, Claiming(b"b" * 32, "owner 0"), Claiming(b"c" * 32, "owner 1", "owner 2")) == b"c" * 32
    assert claimed() is None
