"""A federation with a tiny task on a real local chain, an aggregator over real sockets, and nodes that have joined it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from learning.loading import load_task
from learning.parameters import initial_parameters
from learning.source import TaskSource
from ledger.deployment import Deployment
from ledger.governance import Governance
from ledger.records import RoundState
from ledger.wallet import Wallet
from node.enrolment import enrol, home_at
from node.home import NodeHome
from node.outcome import RoundReport
from node.runner import run
from node.terms import Agree
from node.training import Trainer
from protocol.api import TermsView
from protocol.client import FederationClient
from protocol.config import parse_config
from protocol.parameters import encode_parameters, model_hash
from protocol.shares import SCORE_TOTAL
from tests.node.service import ROOT_SET, SHARDS, Service
from tests.support.chain import CONFIG, PASSPHRASE, LocalChain, LocalFederation, account, founding

TASK = '''\
"""Learns whether a number of four bits is odd."""

import os
import signal
from pathlib import Path

import torch

from learning.data import Data
from learning.scores import soft_accuracy
from learning.task import Task


class Parity(Task):
    def model(self):
        return torch.nn.Linear(4, 2)

    def loss(self, outputs, targets):
        fuse = Path(os.environ.get("PARITY_FUSE", "/nowhere"))
        if fuse.exists():  # a test of kill -9 in the middle of training
            fuse.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.nn.functional.cross_entropy(outputs, targets)

    def score(self, outputs, targets):
        return soft_accuracy(outputs, targets)

    def load(self, source):
        numbers = torch.arange(int(source or 16))
        return Data((numbers[:, None] >> torch.arange(4) & 1).float(), numbers % 2)
'''

NODE_CONFIG = CONFIG.replace('task = "Digits"', 'task = "Parity"').replace("commit_seconds = 60", "commit_seconds = 8")
SOURCE = TaskSource.from_texts("Parity", {"parity.py": TASK})


def accepted(home: NodeHome) -> Path:
    """Where the one copy of accepted terms lies."""
    (folder,) = (home.path / "terms").iterdir()
    return folder


class Lines:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, sentence: str) -> None:
        self.said.append(sentence)

    def waiting(self, for_what: str) -> None:
        pass

    def on_step(self, step: int, steps: int, loss: float) -> None:
        pass

    def paused(self) -> AbstractContextManager[None]:
        return nullcontext()

    def __contains__(self, part: str) -> bool:
        return any(part in line for line in self.said)


@dataclass
class World:
    """Everything around the nodes under test. `members` are the nodes that commit and reveal before a round goes on."""

    federation: LocalFederation
    service: Service
    directory: Path
    members: list[int] = field(default_factory=list)
    idle: int = 0

    def enrolled(self, number: int, data: str | None = "16", max_samples: int = 1000) -> NodeHome:
        """A finished node directory of "owner NUMBER" that has not joined."""
        home = home_at(self.directory / f"node {number}")
        for path, name in ((home.owner_key, f"owner {number}"), (home.signing_key, f"signer {number}")):
            Wallet.create(path, PASSPHRASE, bytes(account(name).key), scrypt_n=2)
        with FederationClient(self.service.url) as client:
            enrol(
                home,
                self.federation.invite(f"owner {number}", max_samples),
                self.federation.client,
                client,
                rpc_url=self.federation.chain.url,
                data=data,
                payout=None,
                consent=lambda offer: None,
            )
        return home

    def node(self, number: int, data: str | None = "16", max_samples: int = 1000) -> NodeHome:
        """A node that has joined."""
        home = self.enrolled(number, data, max_samples)
        self.members.append(self.federation.join(number, max_samples))
        return home

    def open_round(self) -> int:
        chain = self.federation.client
        self.federation.send("aggregator", chain.open_round(chain.latest_final(), SHARDS, ROOT_SET))
        return chain.last_round()

    def close_round(self) -> None:
        last = self.federation.client.last_round()
        self.federation.send("aggregator", self.federation.client.close_round(last, b"\x07" * 32))

    def propose(self) -> None:
        """Node 0 gets all; the model stays what it was."""
        chain = self.federation.client
        last = chain.last_round()
        base = chain.round(chain.round(last).parent).model_hash
        self.federation.propose(last, (SCORE_TOTAL,), model_hash=base)

    def advance_window(self) -> None:
        self.federation.chain.advance(self.federation.config.rounds.window_seconds)

    def announce(self, config: str) -> None:
        """Have the admin announce a changed config, which the aggregator serves from then on."""
        chain, parsed = self.federation.client, parse_config(config)
        terms = Governance(chain).in_force()._replace(config_hash=parsed.sha256())
        self.federation.send("operator", chain.announce(terms))
        self.service.later.append(config)
        self.service.announced = TermsView(
            config_hash=terms.config_hash,
            task_hash=terms.task_hash,
            aggregator=terms.aggregator,
            scorers=list(terms.scorers),
            enactable_at=chain.announced()[1],
        )

    def enact(self, config: str) -> None:
        """Have it announced, and enacted after the delay."""
        self.announce(config)
        self.wait()
        self.enact_announced()

    def wait(self) -> None:
        """Until what is announced can be enacted."""
        self.federation.chain.advance_to(self.federation.client.announced()[1])

    def enact_announced(self) -> None:
        pending = Governance(self.federation.client).announcement()
        assert pending is not None
        self.federation.send("operator", self.federation.client.enact(pending.terms))
        self.service.announced = None

    def direct(self, _seconds: float = 0) -> None:
        """Take the federation one step on, as an aggregator would, if the members did what the round waits for."""
        chain, service = self.federation.client, self.service
        last = chain.last_round()
        match chain.round(last).state:
            case RoundState.OPEN if all((last, node) in service.commits for node in self.members):
                self.close_round()
            case RoundState.CLOSED if all((last, node) in service.bodies for node in self.members):
                self.propose()
            case RoundState.PROPOSED:
                self.advance_window()
            case RoundState.FINAL | RoundState.VOID:
                self.open_round()
            case _:
                self.idle += 1
                assert self.idle < 100, "the nodes do not do what the round waits for"
                return
        self.idle = 0

    def run(
        self,
        home: NodeHome,
        rounds: int = 1,
        train: Trainer | None = None,
        pause: Callable[[float], None] | None = None,
        lines: Lines | None = None,
        agree: Agree | None = None,
    ) -> tuple[RoundReport, ...]:
        """Run a node in this thread; whenever it waits, the federation goes on."""
        told = lines or Lines()
        return run(home.path, PASSPHRASE, told, train=train, rounds=rounds, agree=agree, pause=pause or self.direct)


@pytest.fixture(scope="session")
def genesis() -> tuple[bytes, bytes]:
    """The genesis model's hash and file."""
    model = initial_parameters(load_task(SOURCE), seed=1)
    return model_hash(model), encode_parameters(model)


@pytest.fixture(scope="session")
def node_template(tmp_path_factory: pytest.TempPathFactory, genesis: tuple[bytes, bytes]) -> tuple[Path, Deployment]:
    """The directory of a chain, not served, on which the federation of the tiny task is deployed."""
    directory, config = tmp_path_factory.mktemp("deployed for nodes"), parse_config(NODE_CONFIG)
    with LocalChain(directory) as chain:
        founded = founding(config, SOURCE.sha256(), genesis[0])
        return directory, LocalFederation.deployed(chain, config, founded).deployment


@pytest.fixture
def world(node_template: tuple[Path, Deployment], genesis: tuple[bytes, bytes], tmp_path: Path) -> Iterator[World]:
    """A federation of its own for each test, nobody joined."""
    template, deployment = node_template
    shutil.copytree(template, tmp_path / "chain")
    config = parse_config(NODE_CONFIG)
    with LocalChain(tmp_path / "chain") as chain:
        founded = founding(config, SOURCE.sha256(), genesis[0])
        federation = LocalFederation(chain, config, founded, deployment)
        service = Service(federation, NODE_CONFIG, SOURCE, dict([genesis]))
        yield World(federation, service, tmp_path)
        service.down()
