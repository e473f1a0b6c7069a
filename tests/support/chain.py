"""A real local chain for tests: served over HTTP in a thread of this process, its clock in the test's hand.

Fixtures (tests/conftest.py makes them known everywhere):

    chain        LocalChain: an empty chain whose accounts have coin. A file of its own, a free port, gone after the test.
    federation   LocalFederation: the same with the contracts of CONFIG deployed. The deployment is made once a session;
                 each test gets a copy of its database.

Accounts: `account("aggregator")` is always the same key. Those in ACCOUNTS have 1,000 coin: "operator" (admin, signs
invitations, deploys), "aggregator", "scorer", "stranger", "owner 0" to "owner 11", "signer 0" to "signer 11".

    def test_something(federation: LocalFederation) -> None:
        node = federation.join(0)                                  # owner 0 joins with signer 0; gives the index
        federation.send("aggregator", federation.client.open_round(0, (bytes(32),), bytes(32)))
        federation.chain.advance(60)                               # nothing but this and blocks (a second each) moves the clock
        federation.send("aggregator", federation.client.close_round(1, b"\x07" * 32))
        federation.propose(1, (6_000_000, 4_000_000))              # attested by the scorer
        federation.chain.advance(federation.config.rounds.window_seconds)
        assert federation.client.round(1).state is RoundState.FINAL

Another config, task or genesis model: `LocalFederation.deployed(chain, config, founding(config, genesis_model=...))`.
A process of its own reaches the chain by `chain.url` and `chain.chain_id`, a federation by `deployment.ledger`;
`write_directory(path)` makes a federation directory for command lines, its keystores opened by PASSPHRASE.
"""

import shutil
from collections.abc import Iterator
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from web3 import Web3

from ledger.chain.engine import LOCAL_CHAIN_ID
from ledger.chain.server import ChainServer
from ledger.client import LedgerClient
from ledger.connection import connect
from ledger.deployment import Deployment, deploy, deployment_path
from ledger.records import Call
from ledger.sender import MemoryJournal, Mined, Sender
from ledger.wallet import Wallet
from protocol.config import FederationConfig, parse_config
from protocol.founding import FoundingFile
from protocol.inputs import round_seed
from protocol.invitation import InvitationFile, invitation_file
from protocol.shares import pack_scores
from protocol.typed_data import Attestation, Invitation

COIN = 10**18
START = 1_800_000_000
PASSPHRASE = "correct horse"
NODES = 12
ACCOUNTS = (
    "operator",
    "aggregator",
    "scorer",
    "stranger",
    "miner",
    *(f"owner {i}" for i in range(NODES)),
    *(f"signer {i}" for i in range(NODES)),
)

CONFIG = """\
[federation]
name = "test federation"
task = "Digits"

[recipe]
optimizer = "sgd"
learning_rate = "0.05"
momentum = "0.9"
weight_decay = "0"
batch_size = 32
epochs = 1

[rounds]
minimum_commits = 2
commit_seconds = 60
close_seconds = 30
reveal_seconds = 60
grace_seconds = 10
propose_seconds = 120
window_seconds = 50
vote_seconds = 20
maximum_pending = 1
body_bytes = 1000000

[gate]
norm_multiple = "10"
virtual_nodes = 0
duplicate = "0.8"
prior = "2"
grey = "3"
forgetting = "0.85"
down_weight = "4"
reject_round = "4"
reject = "6"
expel = "30"
guard = "3"
quarantine_weight = "0.5"
weight_duplicate = "15"
weight_size = "0.2"
weight_cone = "0.5"
weight_affine = "0.5"
weight_fit = "0.3"
weight_replay = "0.3"
weight_utility = "0.3"
weight_own_classes = "0.4"
weight_energy = "0.5"

[contributions]
work = 1000000000

[pay]
token_name = "Test Token"
token_symbol = "TEST"
cap = "3500"
pool = "1000"
scorer_pool = "0"
z = "0"

[stake]
minimum = "0.5"
aggregator_bond = "3"
scorer_bond = "2"
dispute_bond = "1"
proof_fee = "0.1"
open_fee = "0.2"
open_samples = 0
unbonding_seconds = 1000

[tolerance]
statistics = 16
utility = 64
standard_error = 1024
contribution = 1024
"""


