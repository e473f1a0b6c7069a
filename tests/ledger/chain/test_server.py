"""JSON-RPC's envelope, and the server as a process: stopped, killed, started twice."""

import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account

from ledger.chain.engine import Engine
from ledger.chain.faucet import FaucetFile, faucet_path
from ledger.chain.server import ChainServer
from ledger.errors import DatabaseInUse, PortInUse
from tests.ledger.chain.conftest import ServedChain, User
from tests.ledger.chain.contracts import REGISTER, init_code, word

SOMEBODY = "0x00000000000000000000000000000000DeaDBeef"
JSON = {"content-type": "application/json"}


def ask(number: object, method: str = "eth_chainId", **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, **more}


def test_single_requests_and_batches_are_answered_under_their_ids(server: ChainServer) -> None:
    chain_id = "0x7a69"
    assert httpx.post(server.url, json=ask(7)).json() == {"jsonrpc": "2.0", "id": 7, "result": chain_id}
    batch = httpx.post(server.url, json=[ask("a"), ask(None, "eth_blockNumber"), ask(3, "eth_nonsense")]).json()
    assert [answer["id"] for answer in batch] == ["a", None, 3]
    assert [answer.get("result") for answer in batch] == [chain_id, "0x0", None]
    assert batch[2]["error"]["code"] == -32601


def test_notifications_get_no_answer(server: ChainServer) -> None:
    notification = {"jsonrpc": "2.0", "method": "eth_chainId"}
    assert httpx.post(server.url, json=notification).content == b""
    assert len(httpx.post(server.url, json=[notification, ask(1)]).json()) == 1
    assert httpx.post(server.url, json=[notification]).content == b""


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[" * 500_000, -32700),
        (b"\xff", -32700),
        (b"", -32700),
        (b"[]", -32600),
        (b"3", -32600),
        (b'{"id":1}', -32600),
        (b'{"id":1,"method":3}', -32600),
        (b'{"id":1,"method":"eth_chainId","params":{"a":1}}', -32600),
        (b'{"id":1,"method":"eth_getProof"}', -32601),
        (b'{"id":1,"method":"answer"}', -32601),
        (b'{"id":1,"method":"eth_chainId","params":[1]}', -32602),
    ],
)
def test_what_is_no_request_gets_the_code_of_the_standard(server: ChainServer, body: bytes, code: int) -> None:
    assert httpx.post(server.url, content=body, headers=JSON).json()["error"]["code"] == code


def test_a_page_in_a_browser_cannot_reach_the_chain(server: ChainServer) -> None:
    """Neither by posting what needs no permission, nor under a foreign name that resolves to this machine."""
    simple = httpx.post(server.url, content=b'{"id":1,"method":"eth_chainId"}', headers={"content-type": "text/plain"})
    assert simple.status_code == 415
    rebound = httpx.post(server.url, json=ask(1), headers={"host": "evil.example"})
    assert rebound.status_code == 400


def test_many_clients_at_once_are_served_one_after_the_other(server: ChainServer, user: User) -> None:
    register = user.deploy(REGISTER)
    raws = [user.sign(to=register, data=word(value), nonce=value) for value in range(1, 11)]

    def work(client: int) -> list[str]:
        with httpx.Client() as http:
            return [
                http.post(server.url, json=ask(1, "eth_call", params=[{"to": register}, "latest"])).json()["result"]
                for _ in range(20)
            ]

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(work, client) for client in range(3)]
        for raw in raws:
            user.web3.eth.send_raw_transaction(raw)
    for reader in readers:
        seen = [int(answer, 16) for answer in reader.result()]
        assert seen == sorted(seen)
        assert seen[-1] <= 10
    assert user.web3.eth.call({"to": register}) == word(10)


def test_a_port_in_use_is_refused_and_the_database_released(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=f"127.0.0.1:{port}"):
            ChainServer(tmp_path / "chain.sqlite", port)
    with ChainServer(tmp_path / "chain.sqlite", 0):
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly_and_it_prints_nothing(served: ServedChain, number: int, tmp_path: Path) -> None:
    assert httpx.post(served.url, json=ask(1)).json()["result"] == "0x7a69"
    assert served.end(number) == (0, "")
    with Engine(tmp_path / "chain.sqlite") as engine:
        assert engine.height == 0


def test_a_kill_in_a_stream_of_transactions_loses_none_that_was_confirmed(served: ServedChain, tmp_path: Path) -> None:
    database = tmp_path / "chain.sqlite"
    with pytest.raises(DatabaseInUse):
        Engine(database)
    faucet = FaucetFile.read(faucet_path(database))
    user = User(served.url, Account.from_key(faucet.private_key))
    register = user.deploy(REGISTER)
    raws = [user.sign(to=register, data=word(value), nonce=value) for value in range(1, 400)]
    confirmed: list[dict[str, Any]] = []
    enough = threading.Event()

    def stream() -> None:
        with httpx.Client() as http:
            for raw in raws:
                try:
                    sent = http.post(served.url, json=ask(1, "eth_sendRawTransaction", params=["0x" + raw.hex()]))
                    transaction_hash = sent.json()["result"]
                    receipt = http.post(served.url, json=ask(1, "eth_getTransactionReceipt", params=[transaction_hash]))
                except httpx.TransportError:
                    return
                confirmed.append(receipt.json()["result"])
                if len(confirmed) == 25:
                    enough.set()

    streaming = threading.Thread(target=stream)
    streaming.start()
    assert enough.wait(60)
    served.process.kill()
    served.process.wait()
    streaming.join()
    assert 25 <= len(confirmed) < len(raws), "the kill came in the middle"

    with ChainServer(database, 0) as server:
        user = User(server.url, user.account)
        height = int(user.web3.eth.block_number)
        # What was under way when the kill came may be there or not, but wholly: at most one, with state and logs.
        assert height - 1 in (len(confirmed), len(confirmed) + 1)
        for receipt in confirmed:
            assert user.rpc("eth_getTransactionReceipt", receipt["transactionHash"])["result"] == receipt
        assert user.web3.eth.get_transaction_count(user.account.address) == height
        assert user.web3.eth.call({"to": register}) == word(height - 1)
        logs = user.web3.eth.get_logs({"fromBlock": 0, "toBlock": "latest"})
        assert [int.from_bytes(log["data"], "big") for log in logs] == list(range(1, height))
        assert FaucetFile.read(faucet_path(database)) == faucet
        assert user.send(to=register, data=word(0))["blockNumber"] == height + 1


def test_a_defect_is_answered_and_logged(
    server: ChainServer, user: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("no such luck")

    monkeypatch.setattr(server._engine, "send", broken)
    answer = user.rpc("eth_sendRawTransaction", "0x" + init_code(b"").hex())
    assert answer["error"]["code"] == -32603
    assert "no such luck" in caplog.text
    assert user.web3.eth.chain_id == 31337
