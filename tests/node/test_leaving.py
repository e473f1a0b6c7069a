"""Leaving, waiting and withdrawing: whatever the order and the times, no stake is lost, freed early or paid out twice."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from typer.testing import CliRunner

from ledger.errors import Reverted
from ledger.wallet import Wallet
from node.cli import app
from node.enrolment import home_at
from node.home import NodeHome
from node.leaving import Step, leave
from tests.node.conftest import World
from tests.support.chain import COIN, PASSPHRASE, LocalFederation, account

OWNERS = 3
STAKE = COIN // 2


@pytest.fixture(autouse=True)
def passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRSHARE_PASSPHRASE", PASSPHRASE)


class _Unbonding(RuleBasedStateMachine):
    """Owners join, leave, wait and withdraw in any order, beside rounds that open and become Void."""

    federation: LocalFederation
    homes: tuple[NodeHome, ...]

    def __init__(self) -> None:
        super().__init__()
        self.staked: dict[int, int] = {}  # owner → stake that the registry holds for it
        self.free_at: dict[int, int] = {}
        self.client = self.federation.client
        self.bonds = self.client.coin_balance(self.client.registry_address)  # of aggregator and scorers
        self.gone = {owner for owner in range(OWNERS) if self.client.index_of(account(f"owner {owner}").address) is not None}

    def _do(self, owner: int) -> Step:
        return leave(self.homes[owner], self.client, lambda: PASSPHRASE).step

    @rule(owner=st.integers(0, OWNERS - 1))
    def join(self, owner: int) -> None:
        if owner in self.staked:
            with pytest.raises(Reverted):
                self.federation.join(owner)
            return
        self.federation.join(owner)
        self.staked[owner] = STAKE
        self.gone.discard(owner)

    @precondition(lambda self: self.staked)
    @rule(data=st.data())
    def do_what_is_due(self, data: st.DataObject) -> None:
        owner = data.draw(st.sampled_from(sorted(self.staked)))
        free_at, now = self.free_at.get(owner), self.client.now()
        coin = self.client.coin_balance(account(f"owner {owner}").address)
        step = self._do(owner)
        if free_at is None:
            assert step is Step.LEFT
            self.free_at[owner] = self.client.node(self._index(owner)).unbonding_until
            assert self.free_at[owner] >= now + self.federation.config.stake.unbonding_seconds
        elif now < free_at:
            assert step is Step.WAITING
            assert self.client.coin_balance(account(f"owner {owner}").address) == coin
        else:
            assert step is Step.WITHDRAWN
            returned = self.client.coin_balance(account(f"owner {owner}").address) - coin
            assert 0 < STAKE - returned < COIN // 100  # all of it, but for the gas of asking
            del self.staked[owner], self.free_at[owner]
            self.gone.add(owner)

    @rule(data=st.data())
    def withdraw_for_somebody_too_early(self, data: st.DataObject) -> None:
        owner = data.draw(st.integers(0, OWNERS - 1))
        if owner not in self.staked:
            return
        if owner not in self.free_at or self.client.now() < self.free_at[owner]:
            with pytest.raises(Reverted):
                self.federation.send("stranger", self.client.withdraw(self._index(owner)))

    @rule(seconds=st.sampled_from((1, 500, 999, 2000)))
    def wait(self, seconds: int) -> None:
        self.federation.chain.advance(seconds)

    @precondition(lambda self: self.gone)
    @rule(data=st.data())
    def ask_after_all_is_over(self, data: st.DataObject) -> None:
        assert self._do(data.draw(st.sampled_from(sorted(self.gone)))) is Step.GONE

    @invariant()
    def the_registry_holds_the_bonds_and_every_stake_and_nothing_else(self) -> None:
        assert self.client.coin_balance(self.client.registry_address) == self.bonds + sum(self.staked.values())

    @invariant()
    def who_leaves_is_not_eligible(self) -> None:
        for owner in self.staked:
            assert self.client.node(self._index(owner)).eligible == (owner not in self.free_at)

    def _index(self, owner: int) -> int:
        index = self.client.index_of(account(f"owner {owner}").address)
        assert index is not None
        return index

    def teardown(self) -> None:
        # The next example starts from the same registry: everyone is out again.
        for owner in sorted(self.staked):
            while self._do(owner) is not Step.WITHDRAWN:
                self.federation.chain.advance(self.federation.config.stake.unbonding_seconds)


def test_nothing_is_lost_whatever_the_order(federation: LocalFederation, tmp_path: Path) -> None:
    homes = []
    for owner in range(OWNERS):
        home = home_at(tmp_path / f"node {owner}")
        Wallet.create(home.owner_key, PASSPHRASE, bytes(account(f"owner {owner}").key), scrypt_n=2)
        homes.append(home)
    machine = type("Unbonding", (_Unbonding,), {"federation": federation, "homes": tuple(homes)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=12, stateful_step_count=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
        ),
    )


def test_the_command_leads_from_leaving_to_the_stake(world: World) -> None:
    client = world.federation.client
    bonds = client.coin_balance(client.registry_address)
    home = world.node(0)
    run = CliRunner()
    left = json.loads(run.invoke(app, ["leave", str(home.path), "--json"]).stdout)
    until = client.node(0).unbonding_until
    assert (left["step"], left["node"], left["stake"], left["free_at"]) == ("left", 0, str(STAKE), until)
    assert not client.node(0).eligible
    told = run.invoke(app, ["leave", str(home.path)])
    assert told.exit_code == 0
    assert "its stake of 0.5 coin is free at 2027-01-15 08:" in told.stdout
    assert f"Then: fairshare node leave {home.path}" in told.stdout
    assert json.loads(run.invoke(app, ["leave", str(home.path), "--json"]).stdout)["transaction"] is None
    world.federation.chain.advance_to(until)
    assert "got its stake of 0.5 coin back" in run.invoke(app, ["leave", str(home.path)]).stdout
    assert "there is nothing to do" in run.invoke(app, ["leave", str(home.path)]).stdout
    assert client.coin_balance(client.registry_address) == bonds


def test_what_was_earned_stays_claimable_after_leaving(world: World) -> None:
    home, client = world.node(0), world.federation.client
    world.federation.play((10_000_000,))
    run = CliRunner()
    assert run.invoke(app, ["leave", str(home.path)]).exit_code == 0
    world.federation.chain.advance_to(client.node(0).unbonding_until)
    assert "got its stake" in run.invoke(app, ["leave", str(home.path)]).stdout
    assert "claimed 1000 TEST" in run.invoke(app, ["claim", str(home.path)]).stdout


def test_who_never_joined_is_told_so(world: World) -> None:
    told = CliRunner().invoke(app, ["leave", str(world.enrolled(0).path)])
    assert (told.exit_code, "has not joined" in told.stderr) == (18, True)
