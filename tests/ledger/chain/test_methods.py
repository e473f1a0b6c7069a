"""The served chain seen by web3.py, as every client of ours sees it."""

from typing import Any

import pytest
from eth_account import Account
from eth_typing import BlockNumber
from web3.exceptions import (
    BlockNotFound,
    ContractCustomError,
    ContractLogicError,
    ContractPanicError,
    TransactionNotFound,
    Web3RPCError,
)
from web3.types import Wei

from ledger.chain import methods
from ledger.chain.engine import LOCAL_CHAIN_ID
from tests.ledger.chain.conftest import MIDSUMMER, RICH, ManualClock, User
from tests.ledger.chain.contracts import ECHO_REVERT, NEEDS_PARENT_HASH, REGISTER, SCENE, SPENDTHRIFT, word

SOMEBODY = "0x00000000000000000000000000000000DeaDBeef"
LEGACY = {"gasPrice": 10**10}


def scene(output: bytes) -> tuple[int, int, bytes]:
    return int.from_bytes(output[:32], "big"), int.from_bytes(output[32:64], "big"), output[64:]


# --- transactions


@pytest.mark.parametrize("fees", [LEGACY, {"gasPrice": 10**10, "accessList": []}, {}], ids=["legacy", "2930", "1559"])
def test_a_transaction_of_each_type_is_mined_and_found_again(user: User, fees: dict[str, Any]) -> None:
    raw = user.sign(to=SOMEBODY, value=5, gas=30_000, **fees)
    transaction_hash = user.web3.eth.send_raw_transaction(raw)
    transaction = user.web3.eth.get_transaction(transaction_hash)
    receipt = user.web3.eth.get_transaction_receipt(transaction_hash)
    block = user.web3.eth.get_block(1)
    assert block["transactions"] == [transaction_hash]
    assert receipt["status"] == 1
    assert receipt["gasUsed"] == receipt["cumulativeGasUsed"] == block["gasUsed"] == 21_000
    assert transaction["from"] == receipt["from"] == user.account.address
    assert transaction["to"] == receipt["to"] == SOMEBODY
    assert transaction["blockHash"] == receipt["blockHash"] == block["hash"]
    assert transaction["gasPrice"] == receipt["effectiveGasPrice"]
    assert transaction["type"] == receipt["type"]
    # The answer holds everything that was signed: put together again, it is the same transaction.
    signed = ["nonce", "to", "value", "gas", "chainId"]
    signed += ["maxFeePerGas", "maxPriorityFeePerGas"] if transaction["type"] == 2 else ["gasPrice"]
    signed += ["type", "accessList"] if transaction["type"] else []
    again: dict[str, Any] = {name: dict(transaction)[name] for name in signed}
    assert user.account.sign_transaction({**again, "data": transaction["input"]}).raw_transaction == raw
    assert user.web3.eth.get_balance(SOMEBODY) == 5  # type: ignore[arg-type]
    spent = 5 + receipt["gasUsed"] * receipt["effectiveGasPrice"]
    assert user.web3.eth.get_balance(user.account.address) == RICH - spent


@pytest.mark.parametrize("fees", [LEGACY, {}], ids=["legacy", "typed"])
def test_a_transaction_signed_for_another_chain_is_refused(user: User, fees: dict[str, Any]) -> None:
    """Stock eth-tester mines it: a replay."""
    with pytest.raises(Web3RPCError, match="invalid chain id: this chain is 31337, the transaction has 1"):
        user.send(to=SOMEBODY, chainId=1, **fees)
    assert user.web3.eth.block_number == 0


