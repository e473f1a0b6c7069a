"""A founded, deployed federation with its aggregator's service, and participants whose updates are made by hand.

stage         Stage: chain, contracts and federation directory; nobody joined, nothing served. Founded once a session.
served        Service: the real API over the real store and chain, in threads of this process
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aggregator.founding import GENESIS_SEED, Wishes, found
from aggregator.home import AggregatorHome
from aggregator.service.context import Context
from aggregator.service.coordinator import Coordinator
from aggregator.service.database import open_database
from aggregator.service.phases import Phase
from aggregator.service.server import assemble_service, read_federation
from aggregator.service.store import Store
from aggregator.template import with_values
from learning.loading import load_task
from learning.parameters import initial_parameters
from learning.recipe import Recipe
from learning.source import read_task_source
from learning.training import train
from ledger.client import LedgerClient
from ledger.deployment import Deployment, deployment_path
from ledger.wallet import Wallet
from protocol.api import RoundView
from protocol.client import FederationClient
from protocol.config import parse_config
from protocol.errors import ServiceRefused
from protocol.founding import FoundingFile
from protocol.parameters import encode_parameters
from protocol.typed_data import Domain, Update
from protocol.update import body_hash, commitment
from tests.support.chain import CONFIG, PASSPHRASE, ChainT, LocalChain, LocalFederation, TestFederation, account
from tests.support.serving import answering

JOINED = 2
MAX_SAMPLES = 1000
SALT = b"\x5a" * 32


@dataclass(frozen=True)
class Stage:
    """A federation directory and the chain that its contracts are on."""

    home: AggregatorHome
    federation: LocalFederation

    @property
    def chain(self) -> LocalChain:
        return self.federation.chain

    @property
    def ledger(self) -> LedgerClient:
        return self.federation.client


@dataclass(frozen=True)
class Service:
    """A service that answers at `client.url`; its coordinator takes a turn only when the test says so."""

    stage: Stage
    context: Context
    coordinator: Coordinator
    client: FederationClient

    @property
    def domain(self) -> Domain:
        return self.stage.ledger.domain

    def turn(self, times: int = 1) -> None:
        """Let the coordinator take turns."""
        for _ in range(times):
            self.coordinator.turn()

    def open_round(self, nodes: int = 2) -> RoundView:
        """Have nodes join until there are so many, and the next round open."""
        for number in range(self.stage.ledger.node_count(), nodes):
            self.stage.federation.join(number, MAX_SAMPLES)
        self.turn(2)
        return self.client.rounds()[0]

    def commit(self, *sent: "Sent") -> None:
        """Hand in commitments."""
        for one in sent:
            self.client.commit(one.update, one.signature)

    def reveal(self, *sent: "Sent") -> None:
        """Upload bodies."""
        for one in sent:
            self.client.reveal(one.update.round, one.update.node, one.salt, one.body)

    def play(self) -> list["Sent"]:
        """Have two untrained updates sent and evaluated, so that the round only lacks a quorum; what was sent."""
        view = self.open_round()
        sent = [make_update(self.domain, view, node) for node in range(2)]
        self.commit(*sent)
        self.turn(2)
        self.reveal(*sent)
        self.turn(2)
        assert self.phase(view.round) is Phase.ATTESTING
        return sent

    def phase(self, number: int) -> Phase:
        """Where a round stands in the database."""
        found = self.context.store.round(number)
        assert found is not None
        return found.phase


@dataclass(frozen=True)
class Sent:
    """One node's update for a round, made by hand."""

    update: Update
    signature: bytes
    body: bytes
    salt: bytes = SALT


def make_update(domain: Domain, view: RoundView, node: int, body: bytes | None = None, **changes: object) -> Sent:
    """An update signed by `signer NODE` over `body`, an untrained one by default; `changes` replace fields before."""
    body = encode_parameters(small_update(node)) if body is None else body
    fields = {
        "round": view.round,
        "inputs": view.inputs,
        "node": node,
        "base_model": view.base_model,
        "parameters": commitment(domain.separator, view.round, node, SALT, body_hash(body)),
        "samples": 100,
    }
    update = Update(**{**fields, **changes})  # type: ignore[arg-type] # fields of several types
    return Sent(update, update.sign(domain, account(f"signer {node}")), body)


def make_trained(service: Service, view: RoundView, node: int) -> Sent:
    """An update that node 0 or 1 trained from the genesis model on its half of the digits."""
    task = load_task(read_task_source("digits"))
    base, recipe = initial_parameters(task, GENESIS_SEED), service.stage.federation.config.recipe
    trained = train(task, base, task.load(f"{node + 1}/2"), Recipe.from_config(recipe), seed=1)
    return make_update(service.domain, view, node, encode_parameters(trained))


