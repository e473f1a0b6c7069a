"""An open federation is joined without an invitation, for a fee that is told and accepted; an invited one is not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.wallet import Wallet
from node.checks import Patient
from node.consent import accept_fee
from node.doctor import examine
from node.errors import FeeNotAccepted, HomeIncomplete, InvitationNeeded
from node.home import NodeHome
from node.membership import join
from protocol.config import parse_config
from protocol.terms import terms_hash
from protocol.typed_data import Expulsion
from tests.node.conftest import NODE_CONFIG, SOURCE, World
from tests.node.service import Service
from tests.node.test_cli import directory_with_keys, give, give_json, passphrase
from tests.support.chain import COIN, PASSPHRASE, LocalChain, LocalFederation, account, founding

__all__ = ["passphrase"]

OPEN = NODE_CONFIG.replace("open_samples = 0", "open_samples = 50")
STAKE, FEE = COIN // 2, COIN // 5
NOBODY = "0x0000000000000000000000000000000000000000"


@pytest.fixture
def open_world(chain: LocalChain, genesis: tuple[bytes, bytes], tmp_path: Path) -> Iterator[World]:
    config = parse_config(OPEN)
    federation = LocalFederation.deployed(chain, config, founding(config, SOURCE.sha256(), genesis[0]))
    service = Service(federation, OPEN, SOURCE, dict([genesis]))
    yield World(federation, service, tmp_path)
    service.down()


def offer(world: World, directory: Path) -> list[str | Path]:
    """How the directory is finished without an invitation."""
    where: list[str | Path] = ["--ledger", world.federation.client.ledger_address, "--rpc-url", world.federation.chain.url]
    digest = terms_hash(world.federation.config.sha256(), SOURCE.sha256())
    where += ["--federation", world.service.url, "--data", "16", "--accept-terms", digest.hex()]
    return ["init", directory, *where]


def test_anybody_joins_for_stake_and_fee(open_world: World, tmp_path: Path) -> None:
    client, owner = open_world.federation.client, account("owner 0").address
    directory = directory_with_keys(tmp_path / "press 7")
    named = {"scorer_urls": ["http://127.0.0.1:9", "http://127.0.0.1:10"]}
    open_world.service.tamper["GET /v1/federation"] = lambda honest: honest.model_copy(update=named)
    assert give_json(*offer(open_world, directory))["scorers"] == named["scorer_urls"]
    chosen = give_json(*offer(open_world, directory), "--scorer", "http://127.0.0.1:11")
    assert chosen["scorers"] == ["http://127.0.0.1:11"]
    assert give_json("init", directory)["scorers"] == ["http://127.0.0.1:11"]  # which stays, as nothing else was named

    findings = {found.check: found for found in examine(Patient(NodeHome(directory), clock=client.now))}
    assert "without an invitation" in findings["directory"].found
    assert "has not joined, but the federation is open" in findings["membership"].found
    assert "--scorer" in findings["scorers"].mend

    code, _, err = give("join", directory)
    assert (code, "accept it by --fee 0.2" in err) == (15, True), err
    assert give("join", directory, "--fee", "0.1999")[0] == 15
    assert client.node_count() == 0
    burned, before = client.coin_balance(NOBODY), client.coin_balance(owner)
    joined = give_json("join", directory, "--fee", "0.2")
    assert (joined["node"], joined["stake"]) == (0, str(STAKE))
    assert FEE <= client.coin_balance(NOBODY) - burned < FEE + COIN // 100  # it is the miner of the local chain, too
    assert STAKE + FEE < before - client.coin_balance(owner) < STAKE + FEE + COIN // 100
    assert client.node(0).max_samples == 50
    assert give_json("join", directory)["transaction"] is None
    open_world.members.append(0)
    (report,) = open_world.run(NodeHome(directory))
    assert report.score > 0


def test_a_balance_that_does_not_cover_both_is_told_before_anything_is_sent(open_world: World, tmp_path: Path) -> None:
    home = NodeHome(tmp_path / "poor")
    for file, name in ((home.owner_key, "somebody poor"), (home.signing_key, "signer 1")):
        Wallet.create(file, PASSPHRASE, bytes(account(name).key), scrypt_n=2)
    give_json(*offer(open_world, home.path))
    code, _, err = give("join", home.path, "--fee", "0.2")
    assert (code, "may need up to 0.7" in err, "fund it" in err) == (34, True, True), err


def test_an_expelled_node_needs_an_invitation_also_there(open_world: World, tmp_path: Path) -> None:
    federation, client = open_world.federation, open_world.federation.client
    directory = directory_with_keys(tmp_path / "node")
    give_json(*offer(open_world, directory))
    give_json("join", directory, "--fee", "1")
    expulsion = Expulsion(federation.play((10_000_000,)), 0)
    signed = expulsion.sign(client.domain, account("scorer"))
    federation.send("stranger", client.expel(expulsion, [signed]))
    federation.chain.advance(federation.config.stake.unbonding_seconds)
    assert give_json("leave", directory)["step"] == "withdrawn"
    with pytest.raises(InvitationNeeded, match="node 0 was expelled; ask the operator"):
        join(NodeHome(directory), NodeHome(directory).settings(), client, lambda: PASSPHRASE)
    NodeHome(directory).keep_invitation(federation.invite("owner 0"))
    assert give_json("join", directory)["node"] == 0


def test_an_invited_federation_takes_nobody_without(world: World, tmp_path: Path) -> None:
    directory = directory_with_keys(tmp_path / "node")
    code, _, err = give(*offer(world, directory))
    assert (code, "is not open; ask the operator for one" in err) == (15, True), err
    assert not NodeHome(directory).settings_file.exists()
    code, _, err = give("init", directory, "--federation", world.service.url)
    assert (code, "has no invitation" in err) == (14, True), err
    assert "--ledger" in str(HomeIncomplete(directory, "invitation"))


def test_a_fee_is_paid_by_who_says_so() -> None:
    asked: list[str] = []

    def answer(text: str) -> None:
        def ask(question: str) -> str:
            asked.append(question)
            return text

        accept_fee(FEE, None, ask)

    answer("yes\n")
    assert "0.2 coin" in asked[0]
    for text in ("", "n", "0.2"):
        with pytest.raises(FeeNotAccepted):
            answer(text)
    accept_fee(0, None)
    accept_fee(FEE, FEE)
    with pytest.raises(FeeNotAccepted):
        accept_fee(FEE + 1, FEE, lambda question: "y")
