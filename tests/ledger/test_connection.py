import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from web3 import Web3

from ledger.connection import connect
from ledger.errors import ChainRefused, ChainUnavailable, WrongChain
from ledger.logs import LogReader
from ledger.provider import ChainProvider
from tests.support.chain import LocalChain


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """An HTTP server that is no Ethereum node and says the same to everybody."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_another_chain_id_is_refused(chain: LocalChain) -> None:
    assert connect(chain.url, chain.chain_id).eth.chain_id == chain.chain_id
    with pytest.raises(WrongChain) as refused:
        connect(chain.url, 1)
    assert (refused.value.place, refused.value.expected, refused.value.found) == (chain.url, 1, chain.chain_id)


def test_nobody_listening_is_chain_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ChainUnavailable, match=f"no chain answers at {url} .no connection.") as refused:
            connect(url, 1)
    assert refused.value.url == url


def test_a_chain_that_stops_is_chain_unavailable(tmp_path_factory: pytest.TempPathFactory) -> None:
    with LocalChain(tmp_path_factory.mktemp("stopping")) as served:
        web3 = served.web3
        assert web3.eth.block_number == 0
    with pytest.raises(ChainUnavailable):
        web3.eth.get_block("latest")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>hello</html>"),
        (200, b"{}"),
        (200, b"[]"),
        (200, b'{"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"what?"}}'),
        (404, b"not here"),
        (500, b""),
    ],
)
def test_what_is_no_node_is_chain_unavailable(status: int, body: bytes) -> None:
    with answering(status, body) as url, pytest.raises(ChainUnavailable):
        connect(url, 1)


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(chain: LocalChain, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with answering(200, b'{"jsonrpc":"2.0","id":0,"result":"0x1"}') as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        assert connect(chain.url, chain.chain_id).eth.chain_id == chain.chain_id
        assert connect("http://chain.example", 1).eth.chain_id == 1, "the proxy answers for everybody else"


@pytest.mark.parametrize(("status", "kind"), [(400, ChainRefused), (413, ChainRefused), (429, ChainUnavailable)])
def test_a_refusal_that_is_one_of_http_too_is_told_from_a_node_that_is_away(status: int, kind: type[Exception]) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32614,"message":"eth_getLogs is limited to a 5 range"}}'
    with answering(status, body) as url:
        reader = LogReader(Web3(ChainProvider(url)), ["0x" + "1" * 40])
        with pytest.raises(kind):
            reader.forwards(1, 8)
    assert reader.span == (1 if kind is ChainRefused else 1000)


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1:1", "http://", "http://[::1"])
def test_what_is_no_url_is_chain_unavailable(url: str) -> None:
    with pytest.raises(ChainUnavailable):
        connect(url, 1)
