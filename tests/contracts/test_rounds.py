"""A round's way through its states, on a real chain: by transactions where somebody acts, by the clock where nobody does."""

import pytest
from eth_utils.crypto import keccak

from ledger.errors import Reverted
from ledger.records import ChainRound, RoundState
from protocol.inputs import BoundInputs, round_seed
from protocol.roster import RosterEntry
from tests.support.chain import COIN, LocalFederation, account

SHARDS, ROOT_SET, UPDATE_ROOT = (b"\x05" * 32, b"\x55" * 32), b"\x06" * 32, b"\x07" * 32
POOL = 1000 * COIN
Z = bytes(32)
NEVER_OPENED = ChainRound(1, RoundState.NONE, 0, 0, Z, Z, Z, Z, Z, 0, 0, 0, 0, False, 0, 0, 0, False)


def open_round(federation: LocalFederation, parent: int = 0) -> int:
    federation.send("aggregator", federation.client.open_round(parent, SHARDS, ROOT_SET))
    return federation.client.last_round()


def close_round(federation: LocalFederation, number: int) -> None:
    federation.send("aggregator", federation.client.close_round(number, UPDATE_ROOT))


def test_the_genesis_is_final_with_the_founding_model(federation: LocalFederation) -> None:
    client = federation.client
    genesis = client.round(0)
    assert (genesis.state, genesis.model_hash, genesis.evidence_root) == (RoundState.FINAL, b"\x02" * 32, bytes(32))
    assert (client.last_round(), client.latest_final(), client.reserved(), client.total_supply()) == (0, 0, 0, 0)
    assert client.round(1) == NEVER_OPENED


def test_a_whole_round_from_open_to_claim(federation: LocalFederation) -> None:
    client, chain, rounds = federation.client, federation.chain, federation.config.rounds
    nodes = [federation.join(i, max_samples=100 + i) for i in range(3)]
    assert nodes == [0, 1, 2]

    number = open_round(federation)
    opened = client.round(number)
    bound = BoundInputs(0, client.config_hash(), client.task_hash(), b"\x02" * 32, bytes(32), SHARDS, ROOT_SET)
    assert (number, opened.state, opened.parent, opened.inputs) == (1, RoundState.OPEN, 0, bound.digest())
    assert opened.deadline == opened.opened_at + rounds.commit_seconds + rounds.close_seconds
    assert client.reserved() == POOL
    assert client.roster(number) == tuple(RosterEntry(i, account(f"signer {i}").address, 100 + i) for i in range(3))

    close_round(federation, number)
    closed = client.round(number)
    assert (closed.state, closed.update_root, closed.seed) == (RoundState.CLOSED, UPDATE_ROOT, bytes(32))
    assert closed.close_block == client.block().number

    federation.propose(number, (6_000_000, 0, 4_000_000))
    proposed = client.round(number)
    seed = round_seed(client.domain.separator, number, UPDATE_ROOT, client.block_hash(closed.close_block))
    assert (proposed.state, proposed.seed) == (RoundState.PROPOSED, seed)
    assert (proposed.evidence_root, proposed.model_hash) == (b"\x03" * 32, b"\x04" * 32)
    assert (proposed.update_root, client.closing(number).update_root) == (UPDATE_ROOT, UPDATE_ROOT), "which its event tells"
    assert client.latest_final() == 0

    chain.advance_to(proposed.deadline - 1)
    assert client.round(number).state is RoundState.PROPOSED
    chain.advance_to(proposed.deadline)
    assert client.round(number).state is RoundState.FINAL
    assert client.latest_final() == number
    assert client.block().number == closed.close_block + 1, "finality takes no transaction"

    assert client.scores(number) == (6_000_000, 0, 4_000_000)
    assert [client.score(number, n) for n in range(4)] == [6_000_000, 0, 4_000_000, 0]
    assert [client.reward(number, n) for n in range(4)] == [600 * COIN, 0, 400 * COIN, 0]
    federation.send("stranger", client.claim(0, [number]))
    federation.send("owner 2", client.claim(2, [number]))
    assert (client.balance(account("owner 0").address), client.balance(account("owner 2").address)) == (600 * COIN, 400 * COIN)
    assert client.balance(account("stranger").address) == 0
    assert [client.claimed(n, number) for n in range(3)] == [True, False, True]
    assert client.total_supply() == client.reserved() == POOL


