"""What a node earned is the chain's to say; claiming mints it once, to the payout address."""

import pytest

from node import earnings as module
from node.earnings import claim, compare, earnings
from tests.node.conftest import World
from tests.support.chain import account

TOKEN = 10**18


def test_earned_pending_claimable_claimed(world: World) -> None:
    chain = world.federation.client
    world.node(0)
    world.node(1)
    empty = earnings(chain, 0)
    assert set(empty.amounts.values()) == {0}
    assert claim(chain, empty, world.federation.chain.sender("owner 0")).mined == ()

    world.federation.play((4_000_000, 6_000_000))
    world.open_round()
    world.close_round()
    world.federation.propose(2, (1_000_000, 9_000_000))
    found = earnings(chain, 0)
    assert found.amounts == {"earned": 400 * TOKEN, "pending": 100 * TOKEN, "claimable": 400 * TOKEN, "claimed": 0}
    assert found.pending_until == chain.round(2).deadline
    assert found.claimable_rounds == (1,)

    assert claim(chain, found, world.federation.chain.sender("owner 0"))[:2] == ((1,), 400 * TOKEN)
    world.advance_window()
    found = earnings(chain, 0)
    assert found.amounts == {"earned": 500 * TOKEN, "pending": 0, "claimable": 100 * TOKEN, "claimed": 400 * TOKEN}
    assert (found.pending_until, found.claimable_rounds) == (None, (2,))
    assert chain.balance(account("owner 0").address) == 400 * TOKEN


def test_void_rounds_and_rounds_without_a_score_pay_nothing(world: World) -> None:
    chain = world.federation.client
    world.node(0)
    world.node(1)
    world.federation.play((0, 10_000_000))
    world.open_round()
    world.federation.send("aggregator", chain.abandon(2))
    world.federation.play((10_000_000,))
    found = earnings(chain, 0)
    assert (found.claimable_rounds, found.amounts["earned"]) == ((3,), 1000 * TOKEN)


def test_anybody_may_pay_for_a_claim_and_many_rounds_go_in_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLAIM_ROUNDS", 2)
    world.node(0)
    for _ in range(3):
        world.federation.play((10_000_000,))
    done = claim(world.federation.client, earnings(world.federation.client, 0), world.federation.chain.sender("stranger"))
    assert (len(done.mined), done.rounds, done.amount) == (2, (1, 2, 3), 3000 * TOKEN)
    assert world.federation.client.balance(account("owner 0").address) == 3000 * TOKEN
    assert world.federation.client.balance(account("stranger").address) == 0
    assert earnings(world.federation.client, 0).claimable_rounds == ()


def test_the_aggregators_figures_are_compared_and_never_taken(world: World) -> None:
    world.node(0)
    world.federation.play((10_000_000,))
    found = earnings(world.federation.client, 0)
    assert compare(found, world.service.url) == "says the same"
    world.service.tamper["GET /v1/nodes/0/rewards"] = lambda honest: honest.model_copy(update={"claimable": 7})
    assert compare(found, world.service.url).startswith("differs, it says claimable 7 base units")
    world.service.tamper["GET /v1/nodes/0/rewards"] = lambda honest: honest.model_copy(update={"block": 1})
    assert "speaks of block 1" in compare(found, world.service.url)
    world.service.down()
    assert "not asked: no aggregator answers" in compare(found, world.service.url)
    world.service.up()
