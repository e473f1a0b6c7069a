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
from protocol.founding import read_founding

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
    _check_roles(ledger, account.address, Wallet.open(home.key("scorer")).address)
    database = home.database_url(settings)
    with ExitStack() as stack:
        stack.enter_context(serving(database))
        engine = open_database(database)
        stack.callback(engine.dispose)
        store = Store(engine)
        store.belong_to(federation.domain)
        for unfinished in home.blobs_directory.glob(".incoming-*"):
            unfinished.unlink()  # of a service that was killed; nobody else writes while we hold the lock
        context = Context(federation, store, home.blobs(), ledger, account)
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
        if not _is_unedited(home, federation.config_hash):
            log.warning("federation.toml was edited after deployment: the deployed config counts, the edit does nothing")
        log.info("serving", url=url, federation=federation.config.federation.name, ledger=federation.domain.ledger)
        server.run(sockets=[listener])
        log.info("stopping")


def assemble_service(context: Context, home: AggregatorHome, settings: Settings, passphrase: str) -> tuple[Coordinator, FastAPI]:
    """The two halves of a running service over one context: what leads rounds, and what answers."""
    engine, ledger, blobs = context.store.engine, context.ledger, home.blobs_directory
    journal = SqlJournal(engine)
    scorer = ScorerProcess(blobs, Wallet.open(home.key("scorer")), settings.rpc_url, context.federation.domain, passphrase)
    logs = SqlLogs(engine)
    index = EventIndex(ledger, logs, home.deployment(settings.chain_id).block)
    steps = Steps(
        context,
        Sender(ledger.web3, context.account, journal, _PATIENCE_SECONDS),
        Worker(blobs, settings.memory << 20, settings.ray),
        scorer,
        index,
        logs,
    )
    views = Views(context, journal, lambda: coordinator.trouble)
    rollbacks = Rollbacks(context, views.figures.forget)
    coordinator = Coordinator(context, steps, rollbacks, index, settings.shards, settings.root_set, settings.poll_seconds)
    return coordinator, create_app(views, Mirror(ServiceLibrary(context), Gatekeeper(ledger, NonceStore(home.nonces_file))))


def read_federation(ledger: LedgerClient, home: AggregatorHome) -> Federation:
    """What the ledger fixed. Raises `ForeignLedger` if that is not what the directory was founded on."""
    founding = read_founding(home.founding_file)
    fixed = Federation(
        domain=ledger.domain,
        config=parse_config(home.blobs().get(founding.config_hash).decode()),
        config_hash=ledger.config_hash(),
        task_hash=ledger.task_hash(),
        genesis_model=ledger.round(0).model_hash,
        pool=ledger.pool(),
        timing=ledger.timing(),
        token_symbol=ledger.token_symbol(),
    )
    for what in ("config_hash", "task_hash", "genesis_model"):
        founded, deployed = getattr(founding, what), getattr(fixed, what)
        if founded != deployed:
            raise ForeignLedger(
                f"the {what.replace('_', ' ')} of the ledger at {ledger.domain.ledger} is 0x{deployed.hex()}, but "
                f"{home.founding_file} says 0x{founded.hex()}: restore that file, or check the deployment and rpc_url"
            )
    return fixed


def _is_unedited(home: AggregatorHome, config_hash: bytes) -> bool:
    try:
        return parse_config(home.federation_file.read_text()).sha256() == config_hash
    except (ConfigError, OSError):
        return False


def _check_roles(ledger: LedgerClient, aggregator: str, scorer: str) -> None:
    for address, has_role, role in (
        (aggregator, ledger.is_aggregator(aggregator), "an aggregator"),
        (scorer, ledger.is_scorer(scorer), "a scorer"),
    ):
        if not has_role:
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
