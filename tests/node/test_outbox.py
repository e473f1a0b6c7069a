"""Commands that send, killed while what they sent is not mined yet: given again they find it, and nothing is sent or paid twice.

On anvil, which mines when it is told to, so that a transaction waits like on a busy chain.
"""

import json
from collections.abc import Iterator

import pytest

from learning.source import TaskSource
from ledger.wallet import Wallet
from node.enrolment import home_at
from node.home import NodeHome, Terms
from node.leaving import Step, leave
from node.membership import join
from node.settings import NodeSettings
from protocol.config import parse_config
from protocol.shares import SCORE_TOTAL
from tests.ledger.conformance.chains import Anvil
from tests.node.process import COMMAND
from tests.support.chain import COIN, CONFIG, PASSPHRASE, TestFederation, account, founding
from tests.support.killing import killed_and_given_again

OWNER = account("owner 0").address
SOURCE = TaskSource.from_texts("T", {"t.py": "class T: ..."})


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestFederation[Anvil]]:
    """A federation on anvil; the tests share it, and find anvil mining by itself."""
    chain, config = Anvil(tmp_path_factory.mktemp("outbox") / "anvil"), parse_config(CONFIG)
    yield TestFederation.deployed(chain, config, founding(config, SOURCE.sha256()))
    chain.stop()


@pytest.fixture(scope="module")
def home(federation: TestFederation[Anvil], tmp_path_factory: pytest.TempPathFactory) -> NodeHome:
    """The directory of owner 0, ready to join."""
    home, client = home_at(tmp_path_factory.mktemp("outbox") / "node"), federation.client
    for path, name in ((home.owner_key, "owner 0"), (home.signing_key, "signer 0")):
        Wallet.create(path, PASSPHRASE, bytes(account(name).key), scrypt_n=2)
    home.keep_invitation(federation.invite("owner 0"))
    home.keep_terms(Terms(CONFIG, federation.config, SOURCE))
    home.write_settings(
        NodeSettings(
            federation_url="http://127.0.0.1:1",
            rpc_url=federation.chain.url,
            chain_id=client.domain.chain_id,
            ledger=client.ledger_address,
            payout=OWNER,
        )
    )
    return home


def given_again(federation: TestFederation[Anvil], home: NodeHome, command: str) -> "dict[str, object]":
    """The command, killed and given again; what the second one told."""
    call = [*COMMAND, command, str(home.path), "--json"]
    told: dict[str, object] = json.loads(killed_and_given_again(federation.chain, OWNER, home.transactions, call))
    return told


def test_join(federation: TestFederation[Anvil], home: NodeHome) -> None:
    before = federation.client.coin_balance(OWNER)
    given_again(federation, home, "join")
    assert federation.client.node(0).stake == COIN // 2
    assert before - federation.client.coin_balance(OWNER) < COIN // 2 + COIN // 100


def test_claim(federation: TestFederation[Anvil], home: NodeHome) -> None:
    federation.play((SCORE_TOTAL,))
    told = given_again(federation, home, "claim")
    # Whether it was mined before the second looked or after, it was one.
    assert (told["claimed"], told["rounds"]) in ((str(1000 * COIN), [1]), ("0", []))
    assert federation.client.balance(OWNER) == federation.client.total_supply() == 1000 * COIN


def test_leave_and_a_second_leave_later(federation: TestFederation[Anvil], home: NodeHome) -> None:
    client, settings = federation.client, home.settings()

    def step() -> Step:
        return leave(home, client, lambda: PASSPHRASE).step

    given_again(federation, home, "leave")
    assert step() is Step.WAITING
    federation.chain.advance(federation.config.stake.unbonding_seconds)
    assert (step(), step()) == (Step.WITHDRAWN, Step.GONE)
    # What was done long ago is not taken for what is due now.
    home.keep_invitation(federation.invite("owner 0"))
    home.keep_terms(Terms(CONFIG, federation.config, SOURCE))
    assert join(home, settings, client, lambda: PASSPHRASE).tx_hash is not None
    assert (step(), step()) == (Step.LEFT, Step.WAITING)
