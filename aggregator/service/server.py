"""`fairshare aggregator serve`: puts the parts together, serves HTTP in the main thread and leads rounds in another."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import structlog
from fastapi import FastAPI

from aggregator.errors import ForeignLedger
from aggregator.home import AggregatorHome, ServiceFile, Settings
from aggregator.mirror.access import Gatekeeper
from aggregator.mirror.nonces import NonceStore
from aggregator.mirror.routes import Mirror
from aggregator.service.api.app import create_app
from aggregator.service.attestation import ScorerProcess
from aggregator.service.context import Context, Federation
from aggregator.service.coordinator import Coordinator
from aggregator.service.database import open_database, serving
from aggregator.service.events import SqlLogs
from aggregator.service.expelling import Expelling
from aggregator.service.journal import SqlJournal
from aggregator.service.library import ServiceLibrary
from aggregator.service.logs import configure_logging
from aggregator.service.rollback import Rollbacks
from aggregator.service.steps import Steps
from aggregator.service.store import Store
from aggregator.service.views import Views
from aggregator.service.worker import Worker
from aggregator.web.serving import listen, polite_server, signals_end
from ledger.client import LedgerClient
from ledger.event_index import EventIndex
from ledger.sender import Sender
from ledger.wallet import Wallet
from protocol.config import parse_config
from protocol.errors import ConfigError
from protocol.files import write_durably
from protocol.founding import FoundingFile, read_founding

log = structlog.get_logger()

_PATIENCE_SECONDS = 20.0
"""How long a transaction is waited for before everything else gets its turn again; it is not sent anew."""


def run(home: AggregatorHome, settings: Settings, passphrase: str, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `announce` hears the URL as soon as connections are taken.

    Raises `HomeError`, `CannotListen`, `DatabaseError`, and what wallet and ledger raise; all of it before anything is served.
    """
    deployment = home.deployment(settings.chain_id)
    ledger = LedgerClient.open(settings.rpc_url, settings.chain_id, deployment.ledger)
    federation = read_federation(ledger, home)
    account = Wallet.open(home.key("aggregator")).unlock(passphrase)
    _check_roles(ledger, read_founding(home.founding_file), account.address, Wallet.open(home.key("scorer")).address)
    database = home.database_url(settings)
    with ExitStack() as stack:
        stack.enter_context(serving(database))
        engine = open_database(database)
        stack.callback(engine.dispose)
        store = Store(engine)
        store.belong_to(federation.domain)
        for unfinished in home.blobs_directory.glob(".incoming-*"):
            unfinished.unlink()  # of a service that was killed; nobody else writes while we hold the lock
        context = Context(federation, store, home.blobs(), ledger, account, home.path)
        coordinator, app = assemble_service(context, home, settings, passphrase)
        server = polite_server(app)
        listener = stack.enter_context(listen(settings.host, settings.port))
        stack.enter_context(signals_end(server))
        configure_logging(settings.log_level)
        leading = threading.Thread(target=coordinator.run, name="coordinator")
        leading.start()
        stack.callback(leading.join)
        stack.callback(coordinator.stop)
        url = f"http://{settings.host}:{listener.getsockname()[1]}"
        stack.enter_context(_service_file(home, url))
        announce(url)
        if not _is_stored(home):
            log.warning("federation.toml was edited: that does nothing before it is announced, see `fairshare aggregator init`")
        log.info("serving", url=url, ledger=federation.domain.ledger)
        server.run(sockets=[listener])
        log.info("stopping")


def assemble_service(context: Context, home: AggregatorHome, settings: Settings, passphrase: str) -> tuple[Coordinator, FastAPI]:
    """The two halves of a running service over one context: what leads rounds, and what answers."""
    engine, ledger, blobs = context.store.engine, context.ledger, home.blobs_directory
    journal = SqlJournal(engine)
    scorer = ScorerProcess(blobs, Wallet.open(home.key("scorer")), settings.rpc_url, context.federation.domain, passphrase)
    logs = SqlLogs(engine)
    index = EventIndex(ledger, logs, home.deployment(settings.chain_id).block)
    sender = Sender(ledger.web3, context.account, journal, _PATIENCE_SECONDS)
    steps = Steps(
        context,
        sender,
        Worker(blobs, settings.memory << 20, settings.ray),
        scorer,
        index,
        logs,
    )
    views = Views(context, journal, lambda: coordinator.trouble, settings.scorers)
    rollbacks = Rollbacks(context, views.figures.forget)
    expelling, own_data = Expelling(context, sender, scorer), (settings.shards, settings.root_set)
    coordinator = Coordinator(context, steps, expelling, rollbacks, index, *own_data, settings.poll_seconds)
    return coordinator, create_app(views, Mirror(ServiceLibrary(context), Gatekeeper(ledger, NonceStore(home.nonces_file))))


def read_federation(ledger: LedgerClient, home: AggregatorHome) -> Federation:
    """What the ledger fixed. Raises `ForeignLedger` if that is not what the directory was founded on."""
    founding = read_founding(home.founding_file)
    fixed = Federation(
        domain=ledger.domain,
        genesis_model=ledger.round(0).model_hash,
        pool=ledger.pool(),
        timing=ledger.timing(),
        token_symbol=ledger.token_symbol(),
    )
    if founding.genesis_model != fixed.genesis_model:
        raise ForeignLedger(
            f"the genesis model of the ledger at {ledger.domain.ledger} is 0x{fixed.genesis_model.hex()}, but "
            f"{home.founding_file} says 0x{founding.genesis_model.hex()}: restore that file, or check the deployment and rpc_url"
        )
    return fixed


def _is_stored(home: AggregatorHome) -> bool:
    """Whether `init` has seen federation.toml as it is."""
    try:
        return home.blobs().has(parse_config(home.federation_file.read_text()).sha256())
    except (ConfigError, OSError):
        return False


def _check_roles(ledger: LedgerClient, founding: FoundingFile, aggregator: str, scorer: str) -> None:
    """Raise `ForeignLedger` for a key that never had its role. One that lost it may have rounds to end, and serves on."""
    for address, is_appointed, was_founded, role in (
        (aggregator, ledger.is_aggregator(aggregator), aggregator == founding.aggregator, "an aggregator"),
        (scorer, ledger.is_scorer(scorer), scorer in founding.scorers, "a scorer"),
    ):
        if not is_appointed and was_founded:
            log.warning("not appointed any more", address=address, role=role)
        elif not is_appointed:
            raise ForeignLedger(
                f"{address} is not {role} of the ledger at {ledger.domain.ledger}: restore the key in keys/, "
                "or have the federation's admin give it the role"
            )


@contextmanager
def _service_file(home: AggregatorHome, url: str) -> Iterator[None]:
    write_durably(home.service_file, (ServiceFile(pid=os.getpid(), url=url).model_dump_json() + "\n").encode())
    try:
        yield
    finally:
        home.service_file.unlink(missing_ok=True)