def account(name: str) -> LocalAccount:
    """The key of somebody in the tests, the same in every run."""
    key: LocalAccount = Account.from_key(keccak(text=f"fairshare test key: {name}"))
    return key


def founding(
    config: FederationConfig,
    task_hash: bytes = b"\x01" * 32,
    genesis_model: bytes = b"\x02" * 32,
    scorers: tuple[str, ...] = ("scorer",),
) -> FoundingFile:
    """A founding file with the accounts of the tests."""
    return FoundingFile(
        config_hash=config.sha256(),
        task_hash=task_hash,
        genesis_model=genesis_model,
        operator=account("operator").address,
        aggregator=account("aggregator").address,
        scorers=[account(name).address for name in scorers],
    )


class TestChain:
    """A chain at a URL, whichever program serves it, and the test accounts' way to send to it."""

    __test__ = False
    chain_id = LOCAL_CHAIN_ID

    def __init__(self, url: str) -> None:
        self.url = url
        self._senders: dict[str, Sender] = {}
        self._numbers = count()

    @cached_property
    def web3(self) -> Web3:
        """A connection of this process."""
        return connect(self.url, self.chain_id)

    def sender(self, name: str) -> Sender:
        """The one Sender of a test account in this process."""
        if name not in self._senders:
            self._senders[name] = Sender(self.web3, account(name), MemoryJournal())
        return self._senders[name]

    def send(self, name: str, call: Call) -> Mined:
        """Have an account send a call, and see it mined."""
        return self.sender(name).submit(f"call {next(self._numbers)}", call)

    def advance(self, seconds: int) -> None:
        """Move the chain's clock ahead; no block is mined by it."""
        self.web3.provider.make_request("evm_increaseTime", [hex(seconds)])  # type: ignore[arg-type] # not in web3's list

    def mine(self, blocks: int) -> None:
        """Have so many blocks, of one transaction that does nothing each."""
        miner = account("miner")
        first = self.web3.eth.get_transaction_count(miner.address)
        for nonce in range(first, first + blocks):
            nothing: dict[str, Any] = {"nonce": nonce, "to": miner.address, "gas": 21_000, "gasPrice": 10**12, "value": 0}
            signed = miner.sign_transaction({**nothing, "chainId": self.chain_id})
            self.web3.eth.send_raw_transaction(signed.raw_transaction)


ChainT = TypeVar("ChainT", bound=TestChain)


class LocalChain(TestChain):
    """A served chain with its database in `directory`; a context manager. Its clock stands, but each block takes a second."""

    def __init__(self, directory: Path, port: int = 0) -> None:
        self.database = directory / "chain.sqlite"
        self._time = START
        self._serve(port)
        super().__init__(self._server.url)

    def _serve(self, port: int) -> None:
        alloc: dict[str, int] = {account(name).address: 1000 * COIN for name in ACCOUNTS}
        self._server = ChainServer(self.database, port=port, alloc=alloc, clock=lambda: self._time)

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()

    def advance(self, seconds: int) -> None:
        """Move the chain's clock ahead; no block is mined by it."""
        self.advance_to(int(self.web3.eth.get_block("pending")["timestamp"]) + seconds)

    def advance_to(self, timestamp: int) -> None:
        """Move the chain's clock ahead to a second; it never goes behind the latest block's."""
        self._time = timestamp


