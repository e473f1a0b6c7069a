"""`why` and `verify` on a round that the real service led: two nodes are accepted, one sends NaN, and one round is Void."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ledger.bonds import Bonds
from ledger.deployment import Deployment
from ledger.governance import Governance
from ledger.records import RoundState
from ledger.wallet import Wallet
from node.cli import app
from node.enrolment import enrol, home_at
from node.errors import NothingToProve
from node.home import NodeHome
from node.prove import broken_promise, prove
from node.store import RoundStore
from node.verify import Case, check, gather
from node.why import explain_round
from protocol.evidence import Evidence, Kind, Leaf, subtree_roots, update_leaf
from protocol.founding import FoundingFile
from protocol.parameters import encode_parameters
from protocol.typed_data import Receipt
from protocol.update import body_hash
from tests.aggregator.service.support import Sent, Service, founded, make_update, serve, small_update, staged
from tests.support.chain import COIN, PASSPHRASE, account
from tests.support.rounds import trained

__all__ = ["founded"]

NODES = 3


@dataclass(frozen=True)
class Paid:
    """The service after round 1 (Final) and round 2 (Void), and the directories of its three nodes."""

    service: Service
    homes: tuple[NodeHome, ...]

    def case(self, node: int, number: int = 1) -> Case:
        home = self.homes[node]
        return gather(home, home.settings(), self.service.stage.ledger, number)


def _home(service: Service, directory: Path, number: int) -> NodeHome:
    home = home_at(directory / f"node {number}")
    for path, name in ((home.owner_key, f"owner {number}"), (home.signing_key, f"signer {number}")):
        Wallet.create(path, PASSPHRASE, bytes(account(name).key), scrypt_n=2)
    stage = service.stage
    enrol(
        home,
        stage.federation.invite(f"owner {number}"),
        stage.ledger,
        service.client,
        rpc_url=stage.chain.url,
        data=f"{number + 1}/64",
        payout=None,
        consent=lambda offer: None,
    )
    return home


def _remember(service: Service, home: NodeHome, sent: Sent) -> None:
    """Commit, and keep of it what `node run` keeps."""
    store = RoundStore(home.store, service.domain.separator)
    store.trained(sent.update, sent.salt, body_hash(sent.body))
    store.signed(sent.update.round, sent.signature)
    store.committed(sent.update.round, service.client.commit(sent.update, sent.signature).signature)
    store.reported(sent.update.round)
    store.close()


@pytest.fixture(scope="module")
def paid(founded: tuple[Path, FoundingFile, Deployment], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paid]:
    directory = tmp_path_factory.mktemp("paid")
    with staged(founded, directory) as stage, serve(stage) as service:
        view = service.open_round(NODES)
        homes = tuple(_home(service, directory, number) for number in range(NODES))
        nan = {name: array * float("nan") for name, array in small_update(2).items()}
        bodies = [encode_parameters(trained(1)[0]), encode_parameters(trained(4)[0]), encode_parameters(nan)]
        sent = [make_update(service.domain, view, node, body) for node, body in enumerate(bodies)]
        for home, one in zip(homes, sent, strict=True):
            _remember(service, home, one)
        service.turn(2)
        service.reveal(*sent)
        service.turn(4)
        assert stage.ledger.round(1).state is RoundState.PROPOSED
        stage.chain.advance(stage.federation.config.rounds.window_seconds)
        service.turn(3)  # round 2 opens, and nobody commits
        stage.chain.advance(stage.federation.config.rounds.commit_seconds)
        service.turn(3)
        assert [stage.ledger.round(number).state for number in (1, 2)] == [RoundState.FINAL, RoundState.VOID]
        yield Paid(service, homes)


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout + result.stderr


def test_why_says_in_ten_lines_what_a_paid_node_got(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out = run("why", paid.homes[0].path, 1)
    rows = [line for line in out.splitlines() if line[:1].strip()]
    assert (code, len(rows)) == (0, 10)
    assert max(map(len, out.splitlines())) <= 80
    found = json.loads(run("why", paid.homes[0].path, 1, "--json")[1])
    ledger = paid.service.stage.ledger
    (mine, *_) = paid.service.client.scores(1).nodes
    assert (found["verdict"], found["reason"], found["sentence"][:10]) == ("accept", mine.reason, "The update")
    assert (found["score"], found["reward"]) == (ledger.score(1, 0), str(ledger.reward(1, 0)))
    assert found["score"] > 0
    assert found["contribution"] > found["standard_error"] > 0
    assert "an update from 100 samples" in found["sent"]
    assert "committed, receipt here" in found["sent"]
    assert found["claimable"] == f"now: fairshare node claim {paid.homes[0].path}"


def test_contributions_are_told_by_round_and_in_total_and_are_zero_where_there_are_none(paid: Paid) -> None:
    mine, refused = (json.loads(run("contributions", paid.homes[node].path, "--json")[1]) for node in (0, 2))
    (round_,) = mine["rounds"]  # the Void round was never proposed
    scores = paid.service.client.scores(1)
    perfect = scores.denominator * scores.evaluation_samples * (1 << 20)
    for name in ("contribution", "standard_error", "sampling_error", "estimation_error"):
        assert round_[name] == mine[name] == getattr(scores.nodes[0], name) / perfect
    assert (round_["round"], round_["state"], round_["took_part"]) == (1, "final", True)
    assert mine["contribution"] > mine["standard_error"] > 0
    assert (refused["contribution"], refused["standard_error"], refused["rounds"][0]["took_part"]) == (0, 0, True)
    code, out = run("contributions", paid.homes[0].path)
    assert code == 0
    assert f"{100 * mine['contribution']:+.4f}" in out.splitlines()[-1]


def test_why_tells_a_refused_node_its_reason_and_what_to_do(paid: Paid) -> None:
    found = json.loads(run("why", paid.homes[2].path, 1, "--json")[1])
    assert (found["verdict"], found["reason"], found["score"], found["weight"]) == ("reject", "not-finite", 0, 0)
    assert found["next_step"] == "Check the data and the learning rate: training diverged."
    assert found["claimable"] == "there is nothing to claim"


def test_why_of_a_void_round_is_the_reason_of_the_round(paid: Paid) -> None:
    found = json.loads(run("why", paid.homes[0].path, 2, "--json")[1])
    assert (found["state"], found["reason"], found["score"], found["reward"]) == ("void", "too-few-commits", None, None)
    assert "0 of at least 2 came" in found["sentence"]
    assert found["sent"] == "nothing by this directory"
    assert "never" in found["claimable"]


def test_why_without_the_aggregator_still_tells_what_the_chain_knows(paid: Paid) -> None:
    home = paid.homes[0]
    away = home.settings().model_copy(update={"federation_url": "http://127.0.0.1:1"})
    found = explain_round(home, away, paid.service.stage.ledger, 1)
    assert found.score == paid.service.stage.ledger.score(1, 0)
    assert (found.told.verdict, found.told.contribution) == ("", None)
    assert "no aggregator answers" in found.told.sentence


def test_a_round_that_was_never_opened_is_told_with_those_that_were(paid: Paid) -> None:
    for command in ("why", "verify"):
        code, out = run(command, paid.homes[0].path, 99)
        assert (code, "there is no round 99; the federation has had rounds 1 to" in out) == (19, True)
    code, out = run("verify", paid.homes[0].path, 2)
    assert (code, "a Void round pays nobody" in out) == (19, True)


@pytest.mark.parametrize("node", range(NODES))
def test_an_honest_round_verifies_for_every_node(paid: Paid, node: int) -> None:
    code, out = run("verify", paid.homes[node].path, 1)
    assert code == 0, out
    assert out.endswith("every step holds\n")
    assert "it is in it, as it was signed" in out
    assert out.count("not checked: ") == 3


def _leaves(case: Case, change: Callable[[Leaf], Leaf | None]) -> Evidence:
    """The evidence with its leaves changed, and a header that promises the changed ones: an aggregator that lies thoroughly."""
    leaves = tuple(changed for leaf in case.evidence.leaves if (changed := change(leaf)) is not None)
    roots, total = subtree_roots(case.evidence.header.federation, leaves)
    before = case.evidence.header.roots
    kept = {leaf.kind for leaf in case.evidence.leaves}
    roots = tuple(new if kind in kept else old for kind, new, old in zip(Kind, roots, before, strict=True))
    return Evidence(replace(case.evidence.header, roots=roots, total_basis=total), leaves)


def _set(kind: Kind, position: int, name: str, value: Any) -> Callable[[Leaf], Leaf]:
    def change(leaf: Leaf) -> Leaf:
        if (leaf.kind, leaf.position) != (kind, position):
            return leaf
        values = [value if leaf.get(name) is old else old for old in leaf.values]
        return leaf._replace(values=tuple(values))

    return change


def _drop(kind: Kind, position: int) -> Callable[[Leaf], Leaf | None]:
    return lambda leaf: None if (leaf.kind, leaf.position) == (kind, position) else leaf


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        (_drop(Kind.UPDATE, 0), {"header", "update root", "your commitment", "verdicts"}),
        (_set(Kind.UPDATE, 0, "samples", 99), {"header", "update root", "your commitment"}),
        (_set(Kind.CONTRIBUTION, 0, "basis", 1), {"header", "bases", "scores"}),
        (_set(Kind.SCORE, 1, "score", 1), {"header", "scores"}),
        (_set(Kind.VERDICT, 0, "weight", 0), {"header", "verdicts"}),
    ],
    ids=["update dropped", "update changed", "basis lied about", "score lied about", "verdict lied about"],
)
def test_a_lie_that_its_own_header_covers_is_found(paid: Paid, change: Callable[[Leaf], Leaf | None], failing: set[str]) -> None:
    case = paid.case(0)
    lied = replace(case, evidence=_leaves(case, change))
    assert {step.step for step in check(case) if not step.holds} == set()
    assert {step.step for step in check(lied) if not step.holds} == failing


def test_leaves_that_their_header_does_not_cover_are_found(paid: Paid) -> None:
    case = paid.case(0)
    leaves = tuple(leaf for leaf in case.evidence.leaves if (leaf.kind, leaf.position) != (Kind.SCORE, 1))
    failing = {step.step for step in check(replace(case, evidence=Evidence(case.evidence.header, leaves))) if not step.holds}
    assert failing == {"open leaves", "scores"}


def test_an_update_that_was_never_signed_here_is_found(paid: Paid) -> None:
    case = replace(paid.case(0), record=None)
    (step,) = [step for step in check(case) if not step.holds]
    assert (step.step, "never signed" in step.found) == ("your commitment", True)


def test_a_node_that_sent_nothing_is_in_no_tree(paid: Paid) -> None:
    case = replace(paid.case(0), record=None, node=77)
    assert [step.step for step in check(case) if not step.holds] == []


def test_another_config_than_the_rounds_own_is_found(paid: Paid) -> None:
    case = paid.case(0)
    other = case.terms._replace(config_hash=b"\x01" * 32)
    assert [step.step for step in check(replace(case, terms=other)) if not step.holds] == ["terms"]
    pay = case.config.pay.model_copy(update={"z": 1000})
    failing = [step for step in check(replace(case, config=case.config.model_copy(update={"pay": pay}))) if not step.holds]
    assert [step.step for step in failing] == ["bases"]


def test_the_command_ends_with_its_code_when_a_step_does_not_hold(paid: Paid, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(paid.homes[0].path, tmp_path / "without a record", ignore=shutil.ignore_patterns("*.sqlite*"))
    code, out = run("verify", elsewhere, 1)
    assert (code, "NO  your commitment: there is one that this directory never signed" in out) == (61, True)
    assert "NOT every step holds" in out
    code, out = run("verify", elsewhere, 1, "--json")
    assert (code, json.loads(out)["holds"]) == (61, False)


def test_a_receipt_for_another_leaf_than_the_round_holds_costs_the_aggregator_its_bond(paid: Paid) -> None:
    honest, ledger = paid.case(0), paid.service.stage.ledger
    with pytest.raises(NothingToProve, match="holds what was promised"):
        broken_promise(honest)
    record = honest.record
    assert record is not None
    before = replace(record, update=replace(record.update, inputs=b"\x0f" * 32))
    with pytest.raises(NothingToProve, match="rolled back"):
        broken_promise(replace(honest, record=before))
    update = replace(record.update, samples=record.update.samples + 1)
    signature = update.sign(ledger.domain, account("signer 0"))
    leaf = update_leaf(update, signature).hash(ledger.domain.separator)
    receipt = Receipt(1, 0, leaf).sign(ledger.domain, account("aggregator"))
    case = replace(honest, record=replace(record, update=update, signature=signature, receipt=receipt))
    broken = broken_promise(case)
    assert (broken.name, "has another commitment" in broken.sentence) == ("BrokenReceipt", True)
    assert prove(case, broken, lambda: account("owner 0")).block
    assert Bonds(ledger).owed(account("owner 0").address) == 3 * COIN // 2
    assert ledger.round(1).state is RoundState.FINAL  # for ever, whatever is proved of it


def test_the_command_says_that_nothing_is_provable_of_an_honest_round(paid: Paid) -> None:
    told = CliRunner().invoke(app, ["prove", str(paid.homes[1].path), "1"], env={"FAIRSHARE_PASSPHRASE": PASSPHRASE})
    assert (told.exit_code, "nothing is provable of round 1" in told.stderr) == (19, True)


def test_a_round_is_checked_by_the_terms_that_it_opened_with(paid: Paid) -> None:
    stage = paid.service.stage
    now = Governance(stage.ledger).in_force()
    later = now._replace(config_hash=b"\x11" * 32)
    stage.federation.send("operator", stage.ledger.announce(later))
    stage.chain.advance_to(stage.ledger.announced()[1])
    stage.federation.send("stranger", stage.ledger.enact(later))
    case = paid.case(0)
    assert (case.terms.config_hash, case.is_accepted) == (now.config_hash, True)
    assert all(step.holds for step in check(case))
    # Who never accepted them has them from the aggregator, by their hashes.
    shutil.rmtree(paid.homes[2].path / "terms")
    (first, *others) = check(paid.case(2))
    assert (first.holds, "were not accepted here" in first.found) == (True, True)
    assert all(step.holds for step in others)
