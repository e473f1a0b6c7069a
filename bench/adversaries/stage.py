"""A real federation for the adversaries of settlement: chain, contracts, service, four scorers (f = 1), and what everybody has.

The aggregator's own scorer, the first, counts among the dishonest ones. Wealth is counted in the end: tokens, and coin in the
wallet, in stakes and bonds or owed, what transactions cost in gas left out.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from aggregator.founding import GENESIS_SEED, Wishes, found
from aggregator.home import AggregatorHome
from aggregator.scorer.gathering import Gathering, gather
from aggregator.scorer.home import ScorerHome, ScorerSettings
from aggregator.service.phases import Phase
from aggregator.template import with_values
from bench.report import Goal, Row, row
from learning.calls import load_data
from learning.data import Data
from learning.loading import load_task
from learning.parameters import initial_parameters
from learning.recipe import Recipe
from learning.source import read_task_source
from learning.training import train
from ledger.bonds import Bonds
from ledger.client import LedgerClient
from ledger.deployment import Deployment
from ledger.errors import Reverted
from ledger.records import RoundState
from ledger.wallet import Wallet
from protocol.api import RoundView
from protocol.config import parse_config
from protocol.evidence import Evidence, Kind
from protocol.evidence_json import evidence_from_json
from protocol.founding import FoundingFile
from protocol.parameters import Parameters, encode_parameters
from protocol.shares import pack_scores
from tests.aggregator.service.support import Sent, Service, Stage, deploy_on, make_update, serve
from tests.support.chain import COIN, CONFIG, PASSPHRASE, LocalChain, LocalFederation, account

SCORERS = ("scorer", "owner 9", "owner 10", "owner 11")
FRIEND, RIVAL = 0, 1
"""Node 0 is whom the lying aggregator favours, node 1 whom it harms; both are honest otherwise, with half of the data each."""


@dataclass(frozen=True)
class Wealth:
    """What somebody has, in tokens' base units and in wei."""

    tokens: int
    coin: int

    def __sub__(self, before: "Wealth") -> "Wealth":
        return Wealth(self.tokens - before.tokens, self.coin - before.coin)


def wealth(ledger: LedgerClient, *names: str) -> Wealth:
    """What these accounts of the tests have together."""
    addresses = [account(name).address for name in names]
    bonds, tokens, coin = Bonds(ledger), 0, _gas(ledger, addresses)
    for address in addresses:
        node = ledger.index_of(address)
        stake = 0 if node is None else ledger.node(node).stake
        tokens += ledger.balance(address)
        coin += ledger.coin_balance(address) + bonds.of(address).amount + bonds.owed(address) + stake
    return Wealth(tokens, coin)


def _gas(ledger: LedgerClient, addresses: Sequence[str]) -> int:
    """What these accounts have spent on gas since the first block, in wei."""
    eth, spent = ledger.web3.eth, 0
    for number in range(1, ledger.block().number + 1):
        for transaction in eth.get_block(number, full_transactions=True)["transactions"]:
            assert not isinstance(transaction, bytes)
            if transaction["from"] in addresses:
                receipt = eth.get_transaction_receipt(transaction["hash"])
                spent += receipt["gasUsed"] * receipt["effectiveGasPrice"]
    return spent


def founded(
    directory: Path, config: str = CONFIG, task: str = "digits", scorers: tuple[str, ...] = SCORERS
) -> tuple[AggregatorHome, FoundingFile]:
    """A federation directory in `directory`, on no chain yet; the first of the scorers is the aggregator's own."""
    home = AggregatorHome(directory / "federation")
    for name in ("operator", "aggregator", "scorer"):
        Wallet.create(home.key(name), PASSPHRASE, bytes(account(name).key), scrypt_n=2)
    home.federation_file.write_text(config)
    others = tuple(account(name).address for name in scorers[1:])
    return home, found(home, Wishes(task=task, scorers=others), PASSPHRASE).file


@dataclass(frozen=True)
class Prepared:
    """A round 1 that is closed and evaluated and that nobody has proposed yet, on disk. `sent` by node index."""

    directory: Path
    config: str
    founding: FoundingFile
    deployment: Deployment
    evidence: Evidence
    sent: tuple[Sent, ...]

    @property
    def scores(self) -> tuple[int, ...]:
        """The honest scores by node index."""
        leaves = self.evidence.by_kind[Kind.SCORE]
        return tuple(leaves[node].get("score") if node in leaves else 0 for node in range(max(leaves) + 1))

    @property
    def model(self) -> bytes:
        """The honest model's hash."""
        found: bytes = self.evidence.by_kind[Kind.MODEL][0].get("hash")
        return found

    @contextmanager
    def copied(self, directory: Path) -> Iterator[Stage]:
        """The same in a directory of its own, the chain served."""
        shutil.copytree(self.directory, directory)
        home = AggregatorHome(directory / "federation")
        with LocalChain(directory / "chain") as chain:
            home.settings_file.write_text(with_values(home.settings_file.read_text(), {"rpc_url": chain.url, "port": 0}))
            yield Stage(home, LocalFederation(chain, parse_config(self.config), self.founding, self.deployment))