class TestFederation(Generic[ChainT]):
    """A federation on a chain, with everybody's keys in hand."""

    __test__ = False

    def __init__(self, chain: ChainT, config: FederationConfig, founded: FoundingFile, deployment: Deployment) -> None:
        self.chain = chain
        self.config = config
        self.founding = founded
        self.deployment = deployment
        self.client = LedgerClient(chain.web3, deployment.ledger)

    @classmethod
    def deployed(cls, chain: ChainT, config: FederationConfig, founded: FoundingFile) -> Self:
        """Deploy by the operator's account."""
        return cls(chain, config, founded, deploy(chain.web3, chain.sender("operator"), config, founded))

    def send(self, name: str, call: Call) -> Mined:
        """Have an account send a call, and see it mined."""
        return self.chain.send(name, call)

    def invite(self, owner: str, max_samples: int = 1000, days: int = 30) -> InvitationFile:
        """The operator's invitation for an account, each with a nonce of its own."""
        nonce = keccak(text=f"{owner} {self.client.block().number}")
        invitation = Invitation(account(owner).address, max_samples, nonce, self.client.now() + days * 86400)
        return invitation_file(self.client.domain, invitation, invitation.sign(self.client.domain, account("operator")))

    def join(self, number: int, max_samples: int = 1000) -> int:
        """Have "owner NUMBER" join with "signer NUMBER" and the least stake; the node's index."""
        owner, invited = f"owner {number}", self.invite(f"owner {number}", max_samples)
        stake = self.client.minimum_stake()
        signer, payout = account(f"signer {number}").address, account(owner).address
        self.send(owner, self.client.join(signer, payout, invited.invitation, invited.signature_bytes, stake))
        index = self.client.index_of(account(owner).address)
        assert index is not None
        return index

    def attestation(self, number: int, evidence_root: bytes, model_hash: bytes, packed_scores: bytes) -> Attestation:
        """What a scorer signs for a Closed round with this outcome."""
        closed = self.client.round(number)
        close_hash = self.client.block_hash(closed.close_block)
        seed = round_seed(self.client.domain.separator, number, closed.update_root, close_hash)
        return Attestation(number, seed, evidence_root, keccak(packed_scores), model_hash)

    def propose(
        self,
        number: int,
        scores: tuple[int, ...],
        evidence_root: bytes = b"\x03" * 32,
        model_hash: bytes = b"\x04" * 32,
    ) -> Mined:
        """Propose scores by node index for a Closed round, attested by the scorer and sent by the aggregator."""
        packed = pack_scores(scores)
        attested = self.attestation(number, evidence_root, model_hash, packed)
        signature = attested.sign(self.client.domain, account("scorer"))
        return self.send("aggregator", self.client.propose(number, evidence_root, model_hash, packed, [signature]))

    def play(self, scores: tuple[int, ...]) -> int:
        """Play a whole round from open to Final with these scores; its number."""
        parent = self.client.latest_final()
        self.send("aggregator", self.client.open_round(parent, (b"\x05" * 32,), b"\x06" * 32))
        number = self.client.last_round()
        self.send("aggregator", self.client.close_round(number, b"\x07" * 32))
        self.propose(number, scores)
        self.chain.advance(self.config.rounds.window_seconds)
        return number

    def write_directory(self, directory: Path) -> Path:
        """Make the federation directory that command lines expect, with cheap keystores; the config as in CONFIG."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "federation.toml").write_text(CONFIG)
        (directory / "founding.json").write_text(self.founding.model_dump_json())
        for name in ("operator", "aggregator", "scorer"):
            Wallet.create(directory / "keys" / f"{name}.json", PASSPHRASE, bytes(account(name).key), scrypt_n=2)
        path = deployment_path(directory, self.chain.chain_id)
        path.parent.mkdir(exist_ok=True)
        path.write_text(self.deployment.model_dump_json())
        return directory


LocalFederation = TestFederation[LocalChain]


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[LocalChain]:
    """An empty chain whose ACCOUNTS have coin."""
    with LocalChain(tmp_path / "chain") as served:
        yield served


@pytest.fixture(scope="session")
def deployed_template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Deployment]:
    """The directory of a chain, not served, on which the federation of CONFIG is deployed."""
    directory = tmp_path_factory.mktemp("deployed")
    config = parse_config(CONFIG)
    with LocalChain(directory) as served:
        return directory, LocalFederation.deployed(served, config, founding(config)).deployment


@pytest.fixture
def federation(deployed_template: tuple[Path, Deployment], tmp_path: Path) -> Iterator[LocalFederation]:
    """A federation of CONFIG on a chain of its own, nobody joined."""
    template, deployment = deployed_template
    shutil.copytree(template, tmp_path / "chain")
    config = parse_config(CONFIG)
    with LocalChain(tmp_path / "chain") as served:
        yield LocalFederation(served, config, founding(config), deployment)
