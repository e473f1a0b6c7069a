"""Joining: once, with enough stake, by an invitation that counts."""

import pytest

from ledger.errors import Reverted, TransactionRefused, WrongPassphrase
from node.errors import InvitationRejected, NotJoined, TermsNotAccepted
from node.membership import join, own_node
from tests.node.conftest import NODE_CONFIG, World
from tests.support.chain import COIN, PASSPHRASE, account


def test_joining_twice_changes_nothing(world: World) -> None:
    home, chain = world.enrolled(0), world.federation.client
    with pytest.raises(NotJoined):
        own_node(home, chain)
    first = join(home, home.settings(), chain, lambda: PASSPHRASE)
    assert first.tx_hash is not None
    assert (first.node.stake, first.node.signer) == (COIN // 2, account("signer 0").address)
    coin = chain.coin_balance(account("owner 0").address)

    def nobody_asks() -> str:
        raise AssertionError("there is nothing to sign")

    again = join(home, home.settings(), chain, nobody_asks)
    assert (again.tx_hash, again.node) == (None, first.node)
    assert chain.coin_balance(account("owner 0").address) == coin
    assert own_node(home, chain) == first.node


def test_stake_and_payout_are_the_participants_choice(world: World) -> None:
    home, chain = world.enrolled(0), world.federation.client
    settings = home.settings().model_copy(update={"payout": account("stranger").address})
    with pytest.raises(Reverted, match="StakeTooLow"):
        join(home, settings, chain, lambda: PASSPHRASE, stake=1)
    joined = join(home, settings, chain, lambda: PASSPHRASE, stake=2 * COIN)
    assert (joined.node.stake, joined.node.payout) == (2 * COIN, account("stranger").address)


def test_too_little_coin_says_how_much_is_missing_and_where_to_get_it(world: World) -> None:
    home = world.enrolled(0)
    with pytest.raises(TransactionRefused, match=r"has 1000 coin and may need up to 5000.*fairshare ledger fund 0x"):
        join(home, home.settings(), world.federation.client, lambda: PASSPHRASE, stake=5000 * COIN)


def test_a_wrong_passphrase_sends_nothing(world: World) -> None:
    home = world.enrolled(0)
    with pytest.raises(WrongPassphrase):
        join(home, home.settings(), world.federation.client, lambda: "wrong")
    assert world.federation.client.node_count() == 0


def test_an_invitation_that_ran_out_since_init(world: World) -> None:
    home = world.enrolled(0)
    world.federation.chain.advance(31 * 86400)
    with pytest.raises(InvitationRejected, match="its deadline has passed"):
        join(home, home.settings(), world.federation.client, lambda: PASSPHRASE)


def test_nobody_joins_under_terms_that_were_not_accepted(world: World) -> None:
    home = world.enrolled(0)
    world.enact(NODE_CONFIG.replace("epochs = 1", "epochs = 2"))
    with pytest.raises(TermsNotAccepted, match=f"fairshare node init {home.path}"):
        join(home, home.settings(), world.federation.client, lambda: PASSPHRASE)