def test_a_round_continues_the_latest_final_one(federation: LocalFederation) -> None:
    federation.join(0)
    first = federation.play((10_000_000,))
    abandoned = open_round(federation, first)
    federation.send("aggregator", federation.client.abandon(abandoned))
    third = open_round(federation, first)
    found = federation.client.round(third)
    bound = BoundInputs(first, federation.config.sha256(), b"\x01" * 32, b"\x04" * 32, b"\x03" * 32, SHARDS, ROOT_SET)
    assert (third, found.parent, found.inputs) == (3, first, bound.digest())


def test_an_open_round_is_void_when_nobody_closes_it(federation: LocalFederation) -> None:
    number = open_round(federation)
    deadline = federation.client.round(number).deadline
    federation.chain.advance_to(deadline - 1)
    assert federation.client.round(number).state is RoundState.OPEN
    federation.chain.advance_to(deadline)
    assert federation.client.round(number).state is RoundState.VOID
    assert open_round(federation) == number + 1


def test_a_closed_round_is_void_when_nobody_proposes(federation: LocalFederation) -> None:
    number = open_round(federation)
    close_round(federation, number)
    closed = federation.client.round(number)
    federation.chain.advance_to(closed.deadline - 1)
    assert federation.client.round(number).state is RoundState.CLOSED
    federation.chain.advance_to(closed.deadline)
    assert federation.client.round(number).state is RoundState.VOID


def test_an_abandoned_round_gives_its_reservation_back_once(federation: LocalFederation) -> None:
    number = open_round(federation)
    federation.send("aggregator", federation.client.abandon(number))
    assert (federation.client.round(number).state, federation.client.reserved()) == (RoundState.VOID, POOL)
    federation.send("stranger", federation.client.release(number))
    assert (federation.client.round(number).released, federation.client.reserved()) == (True, 0)
    with pytest.raises(Reverted) as refused:
        federation.send("stranger", federation.client.release(number))
    assert (refused.value.name, refused.value.arguments) == ("NothingToRelease", (number,))


def test_a_round_without_scores_mints_nothing_and_gives_back(federation: LocalFederation) -> None:
    federation.join(0)
    number = federation.play((0,))
    assert federation.client.scores(number) == ()
    assert federation.client.reward(number, 0) == 0
    federation.send("stranger", federation.client.release(number))
    assert (federation.client.reserved(), federation.client.total_supply()) == (0, 0)


def test_the_cap_ends_the_rounds_until_a_reservation_comes_back(federation: LocalFederation) -> None:
    federation.join(0)
    paid, unpaid, last = (federation.play(scores) for scores in ((10_000_000,), (0,), (10_000_000,)))
    with pytest.raises(Reverted) as refused:
        open_round(federation, last)
    assert (refused.value.name, refused.value.arguments) == ("CapReached", (3 * POOL, POOL, 3500 * COIN))
    federation.send("stranger", federation.client.release(unpaid))
    assert open_round(federation, last) == 4
    federation.send("owner 0", federation.client.claim(0, [paid, last]))
    assert federation.client.total_supply() == 2 * POOL


def test_a_claim_over_rounds_mints_their_sum_to_the_payout_address(federation: LocalFederation) -> None:
    federation.join(0)
    federation.join(1)
    first, second = federation.play((7_000_000, 3_000_000)), federation.play((0, 10_000_000))
    federation.send("owner 1", federation.client.set_payout(account("stranger").address))
    federation.send("owner 0", federation.client.claim(1, [first, second]))
    assert federation.client.balance(account("stranger").address) == 1300 * COIN
    assert federation.client.balance(account("owner 1").address) == 0


def test_a_node_that_joined_later_has_no_score(federation: LocalFederation) -> None:
    federation.join(0)
    number = federation.play((10_000_000,))
    late = federation.join(1)
    assert (federation.client.score(number, late), federation.client.reward(number, late)) == (0, 0)


def test_the_attestation_is_over_exactly_what_is_proposed(federation: LocalFederation) -> None:
    federation.join(0)
    number = open_round(federation)
    close_round(federation, number)
    attested = federation.attestation(number, b"\x03" * 32, b"\x04" * 32, (10_000_000).to_bytes(3))
    assert attested.scores_hash == keccak((10_000_000).to_bytes(3))
    signature = attested.sign(federation.client.domain, account("scorer"))
    other = federation.client.propose(number, b"\x03" * 32, b"\x99" * 32, (10_000_000).to_bytes(3), [signature])
    with pytest.raises(Reverted) as refused:
        federation.send("aggregator", other)
    assert refused.value.name == "NotAScorer", "over another model the signature is somebody else's"
    federation.send(
        "stranger", federation.client.propose(number, b"\x03" * 32, b"\x04" * 32, (10_000_000).to_bytes(3), [signature])
    )
    assert federation.client.round(number).state is RoundState.PROPOSED
