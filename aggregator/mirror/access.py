"""Who may see what: the level of access that a signed request proves.

The aggregator and the registry's scorers see everything, the nodes of a round's roster what members may see of that round.
"""

import time
from collections.abc import Callable, Mapping

from aggregator.mirror.nonces import NonceStore
from aggregator.refusals import NotAllowed, RequestExpired, RequestReplayed
from ledger.client import LedgerClient
from protocol.evidence import Access
from protocol.requests import LIFETIME_SECONDS, SKEW_SECONDS, read_request
from protocol.typed_data import Domain


class Gatekeeper:
    """Checks signed requests of one federation against the registry. `clock` gives unix seconds."""

    def __init__(self, ledger: LedgerClient, nonces: NonceStore, clock: Callable[[], float] = time.time) -> None:
        self._ledger = ledger
        self._nonces = nonces
        self._clock = clock

    @property
    def domain(self) -> Domain:
        """The federation that requests are signed for."""
        return self._ledger.domain

    def admit(self, method: str, path: str, headers: Mapping[str, str], number: int | None, needed: Access) -> Access:
        """The level that the request proves, for the roster of round `number` if there is one.

        Raises `NotAllowed` if it is below `needed`, `RequestExpired`, `RequestReplayed`, `SignatureError`. A body is
        not looked at: each is checked against what its node committed to.
        """
        signer = self.signer(method, path, headers)
        level = Access.ANYONE if signer is None else self._level(signer, number)
        if level < needed:
            raise NotAllowed(needed.name.lower(), signer)
        return level

    def signer(self, method: str, path: str, headers: Mapping[str, str]) -> str | None:
        """Who signed the request, None if nobody did; its nonce is used up. Raises as `admit` does."""
        signed = read_request(self.domain, method, path, headers)
        if signed is None:
            return None
        request, signer = signed
        now = int(self._clock())
        if not now - SKEW_SECONDS <= request.deadline <= now + LIFETIME_SECONDS + SKEW_SECONDS:
            raise RequestExpired(request.deadline, now)
        if not self._nonces.use(request.nonce, request.deadline + SKEW_SECONDS, now):
            raise RequestReplayed(request.nonce)
        return signer

    def is_scorer(self, signer: str) -> bool:
        """Whether the registry has this address as a scorer."""
        return self._ledger.is_scorer(signer)

    def _level(self, signer: str, number: int | None) -> Access:
        if self.is_scorer(signer) or self._ledger.is_aggregator(signer):
            return Access.SCORERS
        if number is not None and any(entry.signer == signer for entry in self._ledger.roster(number)):
            return Access.MEMBERS
        return Access.ANYONE
