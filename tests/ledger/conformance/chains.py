"""The chains that fairshare runs on, behind one interface: the local chain's engine in this process, the same served, and anvil.

Each is a TestChain whose ACCOUNTS have coin, that can be stopped and started again as it was, and set back to an older state.
"""

import shutil
import socket
import subprocess
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from web3 import Web3
from web3.middleware import AttributeDictMiddleware
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from ledger.chain.engine import Engine
from ledger.chain.server import JsonRpc
from ledger.connection import connect
from ledger.errors import ChainUnavailable
from tests.support.chain import ACCOUNTS, COIN, START, LocalChain, TestChain, account

_MODULES = Path(__file__).parents[3] / "contracts/node_modules/@foundry-rs"


def foundry(name: str) -> Path:
    """A program of Foundry; the test is skipped where it is not installed."""
    program = _MODULES / f"{name}-linux-amd64/bin/{name}"
    if not program.exists():
        pytest.skip(f"{name} is not installed: `npm ci` in contracts/ does it")
    return program


class _InDirectory:
    """A chain whose whole state is a directory."""

    directory: Path

    def keep(self, copy: Path) -> None:
        """Keep the present state, while it is stopped."""
        shutil.copytree(self.directory, copy)

    def set_back(self, copy: Path) -> None:
        """Take a kept state for one's own, while it is stopped."""
        shutil.rmtree(self.directory)
        shutil.copytree(copy, self.directory)


class InProcess(_InDirectory, TestChain):
    """The engine itself, without a server: requests are answered in the caller's thread."""

    def __init__(self, directory: Path) -> None:
        super().__init__("in process")
        self.directory, self._time = directory, START
        self.start()

    def start(self) -> None:
        """Open the database."""
        alloc: dict[str, int] = {account(name).address: 1000 * COIN for name in ACCOUNTS}
        self._engine = Engine(self.directory / "chain.sqlite", self.chain_id, alloc, lambda: self._time)
        self.__dict__.pop("web3", None)
        self._senders.clear()

    def stop(self) -> None:
        """Close it."""
        self._engine.close()

    @cached_property
    def web3(self) -> Web3:
        """A client of the engine."""
        return Web3(_Direct(JsonRpc(self._engine)), middleware=[AttributeDictMiddleware])

    def advance(self, seconds: int) -> None:
        """Move the clock ahead."""
        self._time = int(self.web3.eth.get_block("pending")["timestamp"]) + seconds


class _Direct(JSONBaseProvider):
    def __init__(self, rpc: JsonRpc) -> None:
        super().__init__()
        self._rpc = rpc

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        return self.decode_rpc_response(self._rpc.answer(self.encode_rpc_request(method, params)))


class Served(_InDirectory, LocalChain):
    """The local chain over HTTP, at the same URL after a restart."""

    def __init__(self, directory: Path, port: int = 0) -> None:
        self.directory = directory
        super().__init__(directory, port)
        self.__enter__()

    def start(self) -> None:
        """Serve it again where it was."""
        self._serve(int(self.url.rpartition(":")[2]))
        self.__enter__()
        self._senders.clear()

    def stop(self) -> None:
        """Stop serving."""
        self.__exit__()


class Anvil(TestChain):
    """Foundry's anvil, its state in a file from which it starts again. `options` are its own."""

    def __init__(self, directory: Path, *options: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        super().__init__(f"http://127.0.0.1:{self._port}")
        self._state, self._options = directory / "state.json", options
        self.start()
        for name in ACCOUNTS:
            self.ask("anvil_setBalance", account(name).address, hex(1000 * COIN))

    def ask(self, method: str, *params: object) -> Any:
        """One of anvil's own methods."""
        return self.web3.provider.make_request(method, list(params))["result"]  # type: ignore[arg-type] # not in web3's list

    def start(self) -> None:
        """Start it with the state that it ended with."""
        self._senders.clear()
        port, state = str(self._port), str(self._state)
        command = [str(foundry("anvil")), "--port", port, "--silent", "--state", state, *self._options]
        self._process = subprocess.Popen(command)
        while self._process.poll() is None:
            try:
                connect(self.url, self.chain_id)
                return
            except ChainUnavailable:
                continue
        pytest.fail(f"anvil ended with {self._process.returncode}")

    def stop(self) -> None:
        """End it; it writes its state."""
        self._process.terminate()
        self._process.wait()

    def keep(self, copy: Path) -> None:
        """Keep the present state, while it is stopped."""
        shutil.copy(self._state, copy)

    def set_back(self, copy: Path) -> None:
        """Take a kept state for one's own, while it is stopped."""
        shutil.copy(copy, self._state)


AnyChain = InProcess | Served | Anvil
CHAINS: dict[str, type[AnyChain]] = {"in process": InProcess, "served": Served, "anvil": Anvil}