Play = Callable[[Service, RoundView], tuple[Sent, ...]]
"""Leads round 1 from Open to where all bodies that will come are there; what was sent, by node index."""


def prepared(directory: Path, nodes: int, play: Play, config: str = CONFIG, task: str = "digits") -> Prepared:
    """Found a federation, and play its first round until it is evaluated."""
    home, founding = founded(directory, config, task)
    with LocalChain(directory / "chain") as chain:
        federation = deploy_on(chain, home, founding, joined=0)
        home.settings_file.write_text(with_values(home.settings_file.read_text(), {"rpc_url": chain.url, "port": 0}))
        with serve(Stage(home, federation)) as service:
            sent = play(service, service.open_round(nodes))
            service.turn(2)
            kept = service.context.store.round(1)
            assert kept is not None
            if kept.phase is not Phase.ATTESTING or kept.evidence_root is None:
                raise RuntimeError(f"the honest round stands at {kept.phase}: nothing here means anything")
            evidence = evidence_from_json(json.loads(service.context.blobs.get(kept.evidence_root)))
    return Prepared(directory, config, founding, federation.deployment, evidence, sent)


def honestly(
    data: Sequence[Data],
    task: str = "digits",
    send: Callable[[int, Parameters], Parameters] = lambda node, update: update,
    declared: Sequence[int] | None = None,
) -> Play:
    """Every node trains on its data, commits and uploads.

    `send(node, trained)` is what it does with its update, `declared` the sample counts that they sign, the true ones by default.
    """

    def play(service: Service, view: RoundView) -> tuple[Sent, ...]:
        sent = []
        for node, part in enumerate(data):
            body = encode_parameters(send(node, trained(service, node, part, task)))
            samples = len(part) if declared is None else declared[node]
            sent.append(make_update(service.domain, view, node, body, samples=samples))
        service.commit(*sent)
        service.turn(2)
        service.reveal(*sent)
        return tuple(sent)

    return play


def trained(service: Service, node: int, data: Data, task: str = "digits") -> Parameters:
    """The update of a node that trains on `data` from the genesis model, with the federation's recipe."""
    loaded = load_task(read_task_source(task))
    recipe = Recipe.from_config(service.stage.federation.config.recipe)
    return train(loaded, initial_parameters(loaded, GENESIS_SEED), data, recipe, seed=node)


def digits(parts: int) -> list[Data]:
    """The digits' training data in label-skewed parts."""
    task = load_task(read_task_source("digits"))
    return [load_data(task, f"{part + 1}/{parts}") for part in range(parts)]


@contextmanager
def scorer(stage: Stage, directory: Path, name: str, places: tuple[str, ...] | None = None) -> Iterator[Gathering]:
    """What a scorer works with; it has the evidence from the aggregator's directory unless other places are given."""
    chain, ledger = stage.chain, stage.ledger.ledger_address
    settings = ScorerSettings(ledger=ledger, rpc_url=chain.url, chain_id=chain.chain_id)
    home = ScorerHome(directory / name)
    given = (str(stage.home.path),) if places is None else places
    with gather(home, settings, given, home.blobs_directory, account(name)) as gathering:
        yield gathering


def propose(stage: Stage, root: bytes, model: bytes, scores: tuple[int, ...], signers: tuple[str, ...]) -> bool:
    """Whether the chain takes this outcome of round 1 with these scorers' signatures."""
    federation, packed = stage.federation, pack_scores(scores)
    attested = federation.attestation(1, root, model, packed)
    in_order = sorted(signers, key=lambda name: int(account(name).address, 16))
    signatures = [attested.sign(federation.client.domain, account(name)) for name in in_order]
    try:
        federation.send("stranger", federation.client.propose(1, root, model, packed, signatures))
    except Reverted:
        return False
    return True


def finish(stage: Stage) -> RoundState:
    """Let all time limits of round 1 pass, and have everybody claim; how it ended."""
    timing, ledger = stage.ledger.timing(), stage.ledger
    stage.chain.advance(timing.reveal + timing.grace + timing.propose + timing.window + 3 * timing.vote)
    for node in range(ledger.node_count()):
        with suppress(Reverted):
            stage.federation.send("stranger", ledger.claim(node, [1]))
    return ledger.round(1).state


def gains(case: str, honest: Wealth, cheating: Wealth, tokens: float = 0.0, coin: float = 0.0) -> list[Row]:
    """What the adversary has more than if it were honest: tokens in percent of honest pay, and coin in stakes and bonds."""
    more = cheating - honest
    share = 100 * more.tokens / honest.tokens
    return [
        row(case, "gain in tokens", share, "% of honest pay", Goal(at_most=tokens)),
        row(case, "gain in stake", more.coin / COIN, "coin", Goal(at_most=coin)),
    ]
