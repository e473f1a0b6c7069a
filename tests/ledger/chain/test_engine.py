from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth.abc import BlockHeaderAPI
from eth_account import Account
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.chain.database import ChainDatabase
from ledger.chain.engine import Engine
from ledger.chain.execution import Message
from ledger.chain.logs import LogQuery, find
from ledger.chain.translation import receipt_of
from ledger.errors import DatabaseInUse, NotAChainDatabase, TransactionRefused, WrongChain
from tests.ledger.chain.conftest import MIDSUMMER, ManualClock
from tests.ledger.chain.contracts import CAUTIOUS, REGISTER, SCENE, SPENDTHRIFT, init_code, word

NOBODY = bytes(19) + b"\x01"


def signed(engine: Engine, **fields: Any) -> bytes:
    faucet = Account.from_key(engine.faucet_key)
    nonce = engine.state(engine.pending()).get_nonce(bytes.fromhex(faucet.address[2:]))  # type: ignore[arg-type]
    common = {"nonce": nonce, "gas": 200_000, "value": 0, "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 0}
    return bytes(faucet.sign_transaction({**common, "chainId": engine.chain_id, **fields}).raw_transaction)


def deploy(engine: Engine, runtime: bytes) -> bytes:
    mined = engine.mined(engine.send(signed(engine, data=init_code(runtime))))
    assert mined is not None
    created = receipt_of(mined).contract_address
    assert created is not None
    return created


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def engine(tmp_path: Path, clock: ManualClock) -> Iterator[Engine]:
    with Engine(tmp_path / "chain.sqlite", clock=clock) as engine:
        yield engine


def test_two_chains_have_different_faucets(tmp_path: Path) -> None:
    with Engine(tmp_path / "one") as one, Engine(tmp_path / "two") as two:
        assert one.faucet_key != two.faucet_key
        assert one.genesis_hash != two.genesis_hash
        assert int.from_bytes(one.faucet_key, "big") > 10, "the keys 1 to 10 are public knowledge"


def test_a_chain_is_resumed_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "chain.sqlite"
    with Engine(path) as first:
        register = deploy(first, REGISTER)
        last = first.send(signed(first, to=register, data=word(7)))
        first.increase_time(100)
        head, faucet = first.header(2).hash, first.faucet_key
    with Engine(path, alloc={"0x" + NOBODY.hex(): 1}) as again:
        assert again.height == 2
        assert again.header(2).hash == head
        assert again.faucet_key == faucet
        assert again.clock_offset == 100
        assert again.mined(last) is not None
        assert again.call(Message(NOBODY, register, 0, b"", None), again.pending()).output == word(7)
        again.send(signed(again, to=register, data=word(8)))
        assert again.header(3).parent_hash == head


def test_a_database_of_another_chain_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chain.sqlite"
    Engine(path, chain_id=1).close()
    with pytest.raises(WrongChain, match="is of chain 1, but chain 31337 is expected"):
        Engine(path)
    Engine(path, chain_id=1).close()  # the refusal released the file


def test_a_database_in_use_is_refused(tmp_path: Path) -> None:
    with Engine(tmp_path / "chain.sqlite"), pytest.raises(DatabaseInUse):
        Engine(tmp_path / "chain.sqlite")


def test_a_database_without_its_blocks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chain.sqlite"
    database = ChainDatabase(path)
    with database.transaction():
        database.change_setting("chain_id", 31337)
    database.close()
    with pytest.raises(NotAChainDatabase, match="cannot be read"):
        Engine(path)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(times=st.lists(st.integers(-50, 50), min_size=1, max_size=6))
def test_a_block_is_stamped_as_the_pending_one_before_it_said(tmp_path_factory: Any, times: list[int]) -> None:
    """For any clock, also one that goes back: stamp = max(parent + 1, now)."""
    clock = ManualClock()
    with Engine(tmp_path_factory.mktemp("chain") / "chain.sqlite", clock=clock) as engine:
        parent = engine.header(0)
        for time in times:
            clock.now = MIDSUMMER + time
            pending = engine.pending()
            assert pending.timestamp == max(parent.timestamp + 1, clock.now)
            engine.send(signed(engine, to=NOBODY, gas=21_000))
            parent = engine.header(engine.height)
            assert (parent.timestamp, parent.mix_hash) == (pending.timestamp, pending.mix_hash)


def test_a_disk_that_fills_up_in_the_middle_of_a_block_costs_nothing_but_that_block(engine: Engine) -> None:
    register = deploy(engine, REGISTER)
    before = engine.header(engine.height).hash
    raw = signed(engine, data=init_code(bytes(20_000)), gas=6_000_000)
    # A real failure of the file system's kind: SQLite may not use a page more than it has.
    limit = engine._database._connection.execute
    pages = limit("PRAGMA page_count").fetchone()[0]
    limit(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Exception, match="full"):
        engine.send(raw)
    assert engine.height == 1
    assert engine.header(1).hash == before
    limit("PRAGMA max_page_count = 100000")
    engine.send(signed(engine, to=register, data=word(3)))
    engine.send(signed(engine, data=init_code(bytes(20_000)), gas=6_000_000))
    assert engine.height == 3
    assert engine.call(Message(NOBODY, register, 0, b"", None), engine.pending()).output == word(3)


def minimum(engine: Engine, to: bytes, data: bytes) -> int:
    return engine.estimate(Message(NOBODY, to, 0, data, None), engine.pending()).gas_used


def test_the_estimate_of_a_plain_call_is_exact(engine: Engine) -> None:
    register = deploy(engine, REGISTER)
    gas = minimum(engine, register, word(1))
    assert engine.call(Message(NOBODY, register, 0, word(1), gas), engine.pending()).failure is None
    assert engine.call(Message(NOBODY, register, 0, word(1), gas - 1), engine.pending()).failure is not None
    mined = engine.mined(engine.send(signed(engine, to=register, data=word(1), gas=gas)))
    assert mined is not None
    assert receipt_of(mined).status == 1
    assert receipt_of(mined).gas_used == gas


def test_the_estimate_finds_what_a_contract_wants_but_does_not_use(engine: Engine) -> None:
    cautious = deploy(engine, CAUTIOUS)
    gas = minimum(engine, cautious, b"")
    assert 121_000 < gas < 122_000
    assert engine.call(Message(NOBODY, cautious, 0, b"", gas), engine.pending()).failure is None


def test_the_estimate_keeps_to_the_calldata_floor(engine: Engine) -> None:
    """EIP-7623: 10 gas per token, a non-zero byte is 4 tokens; py-evm alone would let such a transaction underpay."""
    gas = minimum(engine, NOBODY, b"\xff" * 1000)
    assert gas == 21_000 + 1000 * 40
    with pytest.raises(TransactionRefused, match="intrinsic gas too low: have 60999, want 61000"):
        engine.send(signed(engine, to=NOBODY, data=b"\xff" * 1000, gas=gas - 1))


def test_an_estimate_of_what_cannot_succeed_is_its_failure(engine: Engine) -> None:
    spendthrift = deploy(engine, SPENDTHRIFT)
    execution = engine.estimate(Message(NOBODY, spendthrift, 0, b"", 100_000), engine.pending())
    assert execution.failure is not None
    assert "OutOfGas" in execution.failure
    assert not execution.reverted


def test_a_call_changes_nothing(engine: Engine) -> None:
    register = deploy(engine, REGISTER)
    engine.call(Message(NOBODY, register, 0, word(5), None), engine.pending())
    assert engine.call(Message(NOBODY, register, 0, b"", None), engine.pending()).output == word(0)
    assert engine.height == 1


def test_a_call_that_was_answered_is_run_again_once_clock_or_chain_went_on(engine: Engine, clock: ManualClock) -> None:
    scene, register = deploy(engine, SCENE), deploy(engine, REGISTER)

    def answers() -> list[bytes]:
        return [engine.call(Message(NOBODY, to, 0, b"", None), engine.pending()).output for to in (scene, register)]

    first = answers()
    assert answers() == first
    assert engine._called.cache_info().hits == 2, "asked again, it is not run again"
    clock.now += 100
    later = answers()
    assert later[0][32:64] == word(engine.pending().timestamp) != first[0][32:64]
    engine.send(signed(engine, to=register, data=word(7)))
    assert answers() == [word(3 + 1) + word(engine.pending().timestamp) + bytes(engine.header(3).hash), word(7)]


@pytest.fixture(scope="module")
def eventful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, list[bytes]]]:
    """Two registers that log 0, 1, 2 in turns; some blocks log nothing."""
    with Engine(tmp_path_factory.mktemp("eventful") / "chain.sqlite") as engine:
        registers = [deploy(engine, REGISTER), deploy(engine, REGISTER)]
        for value in range(12):
            engine.send(signed(engine, to=registers[value % 2], data=word(value % 3)))
        engine.send(signed(engine, to=NOBODY))
        yield engine, registers


