"""Signed requests count once, within their time, and for those whom the registry knows; and what each of these may see."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aggregator.mirror.access import Gatekeeper
from aggregator.mirror.nonces import NonceStore
from aggregator.refusals import NotAllowed, RequestExpired, RequestReplayed
from aggregator.service.phases import Phase
from protocol.client import FederationClient
from protocol.evidence import Access, Input, Kind
from protocol.openings import check_opening
from protocol.requests import LIFETIME_SECONDS, SKEW_SECONDS, RequestSigner
from protocol.update import body_hash
from tests.aggregator.scorer.test_quorum import Scorer
from tests.aggregator.service.support import Service, founded, problem, serve, staged
from tests.aggregator.service.test_mirror import bytes_of
from tests.support.chain import LocalFederation, account

__all__ = ["founded"]

OPEN_TO = {
    Access.ANYONE: {
        Kind.INPUT,
        Kind.ROSTER,
        Kind.UPDATE,
        Kind.VERDICT,
        Kind.CONTRIBUTION,
        Kind.SCORE,
        Kind.MODEL,
        Kind.RECEIPT,
    },
    Access.MEMBERS: {Kind.STATISTICS, Kind.UTILITY, Kind.REPUTATION, Kind.ESTIMATE},
    Access.SCORERS: {Kind.BODY},
}
"""From which level on each kind of leaf may be seen. Written down a second time, as the product's own table is what is tested."""


def test_a_nonce_counts_once_also_after_a_restart_and_is_forgotten_late(tmp_path: Path) -> None:
    path = tmp_path / "nonces.sqlite"
    assert NonceStore(path).use(b"n" * 32, forget_at=100, now=50)
    assert not NonceStore(path).use(b"n" * 32, forget_at=100, now=100)
    assert NonceStore(path).use(b"m" * 32, forget_at=200, now=101)
    assert NonceStore(path).use(b"n" * 32, forget_at=300, now=101)


def test_levels_times_and_replays(federation: LocalFederation, tmp_path: Path) -> None:
    node = federation.join(0)
    federation.join(1)
    federation.send("aggregator", federation.client.open_round(0, (bytes(32),), bytes(32)))
    now = 1_000_000
    keeper = Gatekeeper(federation.client, NonceStore(tmp_path / "nonces"), clock=lambda: now)

    def headers(name: str, path: str = "/x", at: int = now) -> dict[str, str]:
        return RequestSigner(federation.client.domain, account(name), clock=lambda: at).headers("GET", path)

    def level(name: str, number: int | None = 1) -> Access:
        return keeper.admit("GET", "/x", headers(name), number, Access.ANYONE)

    assert keeper.admit("GET", "/x", {}, 1, Access.ANYONE) is Access.ANYONE
    assert (level("scorer"), level("aggregator")) == (Access.SCORERS, Access.SCORERS)
    assert (level(f"signer {node}"), level(f"signer {node}", None)) == (Access.MEMBERS, Access.ANYONE)
    assert (level("stranger"), level("signer 2"), level("owner 0")) == (Access.ANYONE,) * 3

    with pytest.raises(NotAllowed, match="signed by nobody"):
        keeper.admit("GET", "/x", {}, 1, Access.MEMBERS)
    with pytest.raises(NotAllowed, match="none of them"):
        keeper.admit("GET", "/x", headers("signer 1"), 1, Access.SCORERS)
    with pytest.raises(NotAllowed, match="none of them"):  # signed for another path
        keeper.admit("GET", "/x", headers("scorer", "/y"), 1, Access.SCORERS)

    once = headers("scorer")
    keeper.admit("GET", "/x", once, 1, Access.SCORERS)
    with pytest.raises(RequestReplayed):
        keeper.admit("GET", "/x", once, 1, Access.SCORERS)
    for off in (-LIFETIME_SECONDS - SKEW_SECONDS, SKEW_SECONDS):
        keeper.admit("GET", "/x", headers("scorer", at=now + off), 1, Access.SCORERS)
        with pytest.raises(RequestExpired):
            keeper.admit("GET", "/x", headers("scorer", at=now + off + (1 if off > 0 else -1)), 1, Access.SCORERS)


@pytest.fixture(scope="module")
def mirrors(founded: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, dict[str, str], bytes]]:
    """A proposed round, served by the aggregator and by a scorer that attested it: their URLs, and the hash of a body."""
    directory = tmp_path_factory.mktemp("mirrors")
    with ExitStack() as stack:
        service = stack.enter_context(serve(stack.enter_context(staged(founded, directory))))
        sent = service.play()
        scorer = Scorer(stack, service.stage, directory / "scorer", "scorer", [service.client.url])
        scorer.follower.turn()
        service.turn(2)
        assert service.phase(1) is Phase.PROPOSED
        yield service, {"aggregator": service.client.url, "scorer": scorer.url}, body_hash(sent[0].body)


def test_the_table_has_every_kind_once() -> None:
    assert sorted(kind for kinds in OPEN_TO.values() for kind in kinds) == list(Kind)


@pytest.mark.parametrize("mirror", ["aggregator", "scorer"])
@pytest.mark.parametrize(
    ("who", "level"),
    [
        (None, Access.ANYONE),
        ("stranger", Access.ANYONE),
        ("owner 0", Access.ANYONE),  # who signs for a node is its signing key
        ("signer 1", Access.MEMBERS),
        ("scorer", Access.SCORERS),
    ],
)
def test_every_kind_of_leaf_and_file_at_every_level(
    mirrors: tuple[Service, dict[str, str], bytes], mirror: str, who: str | None, level: Access
) -> None:
    service, urls, body = mirrors
    signer = None if who is None else RequestSigner(service.domain, account(who))
    seen = {kind for needed, kinds in OPEN_TO.items() if needed <= level for kind in kinds}
    with FederationClient(urls[mirror], signer=signer) as client:
        evidence = client.evidence(1)
        assert evidence.header.root() == service.stage.ledger.round(1).evidence_root
        # A federation without a cohort carries no suspicion: that kind has no leaf to be seen.
        assert {leaf.kind for leaf in evidence.leaves} | {Kind.REPUTATION} == seen | {Kind.REPUTATION}
        for kind in Kind:
            if kind in seen:
                check_opening(evidence.header, client.opening(1, kind, 0))
            else:
                assert problem(partial(client.opening, 1, kind, 0)) == (403, "not-allowed")
        inputs = evidence.by_kind[Kind.INPUT]
        for name in (body, inputs[Input.FIRST_SHARD].get("hash"), inputs[Input.ROOT_SET].get("hash")):
            if level is Access.SCORERS:
                assert b"".join(client.blob(name))
            else:
                assert problem(partial(bytes_of, client, name)) == (403, "not-allowed")
