"""One node of a chain: JSON-RPC over HTTP."""

import json
from typing import Any

import requests
from web3 import HTTPProvider
from web3.types import RPCEndpoint, RPCResponse

from ledger.errors import ChainUnavailable

TIMEOUT = 30.0
"""Seconds that a node has for one answer."""

_REFUSED = (400, 413)
"""Bad request, and content too large: the question is at fault, not the node."""

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
NO_NODE = "what answers there is no Ethereum node"
"""Why an URL is of no use at which something else answers."""


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
        except requests.HTTPError as error:
            answer = _refusal(error)
            if answer is None:
                raise ChainUnavailable(self.url, _reason(error)) from error
        except requests.RequestException as error:
            raise ChainUnavailable(self.url, _reason(error)) from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ChainUnavailable(self.url, NO_NODE) from error
        if not isinstance(answer, dict):
            raise ChainUnavailable(self.url, NO_NODE)
        return answer

    def ask_number(self, method: str) -> int:
        """A number that any Ethereum node knows, such as eth_chainId. Raises `ChainUnavailable`."""
        result = self.make_request(RPCEndpoint(method), []).get("result")
        try:
            return int(str(result), 16)
        except ValueError:
            raise ChainUnavailable(self.url, NO_NODE) from None


def _refusal(error: requests.HTTPError) -> Any:
    """The JSON-RPC error in an answer that is one by its HTTP status too: so some nodes say that a question was too large."""
    if error.response is None or error.response.status_code not in _REFUSED:
        return None
    try:
        answer = error.response.json()
    except requests.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) and isinstance(answer.get("error"), dict) else None


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT:.0f} s"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return str(error)