def test_a_transaction_without_replay_protection_is_refused(user: User) -> None:
    unprotected: dict[str, Any] = {"nonce": 0, "gas": 21_000, "gasPrice": 10**10, "to": SOMEBODY, "value": 1}
    raw = user.account.sign_transaction(unprotected).raw_transaction
    with pytest.raises(Web3RPCError, match="not replay-protected"):
        user.web3.eth.send_raw_transaction(raw)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"nonce": 0}, "nonce too low: next nonce is 1, the transaction has 0"),
        ({"nonce": 7}, "nonce too high: next nonce is 1, the transaction has 7"),
        ({"value": RICH}, "insufficient funds"),
        ({"gas": 20_999}, "intrinsic gas too low: have 20999, want 21000"),
        ({"gas": 30_000_001}, "exceeds block gas limit"),
        ({"maxFeePerGas": 1}, "max fee per gas less than block base fee: 1 < "),
        ({"maxFeePerGas": 10**9, "maxPriorityFeePerGas": 10**10}, "max priority fee per gas higher"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_mined_is_refused_with_a_sentence(user: User, fields: dict[str, Any], sentence: str) -> None:
    user.send(to=SOMEBODY)
    answer = user.rpc("eth_sendRawTransaction", "0x" + user.sign(to=SOMEBODY, **fields).hex())
    assert answer["error"]["code"] == -32000
    assert sentence in answer["error"]["message"]
    assert user.web3.eth.block_number == 1


@pytest.mark.parametrize("raw", ["0x", "0x00", "0xc0", "0x02", "0x02c0", "0x03c0", "0x04c0", "0x7fc0", "0xf86b80"])
def test_what_is_no_transaction_is_refused(user: User, raw: str) -> None:
    answer = user.rpc("eth_sendRawTransaction", raw)
    assert answer["error"]["code"] == -32000
    assert "transaction" in answer["error"]["message"]


def test_a_forged_signature_is_refused(user: User) -> None:
    raw = user.sign(to=SOMEBODY)
    with pytest.raises(Web3RPCError):
        user.web3.eth.send_raw_transaction(raw[:-32] + bytes(32))


def test_a_transaction_that_reverts_is_mined_with_status_0(user: User) -> None:
    echo = user.deploy(ECHO_REVERT)
    receipt = user.send(to=echo, data="0xdeadbeef")
    assert receipt["status"] == 0
    assert user.web3.eth.block_number == 2


# --- reverts


@pytest.mark.parametrize("ask", ["call", "estimate_gas"])
def test_a_revert_brings_its_data(user: User, ask: str) -> None:
    echo = user.deploy(ECHO_REVERT)
    method = getattr(user.web3.eth, ask)
    with pytest.raises(ContractCustomError) as custom:
        method({"to": echo, "data": "0xdeadbeef" + word(7).hex()})
    assert custom.value.data == "0xdeadbeef" + word(7).hex()
    with pytest.raises(ContractPanicError, match="0x11"):
        method({"to": echo, "data": "0x4e487b71" + word(0x11).hex()})
    with pytest.raises(ContractLogicError, match="execution reverted"):
        method({"to": echo})


def test_a_revert_on_the_wire_is_that_of_geth(user: User) -> None:
    echo = user.deploy(ECHO_REVERT)
    for method in ("eth_call", "eth_estimateGas"):
        answer = user.rpc(method, {"to": echo, "input": "0xdeadbeef"})
        assert answer["error"] == {"code": 3, "message": "execution reverted", "data": "0xdeadbeef"}


def test_running_out_of_gas_is_not_called_a_revert(user: User) -> None:
    spendthrift = user.deploy(SPENDTHRIFT)
    answer = user.rpc("eth_call", {"to": spendthrift, "gas": "0x186a0"})
    assert answer["error"]["code"] == -32000
    assert "OutOfGas" in answer["error"]["message"]


# --- calls, states, time


def test_an_account_without_coin_can_ask_but_not_give(user: User) -> None:
    register = user.deploy(REGISTER)
    poor = Account.create().address
    assert user.web3.eth.call({"from": poor, "to": register}) == word(0)
    assert user.web3.eth.estimate_gas({"from": poor, "to": register, "data": word(1)}) > 21_000
    with pytest.raises(Web3RPCError, match="insufficient funds"):
        user.web3.eth.call({"from": poor, "to": register, "value": Wei(1)})


def test_an_estimate_is_enough_and_not_more_than_used(user: User) -> None:
    register = user.deploy(REGISTER)
    gas = user.web3.eth.estimate_gas({"from": user.account.address, "to": register, "data": word(1)})
    receipt = user.send(to=register, data=word(1), gas=gas)
    assert (receipt["status"], receipt["gasUsed"]) == (1, gas)


def test_the_past_can_be_asked(user: User) -> None:
    register = user.deploy(REGISTER)
    for value in (1, 2):
        user.send(to=register, data=word(value))
    eth = user.web3.eth
    assert [eth.call({"to": register}, number) for number in (1, 2, 3)] == [word(0), word(1), word(2)]
    assert eth.call({"to": register}, eth.get_block(2)["hash"]) == word(1)
    assert eth.call({"to": register}) == eth.call({"to": register}, "pending") == word(2)
    assert [eth.get_transaction_count(user.account.address, number) for number in range(4)] == [0, 1, 2, 3]
    assert eth.get_code(register, 0) == b""  # type: ignore[arg-type]
    assert eth.get_code(register) == REGISTER  # type: ignore[arg-type]
    assert eth.get_storage_at(register, 0, 2) == word(1)  # type: ignore[arg-type]
    assert eth.get_balance(user.account.address, "earliest") == RICH
    with pytest.raises((BlockNotFound, Web3RPCError), match="not found"):
        eth.call({"to": register}, 4)


def test_a_call_runs_in_the_block_to_come(user: User, clock: ManualClock) -> None:
    """An idle chain mines no blocks, and still its contracts see today's time, and the hash of the last block."""
    contract = user.deploy(SCENE)
    clock.now += 1000
    head = user.web3.eth.get_block("latest")
    for block in ("latest", "pending"):
        number, time, parent = scene(user.web3.eth.call({"to": contract}, block))
        assert (number, time, parent) == (2, MIDSUMMER + 1000, bytes(head["hash"]))
    pending = user.web3.eth.get_block("pending")
    assert (pending["number"], pending["timestamp"]) == (2, MIDSUMMER + 1000)
    assert pending["parentHash"] == head["hash"]
    assert user.web3.eth.block_number == 1


def test_the_hash_of_the_last_block_is_known_to_calls_estimates_and_transactions(user: User) -> None:
    contract = user.deploy(NEEDS_PARENT_HASH)
    assert user.web3.eth.call({"to": contract}) == b""
    gas = user.web3.eth.estimate_gas({"to": contract})
    assert user.send(to=contract, gas=gas)["status"] == 1


def test_a_call_in_the_past_has_the_time_of_then(user: User, clock: ManualClock) -> None:
    contract = user.deploy(SCENE)
    clock.now += 1000
    number, time, parent = scene(user.web3.eth.call({"to": contract}, 1))
    genesis, block = user.web3.eth.get_block(0), user.web3.eth.get_block(1)
    assert (number, time, parent) == (1, block["timestamp"], bytes(genesis["hash"]))


def test_blocks_are_at_least_a_second_apart_and_never_before_now(user: User, clock: ManualClock) -> None:
    user.send(to=SOMEBODY)
    user.send(to=SOMEBODY)
    clock.now += 100
    user.send(to=SOMEBODY)
    clock.now -= 100
    user.send(to=SOMEBODY)
    stamps = [user.web3.eth.get_block(number)["timestamp"] - MIDSUMMER for number in range(5)]
    assert stamps == [0, 1, 2, 100, 101]


def test_time_can_be_moved_ahead(user: User) -> None:
    assert user.rpc("evm_increaseTime", 3600)["result"] == hex(3600)
    assert user.rpc("evm_increaseTime", "0x10")["result"] == hex(3616)
    assert user.web3.eth.get_block("pending")["timestamp"] == MIDSUMMER + 3616
    assert "error" in user.rpc("evm_increaseTime", -1)


# --- blocks and fees


def test_blocks_hang_together(user: User) -> None:
    for _ in range(3):
        user.send(to=SOMEBODY)
    blocks = [user.web3.eth.get_block(number) for number in range(4)]
    assert [block["number"] for block in blocks] == [0, 1, 2, 3]
    assert [block["parentHash"] for block in blocks[1:]] == [block["hash"] for block in blocks[:-1]]
    assert user.web3.eth.get_block(blocks[2]["hash"]) == blocks[2]
    assert user.web3.eth.get_block("latest") == user.web3.eth.get_block("finalized") == blocks[3]
    assert user.web3.eth.get_block("earliest") == blocks[0]
    full = user.web3.eth.get_block(2, full_transactions=True)["transactions"]
    assert full == [user.web3.eth.get_transaction(blocks[2]["transactions"][0])]  # type: ignore[arg-type]
    receipts = user.web3.eth.get_block_receipts(2)
    assert [receipt["transactionHash"] for receipt in receipts] == blocks[2]["transactions"]


def test_what_is_not_there_is_null(user: User) -> None:
    with pytest.raises(BlockNotFound):
        user.web3.eth.get_block(1)
    with pytest.raises(BlockNotFound):
        user.web3.eth.get_block(word(1))  # type: ignore[arg-type]
    with pytest.raises(TransactionNotFound):
        user.web3.eth.get_transaction(word(1))  # type: ignore[arg-type]
    with pytest.raises(TransactionNotFound):
        user.web3.eth.get_transaction_receipt(word(1))  # type: ignore[arg-type]
    assert user.rpc("eth_getBlockReceipts", "0x1")["result"] is None


def test_fixed_width_fields_are_padded(user: User) -> None:
    """Other clients (alloy, so cast) refuse a bloom or a nonce with its zeros cut off."""
    transaction_hash = user.send(to=SOMEBODY)["transactionHash"].to_0x_hex()
    block = user.rpc("eth_getBlockByNumber", "0x1", False)["result"]
    receipt = user.rpc("eth_getTransactionReceipt", transaction_hash)["result"]
    assert {name: len(block[name]) for name in ("nonce", "mixHash", "logsBloom", "miner")} == {
        "nonce": 2 + 16,
        "mixHash": 2 + 64,
        "logsBloom": 2 + 512,
        "miner": 2 + 40,
    }
    assert len(receipt["logsBloom"]) == 2 + 512
    assert receipt["status"] == "0x1"
    assert receipt["contractAddress"] is None


def test_fees_can_be_asked_for(user: User) -> None:
    eth = user.web3.eth
    for tip in (0, 3):
        user.send(to=SOMEBODY, maxPriorityFeePerGas=tip)
    history = eth.fee_history(2, "latest", [10.0, 90.0])
    base_fees = [eth.get_block(number)["baseFeePerGas"] for number in (1, 2)]
    following = eth.get_block("pending")["baseFeePerGas"]
    assert history["oldestBlock"] == 1
    assert history["baseFeePerGas"] == [*base_fees, following]
    assert history["gasUsedRatio"] == [21_000 / 30_000_000] * 2
    assert history["reward"] == [[0, 0], [3, 3]]
    assert eth.gas_price == following + eth.max_priority_fee
    assert eth.fee_history(100, BlockNumber(1))["baseFeePerGas"] == [eth.get_block(0)["baseFeePerGas"], *base_fees]


def test_web3_fills_in_what_it_needs(user: User) -> None:
    """The way of web3's own helpers: chain id, nonce, fees and gas all asked for."""
    register = user.deploy(REGISTER)
    contract = user.web3.eth.contract(address=register, abi=[{"type": "fallback", "stateMutability": "nonpayable"}])  # type: ignore[call-overload]
    filled = contract.fallback.build_transaction({"from": user.account.address})
    filled["nonce"] = user.web3.eth.get_transaction_count(user.account.address)
    assert filled["chainId"] == user.web3.eth.chain_id == LOCAL_CHAIN_ID
    raw = user.account.sign_transaction(filled).raw_transaction
    assert user.web3.eth.wait_for_transaction_receipt(user.web3.eth.send_raw_transaction(raw))["status"] == 1


def test_it_says_what_it_is(user: User) -> None:
    assert user.web3.is_connected()
    assert user.web3.client_version == "fairshare-local/1"
    assert user.web3.net.version == "31337"
    assert user.web3.net.listening
    assert user.web3.eth.syncing is False
    assert not user.web3.eth.accounts


# --- logs


def test_logs_are_found_by_block_address_and_topic(user: User) -> None:
    one, two = user.deploy(REGISTER), user.deploy(REGISTER)
    receipts = [user.send(to=to, data=word(value)) for to, value in ((one, 1), (two, 1), (one, 2))]
    logs = [receipt["logs"][0] for receipt in receipts]

    def found(**wanted: Any) -> list[Any]:
        return list(user.web3.eth.get_logs({"fromBlock": 0, "toBlock": "latest", **wanted}))  # type: ignore[typeddict-item]

    assert found() == logs
    assert found(address=one) == [logs[0], logs[2]]
    assert found(address=[one, two], topics=[word(1)]) == logs[:2]
    assert found(topics=[[word(2), word(3)]]) == [logs[2]]
    assert found(topics=[None]) == logs
    assert found(topics=[None, None]) == []
    assert found(fromBlock=4, toBlock=4) == [logs[1]]
    assert found(fromBlock=6, toBlock=9) == []
    assert list(user.web3.eth.get_logs({"blockHash": receipts[1]["blockHash"]})) == [logs[1]]
    assert list(user.web3.eth.get_logs({})) == [logs[2]], "latest to latest"
    assert bytes(logs[0]["topics"][0]) == bytes(logs[0]["data"]) == word(1)
    assert logs[0]["address"] == one


def test_a_search_for_logs_is_bounded(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    register = user.deploy(REGISTER)
    for value in range(3):
        user.send(to=register, data=word(value))
    monkeypatch.setattr(methods, "MAX_LOGS", 3)
    monkeypatch.setattr(methods, "MAX_BLOCKS", 5)
    whole = {"fromBlock": "0x0", "toBlock": "0x4"}
    assert len(user.rpc("eth_getLogs", whole)["result"]) == 3
    monkeypatch.setattr(methods, "MAX_BLOCKS", 4)
    answer = user.rpc("eth_getLogs", whole)
    assert (answer["error"]["code"], answer["error"]["message"][:9]) == (-32005, "5 blocks ")
    monkeypatch.setattr(methods, "MAX_BLOCKS", 5)
    monkeypatch.setattr(methods, "MAX_LOGS", 2)
    assert user.rpc("eth_getLogs", whole)["error"]["code"] == -32005


# --- parameters


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("eth_getBalance", []),
        ("eth_getBalance", ["0x12"]),
        ("eth_getBalance", [SOMEBODY, "yesterday"]),
        ("eth_getBalance", [SOMEBODY, "latest", "more"]),
        ("eth_getBalance", ["not hex"]),
        ("eth_getTransactionReceipt", ["0x12"]),
        ("eth_call", ["0x"]),
        ("eth_call", [{"to": "0x12"}]),
        ("eth_call", [{"to": SOMEBODY, "value": "12"}]),
        ("eth_getLogs", [{"topics": [[["0x"]]]}]),
        ("eth_sendRawTransaction", ["0x123"]),
        ("evm_increaseTime", [True]),
    ],
)
def test_wrong_parameters_are_named(user: User, method: str, params: list[Any]) -> None:
    error = user.rpc(method, *params)["error"]
    assert error["code"] == -32602
    assert method in error["message"]


def test_blocks_can_be_named_by_objects(user: User) -> None:
    """EIP-1898, as alloy does."""
    user.send(to=SOMEBODY, value=9)
    block_hash = user.web3.eth.get_block(1)["hash"].to_0x_hex()
    for block in ({"blockHash": block_hash}, {"blockNumber": "0x1"}, block_hash, None):
        assert user.rpc("eth_getBalance", SOMEBODY, block)["result"] == "0x9"
    assert user.rpc("eth_getBalance", SOMEBODY, {"blockNumber": "0x0"})["result"] == "0x0"
