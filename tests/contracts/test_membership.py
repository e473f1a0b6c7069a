"""Joining, changing keys, leaving and coming back, on a real chain."""

import pytest

from ledger.errors import Reverted
from ledger.records import NodeRecord
from protocol.roster import RosterEntry
from tests.support.chain import COIN, LocalFederation, account

STAKE = COIN // 2
ZERO = "0x" + 40 * "0"


def roster_signers(federation: LocalFederation, number: int) -> list[tuple[int, str]]:
    return [(entry.node, entry.signer) for entry in federation.client.roster(number)]


def open_and_abandon(federation: LocalFederation) -> int:
    federation.send("aggregator", federation.client.open_round(0, (bytes(32),), bytes(32)))
    number = federation.client.last_round()
    federation.send("aggregator", federation.client.abandon(number))
    return number


def test_joining_gives_the_next_index_and_takes_the_stake(federation: LocalFederation) -> None:
    before = federation.client.coin_balance(federation.client.registry_address)
    assert [federation.join(0), federation.join(1, max_samples=77)] == [0, 1]
    owner, signer = account("owner 1").address, account("signer 1").address
    assert federation.client.node(1) == NodeRecord(1, owner, signer, owner, STAKE, 77, 0, True, False)
    assert federation.client.coin_balance(federation.client.registry_address) - before == 2 * STAKE
    assert [n.node for n in federation.client.nodes()] == [0, 1]
    assert (federation.client.index_of(owner), federation.client.index_of(account("stranger").address)) == (1, None)


def test_a_change_takes_effect_with_the_next_round(federation: LocalFederation) -> None:
    federation.join(0)
    first = open_and_abandon(federation)
    fresh = account("fresh key").address
    federation.send("owner 0", federation.client.rotate_key(fresh))
    federation.join(1)
    second = open_and_abandon(federation)
    assert roster_signers(federation, first) == [(0, account("signer 0").address)]
    assert roster_signers(federation, second) == [(0, fresh), (1, account("signer 1").address)]


def test_leaving_frees_the_stake_after_unbonding_and_keeps_the_index(federation: LocalFederation) -> None:
    client = federation.client
    federation.join(0)
    first = open_and_abandon(federation)
    federation.send("owner 0", client.leave())
    left = client.node(0)
    assert (left.eligible, left.signer, left.max_samples) == (False, ZERO, 0)
    assert left.unbonding_until == client.now() - 1 + federation.config.stake.unbonding_seconds
    assert client.roster(first) == (RosterEntry(0, account("signer 0").address, 1000),)
    assert client.roster(first + 1) == ()

    federation.chain.advance_to(left.unbonding_until - 1)
    with pytest.raises(Reverted) as refused:
        federation.send("stranger", client.withdraw(0))
    assert (refused.value.name, refused.value.arguments) == ("StakeLocked", (0, left.unbonding_until))

    federation.chain.advance_to(left.unbonding_until)
    before = client.coin_balance(account("owner 0").address)
    federation.send("stranger", client.withdraw(0))
    assert client.coin_balance(account("owner 0").address) - before == STAKE
    assert federation.join(0) == 0
    assert client.node(0).eligible


def test_roles_are_what_the_founding_file_says(federation: LocalFederation) -> None:
    client = federation.client
    everybody = ["operator", "aggregator", "scorer", "stranger"]
    for question, who in ((client.is_operator, "operator"), (client.is_aggregator, "aggregator"), (client.is_scorer, "scorer")):
        assert [name for name in everybody if question(account(name).address)] == [who]
    assert client.quorum(1) == 1