@settings(max_examples=60, deadline=None)
@given(
    addresses=st.frozensets(st.sampled_from([0, 1, None])),
    values=st.frozensets(st.integers(0, 4)),
    second=st.booleans(),
    span=st.tuples(st.integers(0, 15), st.integers(0, 15)),
)
def test_the_bloom_filter_hides_no_log(
    eventful: tuple[Engine, list[bytes]],
    addresses: frozenset[int | None],
    values: frozenset[int],
    second: bool,
    span: tuple[int, int],
) -> None:
    """find = reading every block."""
    engine, registers = eventful
    wanted = frozenset(NOBODY if i is None else registers[i] for i in addresses)
    # No log here has a second topic, so that whoever asks for one, even for any, gets nothing.
    topics = (frozenset(word(value) for value in values), *([frozenset[bytes]()] if second else []))
    headers = [engine.header(number) for number in range(min(span), max(span) + 1)]

    def read_all(header: BlockHeaderAPI) -> list[tuple[int, bytes, int]]:
        mined = engine.mined_in(header)
        return [
            (header.block_number, log.address, log.topics[0])
            for log in (mined.receipt.logs if mined else ())
            if (not wanted or log.address in wanted) and (not values or log.topics[0] in values) and not second
        ]

    found = find(engine, LogQuery(wanted, topics), headers)
    assert [(f.mined.header.block_number, f.log.address, f.log.topics[0]) for f in found] == [
        log for header in headers for log in read_all(header)
    ]
