"""Settlement's adversaries on the chain alone, with four scorers (f = 1): quorums that are none, claims and signatures again.

Nothing is evaluated here; an honest node's pay is half of the pool. The aggregator's own scorer counts among the dishonest.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from hexbytes import HexBytes

from bench.adversaries.ground import Ground
from bench.adversaries.stage import SCORERS, Wealth, gains, wealth
from bench.report import Row
from ledger.errors import Reverted
from ledger.records import Call, RoundState
from protocol.shares import pack_scores
from protocol.typed_data import Domain
from tests.support.chain import LocalFederation, account

HONEST, PADDED = (5_000_000, 5_000_000), (9_000_000, 1_000_000)
EVIDENCE, MODEL = b"\x03" * 32, b"\x04" * 32
FRIENDS = ("owner 0", "aggregator", "scorer")


def rows(ground: Ground, directory: Path) -> Iterator[Row]:
    """What node 0, the aggregator and its scorer gain by each case."""
    for name, play in CASES.items():
        with ground.copied(directory / name) as federation:
            before = wealth(federation.client, *FRIENDS)
            honest = Wealth(federation.client.pool() // 2, 0)
            gained = play(federation, ground, directory / f"{name} again") - before
        yield from gains(name, honest, gained)


def _closed(federation: LocalFederation, root: bytes = b"\x07" * 32) -> int:
    client = federation.client
    federation.send("aggregator", client.open_round(0, (bytes(32),), bytes(32)))
    federation.chain.advance(federation.config.rounds.commit_seconds)
    federation.send("aggregator", client.close_round(1, root))
    return 1


def _propose(
    federation: LocalFederation, scores: tuple[int, ...], signers: tuple[str, ...], domain: Domain | None = None
) -> bool:
    """Whether the chain takes these scores with these scorers' signatures."""
    packed = pack_scores(scores)
    attested = federation.attestation(1, EVIDENCE, MODEL, packed)
    in_order = sorted(signers, key=lambda name: int(account(name).address, 16))
    signatures = [attested.sign(domain or federation.client.domain, account(name)) for name in in_order]
    try:
        federation.send("stranger", federation.client.propose(1, EVIDENCE, MODEL, packed, signatures))
    except Reverted:
        return False
    return True


def _finish(federation: LocalFederation) -> Wealth:
    """What the friends have, once the round is decided and everything claimed, twice."""
    client = federation.client
    federation.chain.advance(10 * federation.config.rounds.propose_seconds)
    if client.round(1).state is RoundState.FINAL:
        for node in (0, 1, 0, 1):
            _try(federation, client.claim(node, [1]))
    return wealth(client, *FRIENDS)


def _propose_honestly(federation: LocalFederation) -> list[bytes]:
    """The signatures of the quorum. Raises `RuntimeError` if the chain refuses it."""
    if not _propose(federation, HONEST, SCORERS[1:]):
        raise RuntimeError("an honest quorum was refused: nothing here means anything")
    attested = federation.attestation(1, EVIDENCE, MODEL, pack_scores(HONEST))
    in_order = sorted(SCORERS[1:], key=lambda name: int(account(name).address, 16))
    return [attested.sign(federation.client.domain, account(name)) for name in in_order]


def _try(federation: LocalFederation, call: Call) -> None:
    with suppress(Reverted):
        federation.send("stranger", call)


def _second_outcome(federation: LocalFederation, ground: Ground, directory: Path) -> Wealth:
    _closed(federation)
    _propose_honestly(federation)
    _propose(federation, PADDED, SCORERS[1:])
    return _finish(federation)


def _one_signs_twice(federation: LocalFederation, ground: Ground, directory: Path) -> Wealth:
    _closed(federation)
    _propose(federation, PADDED, (SCORERS[0], SCORERS[0], SCORERS[1]))
    return _finish(federation)


def _from_another_federation(federation: LocalFederation, ground: Ground, directory: Path) -> Wealth:
    _closed(federation)
    _propose(federation, PADDED, SCORERS[1:], Domain(1, federation.client.domain.ledger))
    return _finish(federation)


def _from_another_round(federation: LocalFederation, ground: Ground, directory: Path) -> Wealth:
    """The signatures of round 1 once more, for round 2, in which the friend would have got nothing."""
    client = federation.client
    _closed(federation)
    signatures = _propose_honestly(federation)
    federation.chain.advance(federation.config.rounds.window_seconds)
    federation.send("aggregator", client.open_round(1, (bytes(32),), bytes(32)))
    federation.chain.advance(federation.config.rounds.commit_seconds)
    federation.send("aggregator", client.close_round(2, b"\x07" * 32))
    _try(federation, client.propose(2, EVIDENCE, MODEL, pack_scores(HONEST), signatures))
    found = _finish(federation)
    for node in (0, 1):
        _try(federation, client.claim(node, [2]))
    return wealth(client, *FRIENDS) if client.round(2).state is RoundState.FINAL else found


def _claims_replayed(federation: LocalFederation, ground: Ground, directory: Path) -> Wealth:
    """The transaction that claimed is broadcast again, byte for byte, and claimed for in one call twice over."""
    client = federation.client
    _closed(federation)
    _propose_honestly(federation)
    federation.chain.advance(federation.config.rounds.window_seconds)
    mined = federation.send("stranger", client.claim(0, [1]))
    eth = client.web3.eth
    with suppress(Exception):  # whatever a chain says to a spent nonce
        eth.send_raw_transaction(eth.get_raw_transaction(HexBytes(mined.tx_hash)))
    _try(federation, client.claim(0, [1, 1]))
    return _finish(federation)


def _rolled_back(federation: LocalFederation, ground: Ground, directory: Path) -> Wealth:
    """The chain forgets the claims; everybody claims again."""
    _closed(federation)
    _propose_honestly(federation)
    federation.chain.advance(federation.config.rounds.window_seconds)
    shutil.copytree(federation.chain.database.parent, directory)
    _finish(federation)
    now = federation.client.now()
    with ground.served(directory) as again:
        again.chain.advance_to(now)
        return _finish(again)


CASES: dict[str, Callable[[LocalFederation, Ground, Path], Wealth]] = {
    "a second outcome is proposed after the first": _second_outcome,
    "one scorer signs twice to make a quorum": _one_signs_twice,
    "replaying relayer: a quorum's signatures from another federation": _from_another_federation,
    "replaying relayer: a quorum's signatures of the round before": _from_another_round,
    "replaying relayer: a claim again, and twice in one call": _claims_replayed,
    "rollback after the claims, everybody claims again": _rolled_back,
}
