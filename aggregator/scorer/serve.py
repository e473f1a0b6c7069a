"""`fairshare scorer serve`: follows the chain unattended, replays what is claimed, attests what replays, mirrors it, and signs
out nodes that the evidence expels.

It keeps no state that a restart would miss: each turn it asks the chain where the last rounds stand. Whatever fails is tried
again, as long as the round can still be proposed.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack

import structlog

from aggregator.errors import AggregatorError
from aggregator.mirror.access import Gatekeeper
from aggregator.mirror.nonces import NonceStore
from aggregator.mirror.routes import Mirror
from aggregator.scorer.app import ScorerLibrary, create_app
from aggregator.scorer.attesting import Attesting
from aggregator.scorer.errors import REFUSALS
from aggregator.scorer.expelling import Expelling
from aggregator.scorer.forwarding import Forwarding
from aggregator.scorer.gathering import Gathering
from aggregator.scorer.verify import verify
from aggregator.scorer.voting import Voting
from aggregator.web.serving import listen, polite_server, signals_end
from ledger.errors import LedgerError
from ledger.records import RoundState
from protocol.errors import ServiceError

log = structlog.get_logger()

_TRANSIENT = (AggregatorError, LedgerError, ServiceError, OSError)


class Follower:
    """Leads one scorer through the rounds. `trouble` is a sentence about what keeps failing, None while all goes well."""

    def __init__(self, gathering: Gathering, forwarding: Forwarding) -> None:
        self.trouble: str | None = None
        self.attesting = Attesting(gathering)
        self.expelling = Expelling(gathering, self.attesting.records)
        self._voting = Voting(gathering)
        self._forwarding = forwarding
        self._gathering = gathering
        self._told: set[int] = set()
        self._refused: set[tuple[int, bytes]] = set()
        self._stopping = threading.Event()

    def run(self) -> None:
        """Take turns until `stop` is called from another thread."""
        while not self._stopping.is_set():
            try:
                self.turn()
                self.trouble = None
            except Exception as error:  # whatever it is, a task's code may raise it, and must not end the scorer
                if str(error) != self.trouble:
                    log.warning("cannot go on", why=str(error), exc_info=not isinstance(error, _TRANSIENT))
                self.trouble = str(error) or repr(error)
            self._stopping.wait(self._gathering.settings.poll_seconds)

    def stop(self) -> None:
        """Make `run` return after its turn."""
        self._stopping.set()

    def turn(self) -> None:
        """Forward what the aggregator was not there to take; vote in open disputes; attest the rounds that are not Final if
        there is an outcome, or look at what others proposed; of those that became Final and were attested here, sign out whom
        their evidence expels.

        Raises what keeps it from knowing; a refusal is only logged, as it is a result.
        """
        self._forwarding.resend()
        try:
            self._voting.turn()
        finally:  # what keeps a vote back keeps no attestation back
            ledger = self._gathering.ledger
            for number in range(ledger.latest_final() + 1, ledger.last_round() + 1):
                if number not in self._told:
                    self._look_at(number)
        self.expelling.turn()

    def _look_at(self, number: int) -> None:
        ledger, attested = self._gathering.ledger, self.attesting.records.attested(number)
        on_chain = ledger.round(number)
        state, root = on_chain.state, on_chain.evidence_root
        if state is RoundState.CLOSED:
            root = attested.claim.evidence_root if attested else self._gathering.claimed(number) or b""
        if not root or (number, root) in self._refused:  # refused is an outcome, not its round
            return
        try:
            if state is RoundState.CLOSED:
                self._attest(number)
            elif state is RoundState.PROPOSED and attested is None:
                verify(ledger, self._gathering.blobs, number)
                self._told.add(number)
        except REFUSALS as refusal:
            self._refused.add((number, root))
            advice = "not attested" if state is RoundState.CLOSED else "dispute it: `fairshare scorer dispute`"
            log.error("the round does not replay", round=number, why=str(refusal), then=advice)

    def _attest(self, number: int) -> None:
        _, told = self.attesting.attest(number)
        log.info("attested", round=number, told=list(told))
        if len(told) == len(self._gathering.mirrors):
            self._told.add(number)


def run(gathering: Gathering, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `announce` hears the URL as soon as connections are taken. Raises `CannotListen`."""
    settings, home = gathering.settings, gathering.home
    forwarding = Forwarding(gathering)
    follower = Follower(gathering, forwarding)
    library = ScorerLibrary(gathering, follower.attesting.records, follower.expelling.kept)
    mirror = Mirror(library, Gatekeeper(gathering.ledger, NonceStore(home.nonces_file)))
    app = create_app(gathering, mirror, forwarding)
    app.state.trouble = lambda: follower.trouble
    with ExitStack() as stack:
        server = polite_server(app)
        listener = stack.enter_context(listen(settings.host, settings.port))
        stack.enter_context(signals_end(server))
        following = threading.Thread(target=follower.run, name="follower")
        following.start()
        stack.callback(following.join)
        stack.callback(follower.stop)
        announce(f"http://{settings.host}:{listener.getsockname()[1]}")
        server.run(sockets=[listener])
