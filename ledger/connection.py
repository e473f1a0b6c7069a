"""The way to a chain: JSON-RPC over HTTP, to a node whose chain id is known beforehand."""

import json
from typing import Any

import requests
from web3 import HTTPProvider, Web3
from web3.exceptions import BadResponseFormat, Web3RPCError
from web3.middleware import AttributeDictMiddleware
from web3.types import RPCEndpoint, RPCResponse

from ledger.errors import ChainUnavailable, WrongChain

TIMEOUT = 30.0
"""Seconds that a node has for one answer."""

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_NO_NODE = "what answers there is no Ethereum node"


class ChainProvider(HTTPProvider):
    """web3's HTTP provider, but that nobody answering is `ChainUnavailable`, whoever asks what."""

    # A contract must not send us to URLs of its choice (EIP-3668).
    global_ccip_read_enabled = False

    def __init__(self, url: str) -> None:
        options: dict[str, Any] = {"timeout": TIMEOUT}
        if any(f"//{host}" in url for host in _LOOPBACK):
            # A proxy named by the environment cannot reach this machine's own loopback.
            options["proxies"] = {"no_proxy": ",".join(_LOOPBACK)}
        # No retries here: who calls knows whether and how long to wait.
        super().__init__(url, request_kwargs=options, exception_retry_configuration=None)
        self.url = url

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Send one request.

        Raises `ChainUnavailable`.
        """
        try:
            answer = super().make_request(method, params)
        except requests.RequestException as error:
            raise ChainUnavailable(self.url, _reason(error)) from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ChainUnavailable(self.url, _NO_NODE) from error
        if not isinstance(answer, dict):
            raise ChainUnavailable(self.url, _NO_NODE)
        return answer


def connect(rpc_url: str, chain_id: int) -> Web3:
    """Reach the chain with id `chain_id` at `rpc_url`.

    Raises `ChainUnavailable` if no node answers, `WrongChain` if one of another chain does.
    """
    # Of web3's middleware only the attribute access: gas, fees and nonces are the Sender's, names (ENS) are nobody's.
    web3 = Web3(ChainProvider(rpc_url), middleware=[AttributeDictMiddleware])
    try:
        found = web3.eth.chain_id
    except (Web3RPCError, BadResponseFormat) as error:
        raise ChainUnavailable(rpc_url, _NO_NODE) from error
    if found != chain_id:
        raise WrongChain(rpc_url, expected=chain_id, found=found)
    return web3


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT:.0f} s"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return str(error)
