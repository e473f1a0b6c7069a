"""A node that tampers is signed out by real scorer processes and expelled; who is honest, or merely rejected, is not."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from aggregator.bundles import read_evidence
from aggregator.founding import Wishes, found
from aggregator.home import AggregatorHome
from aggregator.scorer.cli import app as scorer_commands
from aggregator.scorer.home import ScorerHome, ScorerSettings
from aggregator.service.phases import Phase
from aggregator.template import federation_text, with_values
from learning.loading import load_task
from learning.recipe import Recipe
from learning.source import read_task_source
from learning.training import train
from ledger.deployment import deployment_path
from ledger.records import RoundState
from ledger.wallet import Wallet
from node.cli import app as node_commands
from node.enrolment import enrol, home_at
from node.home import NodeHome
from protocol.api import RoundView
from protocol.config import parse_config
from protocol.evidence import Kind
from protocol.files import write_durably
from protocol.parameters import encode_parameters, layout_of, read_parameters
from protocol.typed_data import Expulsion
from protocol.verdicts import Reason
from tests.aggregator.scorer.test_quorum import OTHERS, Scorer
from tests.aggregator.service.support import LAYOUT, Sent, Service, Stage, make_update, problem, serve
from tests.support.chain import CONFIG, PASSPHRASE, LocalChain, LocalFederation, account
from tests.support.processes import process, until

ENVIRONMENT = {"FAIRSHARE_PASSPHRASE": PASSPHRASE}
HONEST, IDLE, TAMPERING = (0, 1), 2, 3


def strict() -> str:
    """The tests' config with the gate that `init` writes, its cohort small, and expulsion in reach of two rounds."""
    gate = re.compile(r"\[gate\].*?(?=\[contributions\])", re.DOTALL)
    (usual,) = gate.findall(federation_text("federation", "Digits"))
    return with_values(gate.sub(usual, CONFIG), {"virtual_nodes": 24, "down_weight": "2", "reject": "3", "expel": "4"})


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    home = AggregatorHome(tmp_path / "federation")
    for name in ("operator", "aggregator", "scorer"):
        Wallet.create(home.key(name), PASSPHRASE, bytes(account(name).key), scrypt_n=2)
    home.federation_file.write_text(strict())
    founding = found(home, Wishes(task="digits", scorers=tuple(account(name).address for name in OTHERS)), PASSPHRASE).file
    with LocalChain(tmp_path / "chain") as chain:
        federation = LocalFederation.deployed(chain, parse_config(strict()), founding)
        path = deployment_path(home.path, chain.chain_id)
        path.parent.mkdir()
        path.write_text(federation.deployment.model_dump_json())
        home.settings_file.write_text(with_values(home.settings_file.read_text(), {"rpc_url": chain.url, "port": 0}))
        yield Stage(home, federation)


def scorer_home(stage: Stage, directory: Path, name: str, *mirrors: str) -> ScorerHome:
    home, chain = ScorerHome(directory), stage.chain
    Wallet.create(home.key, PASSPHRASE, bytes(account(name).key), scrypt_n=2)
    settings = ScorerSettings(
        ledger=stage.ledger.ledger_address,
        rpc_url=chain.url,
        chain_id=chain.chain_id,
        mirrors=mirrors,
        port=0,
        poll_seconds=1,
    )
    write_durably(home.settings_file, settings.text().encode())
    return home


def tampering_home(stage: Stage, service: Service, directory: Path) -> NodeHome:
    home = home_at(directory)
    for path, name in ((home.owner_key, f"owner {TAMPERING}"), (home.signing_key, f"signer {TAMPERING}")):
        Wallet.create(path, PASSPHRASE, bytes(account(name).key), scrypt_n=2)
    invited, rpc_url = stage.federation.invite(f"owner {TAMPERING}"), stage.chain.url
    enrol(home, invited, stage.ledger, service.client, rpc_url=rpc_url, data="4/4", payout=None, consent=lambda offer: None)
    return home


def others(service: Service, view: RoundView) -> list[Sent]:
    """What the honest nodes train from the round's base model, and a node that sends zeros."""
    task, layout = load_task(read_task_source("digits")), layout_of({name: np.zeros(s, "f4") for name, s in LAYOUT.items()})
    base, recipe = read_parameters(service.client.model(view.base_model), layout), service.stage.federation.config.recipe
    shares = {node: task.load(f"{node + 1}/4") for node in HONEST}
    trained = {node: train(task, base, data, Recipe.from_config(recipe), seed=1) for node, data in shares.items()}
    idle = make_update(service.domain, view, IDLE, encode_parameters({name: np.zeros_like(a) for name, a in base.items()}))
    return [
        *(make_update(service.domain, view, n, encode_parameters(trained[n]), samples=len(shares[n])) for n in HONEST),
        idle,
    ]


def play(stage: Stage, service: Service, second: Scorer, number: int, *alive: Any) -> dict[int, Reason]:
    """One whole round, the tampering node's part and the scorers' by their own processes; the reasons by node."""
    while service.context.ledger.round(number).state is not RoundState.OPEN:
        service.turn()
    view = service.client.round(number)
    sent = others(service, view)
    service.commit(*sent)
    until(lambda: service.client.upload(number, TAMPERING).committed, *alive)
    service.turn(2)
    service.reveal(*sent)
    until(lambda: service.client.upload(number, TAMPERING).revealed, *alive)
    service.turn(3)
    second.follower.turn()
    until(lambda: len(service.context.store.attestations(number)) == 3, *alive)
    service.turn(2)
    assert service.phase(number) is Phase.PROPOSED
    stage.chain.advance(service.context.federation.timing.window)
    leaves = read_evidence(stage.ledger.round(number).evidence_root, service.context.blobs).by_kind[Kind.VERDICT]
    return {node: Reason(leaf.get("reason")) for node, leaf in leaves.items()}


