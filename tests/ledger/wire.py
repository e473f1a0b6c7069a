"""A real connection that a test can break at a chosen request: before it reaches the chain, or before its answer returns."""

from collections.abc import Callable
from typing import Any

from web3 import Web3
from web3.types import RPCEndpoint, RPCResponse

from ledger.provider import ChainProvider

BROADCAST = "eth_sendRawTransaction"


class Killed(BaseException):
    """The process dies here; like a real kill, nothing may catch it."""


class Wire(ChainProvider):
    """`before` and `after` hold what happens, once, around the next request of a method; `swallow` a method unforwarded."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.before: dict[str, Callable[[], None]] = {}
        self.after: dict[str, Callable[[], None]] = {}
        self.swallowed: dict[str, Any] = {}
        self.sent: list[str] = []

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        if action := self.before.pop(method, None):
            action()
        self.sent.append(method)
        if method in self.swallowed:
            return {"jsonrpc": "2.0", "id": 0, "result": self.swallowed[method]}
        answer = super().make_request(method, params)
        if action := self.after.pop(method, None):
            action()
        return answer

    @property
    def web3(self) -> Web3:
        """A client over this wire."""
        return Web3(self)


def die() -> None:
    """What a kill does."""
    raise Killed