LAYOUT = {"0.weight": (32, 64), "0.bias": (32,), "2.weight": (10, 32), "2.bias": (10,)}


def small_update(seed: int) -> dict[str, NDArray[np.float32]]:
    """An update of the digits' model that is not trained."""
    random = np.random.RandomState(seed)
    return {name: (random.standard_normal(shape) * 0.01).astype(np.float32) for name, shape in LAYOUT.items()}


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FoundingFile, Deployment]:
    """A directory with `federation` (a federation directory) and `chain` (with it deployed)."""
    return found_in(tmp_path_factory.mktemp("founded"))


def found_in(directory: Path, config: str = CONFIG, joined: int = JOINED) -> tuple[Path, FoundingFile, Deployment]:
    """Found and deploy a federation in `directory`, and have so many nodes join."""
    home, founding = found_home(directory, config)
    with LocalChain(directory / "chain") as chain:
        deployment = deploy_on(chain, home, founding, joined).deployment
    return directory, founding, deployment


def found_home(directory: Path, config: str = CONFIG) -> tuple[AggregatorHome, FoundingFile]:
    """A founded federation directory, which is on no chain."""
    home = AggregatorHome(directory / "federation")
    for name in ("operator", "aggregator", "scorer"):
        Wallet.create(home.key(name), PASSPHRASE, bytes(account(name).key), scrypt_n=2)
    home.federation_file.write_text(config)
    return home, found(home, Wishes(task="digits"), PASSPHRASE).file


def deploy_on(chain: ChainT, home: AggregatorHome, founding: FoundingFile, joined: int = JOINED) -> TestFederation[ChainT]:
    """Deploy what was founded, have so many nodes join, and write down where it is."""
    federation = TestFederation.deployed(chain, parse_config(home.federation_file.read_text()), founding)
    for number in range(joined):
        federation.join(number, MAX_SAMPLES)
    path = deployment_path(home.path, chain.chain_id)
    path.parent.mkdir()
    path.write_text(federation.deployment.model_dump_json())
    return federation


@pytest.fixture
def stage(founded: tuple[Path, FoundingFile, Deployment], tmp_path: Path) -> Iterator[Stage]:
    """A copy of it for one test, the chain served."""
    with staged(founded, tmp_path) as copied:
        yield copied


@pytest.fixture
def served(stage: Stage) -> Iterator[Service]:
    """The stage's service."""
    with serve(stage) as service:
        yield service


@pytest.fixture(scope="session")
def standing(founded: tuple[Path, FoundingFile, Deployment], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose round 1 is open, for tests after which nothing is otherwise."""
    with staged(founded, tmp_path_factory.mktemp("standing")) as copied, serve(copied) as service:
        service.open_round()
        yield service


@contextmanager
def staged(founded: tuple[Path, FoundingFile, Deployment], directory: Path) -> Iterator[Stage]:
    """A copy of the founded directory, its chain served."""
    template, founding, deployment = founded
    shutil.copytree(template, directory / "stage")
    home = AggregatorHome(directory / "stage" / "federation")
    config = parse_config(home.federation_file.read_text())
    with LocalChain(directory / "stage" / "chain") as chain:
        home.settings_file.write_text(with_values(home.settings_file.read_text(), {"rpc_url": chain.url, "port": 0}))
        yield Stage(home, LocalFederation(chain, config, founding, deployment))


def problem(call: Callable[[], object]) -> tuple[int, str]:
    """Status and code of the problem that a request is refused with."""
    with pytest.raises(ServiceRefused) as caught:
        call()
    return caught.value.status, caught.value.code


@contextmanager
def serve(stage: Stage) -> Iterator[Service]:
    """Put the service together as `server.run` does, but with turns in the test's hand."""
    home, settings = stage.home, stage.home.settings()
    with ExitStack() as stack:
        engine = open_database(home.database_url(settings))
        stack.callback(engine.dispose)
        store = Store(engine)
        ledger = LedgerClient.open(settings.rpc_url, settings.chain_id, stage.federation.deployment.ledger)
        federation = read_federation(ledger, home)
        store.belong_to(federation.domain)
        context = Context(federation, store, home.blobs(), ledger, account("aggregator"), home.path)
        coordinator, app = assemble_service(context, home, settings, PASSPHRASE)
        stack.callback(coordinator.stop)
        url = stack.enter_context(answering(app))
        client = stack.enter_context(FederationClient(url))
        yield Service(stage, context, coordinator, client)
