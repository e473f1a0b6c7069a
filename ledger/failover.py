"""Several nodes of one chain behind one provider: whichever is reachable, of the right chain, and furthest along."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from web3.providers.base import BaseProvider
from web3.types import RPCEndpoint, RPCResponse

from ledger.errors import ChainUnavailable, WrongChain
from ledger.provider import ChainProvider

RECHECK_SECONDS = 60.0
"""How often the nodes are compared while all goes well."""

TOLERATED_BLOCKS = 2
"""A node that is further behind the furthest than this is left: it is out of sync, not only a message late."""


class _Standing(NamedTuple):
    """How far a node is: its latest block, or why it cannot be asked."""

    provider: ChainProvider
    height: int
    trouble: Exception | None


class FailoverProvider(BaseProvider):
    """Sends each request to one node; when that does not answer, or falls behind, to the next in the order given.

    A request that was lost on its way may reach a second node: every JSON-RPC request bears that, a transaction too, since its
    bytes count once on the chain. `clock` gives seconds.
    """

    global_ccip_read_enabled = False

    def __init__(
        self, urls: Sequence[str], chain_id: int, clock: Callable[[], float] = time.monotonic, recheck: float = RECHECK_SECONDS
    ) -> None:
        super().__init__()
        self._providers = tuple(ChainProvider(url) for url in urls)
        self._chain_id = chain_id
        self._clock, self._recheck = clock, recheck
        self._lock = threading.Lock()
        self._current: ChainProvider | None = None
        self._compared = 0.0

    @property
    def url(self) -> str:
        """Where requests go now; all URLs before the first."""
        return self._current.url if self._current else ",".join(provider.url for provider in self._providers)

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Send one request to the best node.

        Raises `ChainUnavailable` if none answers, `WrongChain` if those that do are of another chain.
        """
        with self._lock:
            if self._current is None or self._clock() - self._compared > self._recheck:
                self._current = self._best()
            asked = self._current
        try:
            return asked.make_request(method, params)
        except ChainUnavailable:
            with self._lock:
                if self._current is asked:  # another thread may have changed over meanwhile
                    self._current = None
                    self._current = self._best()
                following = self._current
            return following.make_request(method, params)

    def _best(self) -> ChainProvider:
        standings = [self._standing(provider) for provider in self._providers]
        usable = [standing for standing in standings if standing.trouble is None]
        self._compared = self._clock()
        if not usable:
            raise _why(standings)
        furthest = max(standing.height for standing in usable)
        level = [standing.provider for standing in usable if standing.height >= furthest - TOLERATED_BLOCKS]
        return self._current if self._current in level else level[0]

    def _standing(self, provider: ChainProvider) -> _Standing:
        try:
            found = provider.ask_number("eth_chainId")
            if found != self._chain_id:
                return _Standing(provider, 0, WrongChain(provider.url, self._chain_id, found))
            return _Standing(provider, provider.ask_number("eth_blockNumber"), None)
        except ChainUnavailable as error:
            return _Standing(provider, 0, error)


def _why(standings: Sequence[_Standing]) -> Exception:
    """What to tell if no node can be used. One of a wrong chain is a mistake to be mended; a dead one may come back."""
    troubles = [standing.trouble for standing in standings]
    if all(isinstance(trouble, WrongChain) for trouble in troubles):
        assert troubles[0] is not None
        return troubles[0]
    reasons = "; ".join(trouble.reason if isinstance(trouble, ChainUnavailable) else str(trouble) for trouble in troubles)
    return ChainUnavailable(" or ".join(standing.provider.url for standing in standings), reasons)