def test_scorers_sign_out_who_tampers_and_nobody_else(stage: Stage, tmp_path: Path) -> None:
    ledger = stage.ledger
    with ExitStack() as stack:
        service = stack.enter_context(serve(stage))
        for node in (*HONEST, IDLE, TAMPERING):
            stage.federation.join(node)
        home = tampering_home(stage, service, tmp_path / "node")
        # One scorer unattended, one whose turns are in the test's hand, and the aggregator's own: three of four.
        unattended = scorer_home(stage, tmp_path / "unattended", OTHERS[0], service.client.url)
        second = Scorer(stack, stage, tmp_path / "second", OTHERS[1], [service.client.url])
        alive = [stack.enter_context(process("scorer", "serve", str(unattended.path), "--json"))]
        alive.append(stack.enter_context(process(str(home.path), module="tests.system.tampering_node")))

        first = play(stage, service, second, 1, *alive)
        assert first[IDLE] is Reason.NO_CHANGE
        assert first[TAMPERING] not in (Reason.OK, Reason.EXPELLABLE)  # rejected, which is no reason to sign
        again = play(stage, service, second, 2, *alive)
        assert again[TAMPERING] is Reason.EXPELLABLE
        assert Reason.EXPELLABLE not in [again[node] for node in (*HONEST, IDLE)]
        service.turn(2)
        until(lambda: len(service.client.expulsion(2, TAMPERING).signatures) == 2, *alive)
        assert not ledger.node(TAMPERING).expelled  # two of the three that are needed
        second.follower.turn()
        service.turn()
        assert ledger.node(TAMPERING).expelled

        check_nobody_else(service, second, unattended)
        check_what_the_node_hears(stage, service, home)
        check_the_way_back(stage, service, home)


def check_nobody_else(service: Service, second: Scorer, unattended: ScorerHome) -> None:
    """Nothing is signed but the one expulsion, and a scorer that is asked to sign more refuses, with the numbers."""
    ledger = service.context.ledger
    assert [record.expelled for record in ledger.nodes()] == [node == TAMPERING for node in range(4)]
    for number in (1, 2):
        for node in range(4):
            signed = len(service.client.expulsion(number, node).signatures)
            assert (signed > 0) == ((number, node) == (2, TAMPERING)), (number, node)
    assert [path.name for path in (unattended.path / "expulsions").glob("*.json")] == [f"2-{TAMPERING}.json"]
    for node, number, why in (
        (HONEST[0], 2, "the limit for expulsion is 4.00"),
        (TAMPERING, 1, "judged"),
        (9, 2, "no update of"),
    ):
        command = ["expel", str(node), "--round", str(number), "--home", str(unattended.path)]
        told = CliRunner().invoke(scorer_commands, command, env=ENVIRONMENT)
        assert (told.exit_code, why in told.stderr) == (61, True), told.stderr
    # Another scorer's word makes nobody sign: it is kept, and stays one of three.
    word = Expulsion(2, HONEST[0]).sign(service.domain, account(OTHERS[2]))
    for client in (service.client, second.client):
        client.expel(2, HONEST[0], word)
    second.follower.turn()
    service.turn(2)
    assert service.client.expulsion(2, HONEST[0]).signatures == [word]
    strange = Expulsion(2, 0).sign(service.domain, account("stranger"))
    assert problem(lambda: service.client.expel(2, 0, strange)) == (422, "wrong-expulsion")
    assert problem(lambda: service.client.expel(3, 0, word)) == (404, "not-yet-there")
    assert problem(lambda: service.client.expel(4, 0, word)) == (404, "unknown-round")
    assert problem(lambda: service.client.expel(2, 9, word)) == (404, "unknown-node")


def ask(*command: str) -> dict[str, Any]:
    """What `fairshare node` answers."""
    told = CliRunner().invoke(node_commands, [*command, "--json"], env=ENVIRONMENT)
    assert told.stdout, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def check_what_the_node_hears(stage: Stage, service: Service, home: NodeHome) -> None:
    while service.context.ledger.last_round() < 3:
        service.turn()
    status = ask("status", str(home.path))
    assert "the evidence of round 2 justifies it; its stake of 0.5 coin is free at" in status["expelled"]
    for number in (2, 3):
        why = ask("why", str(home.path), str(number))
        assert "ask the operator for a new invitation" in why["next_step"]
        assert ("expelled" in why["sentence"]) == (number == 3) or why["reason"] == "expellable"
    checks = ask("doctor", str(home.path))["findings"]
    (membership,) = [one for one in checks if one["check"] == "membership"]
    assert "was expelled" in membership["found"]
    assert "ask the operator for a new invitation" in membership["mend"]


def check_the_way_back(stage: Stage, service: Service, home: NodeHome) -> None:
    """The stake comes back after unbonding; a new invitation lets the node in, and nobody signs it out for what is past."""
    ledger = stage.ledger
    assert ask("leave", str(home.path))["step"] == "waiting"
    stage.chain.advance(service.stage.federation.config.stake.unbonding_seconds)
    assert ask("leave", str(home.path))["step"] == "withdrawn"
    stage.federation.join(TAMPERING)
    service.turn(2)
    assert (ledger.node(TAMPERING).expelled, ledger.node(TAMPERING).eligible) == (False, True)
