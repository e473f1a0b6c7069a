"""`fairshare scorer verify` on a round of the real service: PASS, and FAIL naming the leaf for one bit flipped in each kind.

The liar here holds the evidence that the chain points to: it hashes its lie properly and has it proposed, or changes the bundle
on its way. The attested round of the service is played once.
"""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aggregator.blobs import BlobStore
from aggregator.bundles import read_bundle, write_evidence
from aggregator.home import AggregatorHome
from aggregator.scorer.cli import app
from aggregator.scorer.errors import FAILED, ChainDisagrees, NothingToVerify, ReplayDifference
from aggregator.scorer.verify import verify
from aggregator.service.phases import Phase
from aggregator.template import with_values
from ledger.client import LedgerClient
from ledger.records import ChainRound, Terms
from protocol.config import parse_config
from protocol.evidence import LEAF_KINDS, Evidence, Input, Kind, Leaf
from protocol.evidence_json import evidence_to_json
from tests.aggregator.service.support import Stage, founded, serve
from tests.support.chain import CONFIG, PASSPHRASE, LocalChain, LocalFederation, account
from tests.support.lies import replaced

__all__ = ["founded"]


@pytest.fixture(scope="module")
def played(founded: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A proposed round of two untrained updates, on a served chain."""
    template, founding, deployment = founded
    directory = tmp_path_factory.mktemp("played")
    shutil.copytree(template, directory / "stage")
    home = AggregatorHome(directory / "stage" / "federation")
    with LocalChain(directory / "stage" / "chain") as chain:
        home.settings_file.write_text(with_values(home.settings_file.read_text(), {"rpc_url": chain.url, "port": 0}))
        stage = Stage(home, LocalFederation(chain, parse_config(CONFIG), founding, deployment))
        with serve(stage) as service:
            service.play()
            service.turn(2)
            assert service.phase(1) is Phase.PROPOSED
        yield stage


class Lying(LedgerClient):
    """The chain as it would be had a quorum attested other evidence; everything else is the real one's."""

    def __init__(self, ledger: LedgerClient, root: bytes) -> None:
        self.__dict__ = dict(ledger.__dict__)
        self._root = root

    def round(self, number: int) -> ChainRound:
        found = super().round(number)
        return replace(found, evidence_root=self._root) if number == 1 else found


def lie(stage: Stage, tmp_path: Path, evidence: Evidence) -> tuple[LedgerClient, BlobStore]:
    """A chain that points to this evidence, and blobs that have it."""
    shutil.copytree(stage.home.blobs_directory, tmp_path / "blobs", copy_function=os.link)
    blobs = BlobStore(tmp_path / "blobs")
    return Lying(stage.ledger, write_evidence(evidence, blobs)), blobs


def published(stage: Stage) -> Evidence:
    return read_bundle(stage.ledger.round(1).evidence_root, stage.home.blobs())


def flipped(abi_type: str, value: Any) -> Any:
    """The value with one bit flipped, in wide integers one that no tolerance covers."""
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:]
    if isinstance(value, str):
        return "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    if isinstance(value, tuple):
        return (value[0] ^ 1 << 40, *value[1:]) if value else (1,)
    return value ^ (1 << 40 if int(abi_type.lstrip("uint")) >= 64 else 1)


FIELDS = [
    (kind, number)
    for kind, spec in LEAF_KINDS.items()
    for number, (_, name) in enumerate(spec.fields)
    if (kind, name) != (Kind.UTILITY, "coalition")
]


@pytest.mark.parametrize(("kind", "number"), FIELDS, ids=[f"{kind.name}-{LEAF_KINDS[kind].fields[n][1]}" for kind, n in FIELDS])
def test_one_bit_flipped_in_any_field_of_any_kind_of_leaf_fails_and_is_named(
    played: Stage, tmp_path: Path, kind: Kind, number: int
) -> None:
    evidence = published(played)
    if not evidence.by_kind[kind]:
        pytest.skip(f"this round has no {kind.name} leaves: test_replay.py flips theirs, in a round that has every kind")
    leaf = next(iter(evidence.by_kind[kind].values()))
    changed = flipped(LEAF_KINDS[kind].fields[number][0], leaf.values[number])
    values = (*leaf.values[:number], changed, *leaf.values[number + 1 :])
    ledger, blobs = lie(played, tmp_path, replaced(evidence, Leaf(kind, leaf.position, values)))
    with pytest.raises((ReplayDifference, ChainDisagrees, ValueError)) as caught:
        verify(ledger, blobs, 1)
    named = {Kind.INPUT: "INPUT", Kind.UTILITY: "utilities|UTILITY"}.get(kind, kind.name)
    assert any(name in str(caught.value) for name in named.split("|")), str(caught.value)


