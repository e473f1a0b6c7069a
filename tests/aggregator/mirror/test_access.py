"""Signed requests count once, within their time, and for those whom the registry knows."""

from pathlib import Path

import pytest

from aggregator.mirror.access import Gatekeeper
from aggregator.mirror.nonces import NonceStore
from aggregator.refusals import NotAllowed, RequestExpired, RequestReplayed
from protocol.evidence import Access
from protocol.requests import LIFETIME_SECONDS, SKEW_SECONDS, RequestSigner
from tests.support.chain import LocalFederation, account


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
