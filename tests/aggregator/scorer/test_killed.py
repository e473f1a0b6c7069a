"""`scorer dispute`, `ledger bond` and a vote of `scorer serve`, killed between sending and mining: given again, what they sent is
on the chain once.
"""

import json
import sys
from collections.abc import Iterator

import pytest

from aggregator.blobs import BlobStore
from aggregator.bundles import write_evidence
from aggregator.scorer.home import ScorerHome, ScorerSettings
from ledger.bonds import Bonds
from ledger.disputes import Disputes, DisputeVerdict, Vote
from ledger.records import RoundState
from ledger.wallet import Wallet
from protocol.config import parse_config
from protocol.evidence import Evidence, update_leaf
from protocol.files import write_durably
from protocol.trees import NODE_TREE_DEPTH, tree_root
from tests.contracts.test_court import SCORES, close, evidence, leaves_of, opened
from tests.ledger.conformance.chains import Anvil
from tests.support.chain import COIN, CONFIG, PASSPHRASE, TestFederation, account, founding
from tests.support.killing import killed_and_given_again, waiting
from tests.support.processes import process, until

FAIRSHARE = [sys.executable, "-m", "fairshare"]
SCORER = account("scorer").address
# Anvil's clock is this machine's: the window has to outlast the test.
SLOW = CONFIG
for change in (
    ("window_seconds = 50", "window_seconds = 5000"),
    ("vote_seconds = 20", "vote_seconds = 5000"),
    ("unbonding_seconds = 1000", "unbonding_seconds = 50000"),
):
    SLOW = SLOW.replace(*change)


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestFederation[Anvil]]:
    chain, config = Anvil(tmp_path_factory.mktemp("killed") / "anvil"), parse_config(SLOW)
    yield TestFederation.deployed(chain, config, founding(config))
    chain.stop()


@pytest.fixture(scope="module")
def home(federation: TestFederation[Anvil], tmp_path_factory: pytest.TempPathFactory) -> ScorerHome:
    """The directory of the scorer, with the evidence of a proposed round."""
    home, chain = ScorerHome(tmp_path_factory.mktemp("killed") / "scorer"), federation.chain
    Wallet.create(home.key, PASSPHRASE, bytes(account("scorer").key), scrypt_n=2)
    settings = ScorerSettings(ledger=federation.client.ledger_address, rpc_url=chain.url, chain_id=chain.chain_id)
    write_durably(home.settings_file, settings.text().encode())
    number, updates = opened(federation)
    update_leaves = leaves_of(federation, updates)
    close(federation, number, update_leaves)
    header, leaves = evidence(federation, number, tree_root(update_leaves, NODE_TREE_DEPTH))
    found = [leaf for kind in leaves.values() for leaf in kind.values()]
    bundle = Evidence(header, (*found, *(update_leaf(*signed) for signed in updates.values())))
    bundle.check_roots()
    root = write_evidence(bundle, BlobStore(home.blobs_directory))
    federation.propose(number, SCORES, evidence_root=root)
    return home


def test_a_dispute(federation: TestFederation[Anvil], home: ScorerHome) -> None:
    command = [*FAIRSHARE, "scorer", "dispute", "1", "--leaf", "utility/0", "--home", str(home.path), "--json"]
    killed_and_given_again(federation.chain, SCORER, home.transactions, command, answers=["AlreadyDisputed"])
    (filed,) = Disputes(federation.client).all()
    assert (filed.round, filed.challenger) == (1, SCORER)
    assert federation.client.round(1).state is RoundState.DISPUTED


def test_a_bond_is_put_down_once_and_unbonds_once(federation: TestFederation[Anvil], home: ScorerHome) -> None:
    chain = federation.chain
    where = ["--key", str(home.key), "--ledger", federation.client.ledger_address, "--rpc-url", chain.url, "--json"]

    def bond(action: str) -> dict[str, object]:
        command = [*FAIRSHARE, "ledger", "bond", action, SCORER, *where]
        told: dict[str, object] = json.loads(killed_and_given_again(chain, SCORER, home.transactions, command))
        return told

    assert bond("unbond")["free_at"] == Bonds(federation.client).of(SCORER).free_at > 0
    assert bond("deposit") == {
        "schema_version": 1,
        "address": SCORER,
        "bond": str(2 * COIN),
        "free_at": None,
        "owed": "0",
    }


def test_a_vote_is_sealed_by_one_process_and_revealed_by_the_next(federation: TestFederation[Anvil], home: ScorerHome) -> None:
    chain, disputes, vote_time = federation.chain, Disputes(federation.client), federation.client.timing().vote
    nonce = chain.web3.eth.get_transaction_count(SCORER)
    serve = ("scorer", "serve", str(home.path), "--port", "0")
    chain.ask("evm_setAutomine", False)
    with process(*serve) as first:
        until(lambda: bool(waiting(chain, SCORER)), first)
    chain.ask("anvil_mine")
    chain.ask("evm_setAutomine", True)
    assert disputes.vote(0, SCORER) is Vote.SEALED
    chain.advance(vote_time)
    with process(*serve) as second:  # with the salt of the first
        until(lambda: disputes.vote(0, SCORER) is Vote.AGAINST, second)
    chain.advance(vote_time)
    with process(*serve) as third:
        until(lambda: disputes.one(0).verdict is DisputeVerdict.UPHELD, third)
    assert chain.web3.eth.get_transaction_count(SCORER) == nonce + 3
    assert federation.client.round(1).state is RoundState.VOID