def test_a_bundle_that_was_changed_on_its_way_is_named_too(played: Stage, tmp_path: Path) -> None:
    evidence = published(played)
    leaf = evidence.by_kind[Kind.SCORE][0]
    leaves = tuple(Leaf(Kind.SCORE, 0, (leaf.get("score") ^ 1,)) if one == leaf else one for one in evidence.leaves)
    shutil.copytree(played.home.blobs_directory, tmp_path / "blobs")
    bundle = tmp_path / "blobs" / evidence.header.root().hex()
    bundle.write_text(json.dumps(evidence_to_json(Evidence(evidence.header, leaves))))
    with pytest.raises(ReplayDifference, match="SCORE leaf 0"):
        verify(played.ledger, BlobStore(tmp_path / "blobs"), 1)


def test_the_command_says_pass_or_fail_and_what_it_cannot_tell(played: Stage, tmp_path: Path) -> None:
    where = ["--ledger", played.ledger.ledger_address, "--rpc-url", played.chain.url]

    def run(*arguments: str) -> tuple[int, dict[str, Any], str]:
        told = CliRunner().invoke(app, [*arguments, "--json"], env={"FAIRSHARE_PASSPHRASE": PASSPHRASE})
        return told.exit_code, json.loads(told.stdout) if told.stdout else {}, told.stderr

    directory = str(played.home.path)
    code, told, _ = run("verify", "1", "--from", directory, *where)
    assert (code, told["result"]) == (0, "PASS")
    assert told["evidence_root"] == "0x" + played.ledger.round(1).evidence_root.hex()
    code, told, _ = run("verify", "1", "--from", directory, "--quick", "2", *where)
    assert (code, told["result"], len(told["recomputed"])) == (0, "PASS", 2)

    code, told, complaint = run("verify", "2", "--from", directory, *where)
    assert code == 43
    assert "round 2 is none" in complaint
    code, _, complaint = run("verify", "1", "--from", str(tmp_path), *where)
    assert code == 43
    assert "is missing" in complaint

    # A directory whose evidence was changed: the leaf is named, with both values.
    shutil.copytree(played.home.blobs_directory, tmp_path / "blobs")
    evidence = published(played)
    leaf = evidence.by_kind[Kind.VERDICT][1]
    changed = Leaf(Kind.VERDICT, 1, (leaf.values[0] + 1, *leaf.values[1:]))
    leaves = tuple(changed if one == leaf else one for one in evidence.leaves)
    bundle = tmp_path / "blobs" / evidence.header.root().hex()
    bundle.write_text(json.dumps(evidence_to_json(Evidence(evidence.header, leaves))))
    code, told, _ = run("verify", "1", "--from", str(tmp_path), *where)
    assert (code, told["result"], told["where"]) == (FAILED, "FAIL", "VERDICT leaf 1")
    assert str(leaf.values[0]) in told["sentence"]


def test_terms_enacted_since_do_not_change_what_a_round_is_replayed_with(played: Stage, tmp_path: Path) -> None:
    ledger, federation = played.ledger, played.federation
    terms = Terms(b"\x11" * 32, b"\x22" * 32, account("aggregator").address, ledger.scorers(2))
    federation.send("operator", ledger.announce(terms))
    played.chain.advance_to(ledger.announced()[1])
    federation.send("stranger", ledger.enact(terms))
    assert (ledger.config_hash(), ledger.task_hash()) == (terms.config_hash, terms.task_hash)
    assert verify(ledger, played.home.blobs(), 1).claim.evidence_root == ledger.round(1).evidence_root
    # Evidence that claims the new terms for the old round is named.
    config = published(played).by_kind[Kind.INPUT][Input.CONFIG]
    assert ledger.opening(1) is not None
    lying, blobs = lie(played, tmp_path, replaced(published(played), config._replace(values=(terms.config_hash,))))
    with pytest.raises(ReplayDifference, match="INPUT leaf 0: published 0x1111"):
        verify(lying, blobs, 1)


def test_a_round_without_an_outcome_cannot_be_verified(played: Stage) -> None:
    with pytest.raises(NothingToVerify):
        verify(played.ledger, played.home.blobs(), 7)
