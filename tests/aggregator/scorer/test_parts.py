"""The scorer's parts by themselves: quick verification, withheld bodies, broken downloads, records, settings."""

import json
import os
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from aggregator.blobs import BlobStore
from aggregator.bundles import write_evidence
from aggregator.errors import BlobCorrupt, BlobMissing
from aggregator.evaluation.evidence import build_evidence
from aggregator.evaluation.round import RoundInputs, evaluate_round
from aggregator.mirror.claim import Claim
from aggregator.scorer.errors import REFUSALS, BodyWithheld, FileTooLarge, ReplayDifference, ScorerHomeMissing
from aggregator.scorer.forwarding import Forwarding, HandedBody
from aggregator.scorer.gathering import gather
from aggregator.scorer.home import ScorerHome, ScorerSettings
from aggregator.scorer.quick import verify_quickly
from aggregator.scorer.records import Records
from aggregator.scorer.sources import Directory, GatheredBlobs
from aggregator.scorer.verify import read_published
from protocol.errors import EvidenceError, FormatError, ServiceUnreachable
from protocol.evidence import Evidence, Header, Kind
from protocol.evidence_json import evidence_to_json
from protocol.update import body_hash
from tests.aggregator.scorer.test_replay import follow
from tests.support.chain import LocalFederation, account
from tests.support.lies import altered, rehashed
from tests.support.rounds import DOMAIN, Sent, config, digits_round, filled, honest


@pytest.fixture(scope="module")
def inputs() -> RoundInputs:
    sent = [honest(1), honest(2), honest(3), Sent(filled(0)), Sent(filled(np.nan))]
    return digits_round(sent, config=config(tolerance={"utility": 64}, pay={"z": 10}), shards=2)


@pytest.fixture(scope="module")
def evidence(inputs: RoundInputs) -> Evidence:
    return build_evidence(inputs, evaluate_round(inputs))


def test_a_quick_verification_draws_other_leaves_each_time(inputs: RoundInputs, evidence: Evidence) -> None:
    draws = [verify_quickly(inputs, evidence, 3) for _ in range(6)]
    assert all(len(drawn) == 3 for drawn, _ in draws)
    assert len({drawn for drawn, _ in draws}) > 1
    assert all(margin.largest <= margin.tolerance for _, margin in draws)
    everything, _ = verify_quickly(inputs, evidence, 1000)
    assert len(everything) == len(evidence.by_kind[Kind.UTILITY])


@pytest.mark.parametrize(
    ("kind", "position", "name"),
    [
        (Kind.BODY, 1, "fingerprint"),
        (Kind.CONTRIBUTION, 1, "contribution"),
        (Kind.CONTRIBUTION, 1, "basis"),
        (Kind.SCORE, 1, "score"),
        (Kind.MODEL, 0, "hash"),
    ],
)
def test_what_costs_no_evaluation_is_checked_in_every_quick_verification(
    inputs: RoundInputs, evidence: Evidence, kind: Kind, position: int, name: str
) -> None:
    def flip(values: dict[str, Any]) -> dict[str, Any]:
        value = values[name]
        return {name: bytes([value[0] ^ 1]) + value[1:] if isinstance(value, bytes) else value ^ 1}

    with pytest.raises(ReplayDifference, match=kind.name):
        verify_quickly(inputs, altered(evidence, kind, position, flip), 1)


def test_a_theft_that_keeps_every_sum_is_found_by_any_quick_verification(inputs: RoundInputs, evidence: Evidence) -> None:
    stolen = altered(evidence, Kind.CONTRIBUTION, 0, lambda values: {"contribution": values["contribution"] + 600})
    stolen = altered(stolen, Kind.CONTRIBUTION, 1, lambda values: {"contribution": values["contribution"] - 600})
    with pytest.raises(ReplayDifference, match="CONTRIBUTION leaf 0, contribution"):
        verify_quickly(inputs, stolen, 1)


@pytest.mark.parametrize("name", [field.name for field in fields(Header) if field.name not in ("roots", "total_basis")])
def test_a_lie_in_the_header_is_found_by_any_quick_verification(inputs: RoundInputs, evidence: Evidence, name: str) -> None:
    value = getattr(evidence.header, name)
    wrong: Any = bytes(32) if isinstance(value, bytes) else (value[0] + 1, *value[1:]) if isinstance(value, tuple) else value + 1
    # Under another federation every leaf is hashed otherwise.
    with pytest.raises((ReplayDifference, EvidenceError), match="INPUT leaves" if name == "federation" else f"header, {name}"):
        verify_quickly(inputs, replace(evidence, header=replace(evidence.header, **{name: wrong})), 1)


@pytest.mark.parametrize(
    ("kind", "position"), [(Kind.UTILITY, 5), (Kind.CONTRIBUTION, 1), (Kind.SCORE, 1), (Kind.MODEL, 0), (Kind.UPDATE, 1)]
)
def test_a_leaf_left_out_is_found_by_any_quick_verification(
    inputs: RoundInputs, evidence: Evidence, kind: Kind, position: int
) -> None:
    lie = rehashed(evidence, tuple(leaf for leaf in evidence.leaves if (leaf.kind, leaf.position) != (kind, position)))
    if kind is Kind.UPDATE:  # what is no submission has no body
        inputs = replace(inputs, submissions=tuple(one for one in inputs.submissions if one.update.node != position))
    with pytest.raises(ReplayDifference, match="BODY" if kind is Kind.UPDATE else kind.name):
        verify_quickly(inputs, lie, 1)


def test_a_wrong_utility_is_found_when_it_is_drawn(inputs: RoundInputs, evidence: Evidence) -> None:
    lie = follow(inputs, altered(evidence, Kind.UTILITY, 5, lambda values: {"utility": values["utility"] + 65}))
    with pytest.raises(ReplayDifference, match=r"UTILITY leaf 5 \(tolerance 0\)"):
        verify_quickly(inputs, lie, 1000)
    leaves = tuple(leaf for leaf in evidence.leaves if leaf.kind is not Kind.SCORE)
    with pytest.raises(EvidenceError, match="SCORE"):
        verify_quickly(inputs, replace(evidence, leaves=leaves), 1)


def test_a_body_that_was_handed_over_and_is_not_in_the_evidence_holds_the_attestation_back(
    inputs: RoundInputs, evidence: Evidence, tmp_path: Path
) -> None:
    sent = inputs.submissions[1]
    assert sent.body is not None
    handed = HandedBody(
        round=inputs.round,
        node=1,
        samples=sent.update.samples,
        parameters=sent.update.parameters,
        signature=sent.signature,
        salt=sent.salt or b"",
        body_hash=body_hash(sent.body),
    )
    gathering: Any = SimpleNamespace(home=ScorerHome(tmp_path))
    (tmp_path / "bodies").mkdir()
    (tmp_path / "bodies" / f"{inputs.round}-1.json").write_text(handed.model_dump_json())
    (tmp_path / "bodies" / f"{inputs.round}-2.json").write_text("half a fi")
    forwarding = Forwarding(gathering)
    forwarding.check(evidence)
    without = tuple(leaf for leaf in evidence.leaves if (leaf.kind, leaf.position) != (Kind.BODY, 1))
    with pytest.raises(BodyWithheld, match="BODY leaf 1"):
        forwarding.check(Evidence(evidence.header, without))
    # A commitment that the round was not closed over holds nothing back: its receipt is what proves that.
    other = altered(Evidence(evidence.header, without), Kind.UPDATE, 1, lambda _: {"parameters": bytes(32)})
    forwarding.check(other)


class Breaking:
    """Sends five bytes at a time, then breaks off."""

    place = "a bad line"

    def __init__(self, content: bytes, falls: int) -> None:
        self.content, self.falls, self.asked = content, falls, list[int]()

    def chunks(self, name: bytes, offset: int) -> Iterator[bytes]:
        self.asked.append(offset)
        yield self.content[offset : offset + 5]
        if offset + 5 < len(self.content) or self.falls > len(self.asked):
            raise ServiceUnreachable("http://nowhere", "broken off")


def test_a_download_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    source = Breaking(b"seventeen letters", 0)
    blobs = GatheredBlobs(tmp_path, [source])
    assert blobs.get(b"n" * 32) == b"seventeen letters"
    assert source.asked == [0, 5, 10, 15]
    assert BlobStore(tmp_path).get(b"n" * 32) == b"seventeen letters"
    assert [path.name for path in tmp_path.iterdir()] == [(b"n" * 32).hex()]


def test_a_download_goes_on_in_the_next_process_and_gives_up_on_a_dead_source(tmp_path: Path) -> None:
    dead = Breaking(b"ab", 100)
    with pytest.raises(ServiceUnreachable):
        GatheredBlobs(tmp_path, [dead]).get(b"n" * 32)
    again = Breaking(b"abcdef", 0)
    assert GatheredBlobs(tmp_path, [again]).get(b"n" * 32) == b"abcdef"
    assert again.asked[0] == 2
    with pytest.raises(BlobMissing):
        GatheredBlobs(tmp_path, []).get(b"m" * 32)


class Endless:
    """Sends and sends."""

    place = "a liar"

    def __init__(self) -> None:
        self.sent = 0

    def chunks(self, name: bytes, offset: int) -> Iterator[bytes]:
        while True:
            self.sent += 100
            yield bytes(100)


def test_a_mirror_that_sends_without_end_is_left_for_the_next_one(tmp_path: Path) -> None:
    liar, good = Endless(), Breaking(bytes(1000), 0)
    blobs = GatheredBlobs(tmp_path, [liar, good], limit=1000)
    assert blobs.get(b"n" * 32) == bytes(1000)
    assert liar.sent == 1100
    alone = GatheredBlobs(tmp_path, [liar], limit=1000)
    with pytest.raises(FileTooLarge, match=r"a liar sends more than 1000 bytes .* raise file_bytes"):
        alone.get(b"m" * 32)
    with pytest.raises(BlobMissing):
        alone.get(b"m" * 32)
    assert liar.sent == 2200
    assert [path.name for path in tmp_path.iterdir()] == [(b"n" * 32).hex()]


def test_requests_are_signed_for_the_configured_mirrors_only(tmp_path: Path, federation: LocalFederation) -> None:
    ledger, chain = federation.deployment.ledger, federation.chain
    settings = ScorerSettings(ledger=ledger, rpc_url=chain.url, chain_id=chain.chain_id, mirrors=("http://a",))
    places = ["http://a/", "http://anybody", "http://a.anybody"]
    with gather(ScorerHome(tmp_path), settings, places, tmp_path, account("scorer")) as gathering:
        assert [mirror._signer is not None for mirror in gathering.mirrors] == [True, False, False]


def test_what_a_directory_has_in_place_of_a_file_is_had_from_elsewhere(tmp_path: Path) -> None:
    name, bad, good = b"n" * 32, tmp_path / "bad", tmp_path / "good"
    bad.mkdir()
    good.mkdir()
    (good / name.hex()).write_bytes(b"what it is")
    place = bad / name.hex()
    for number, make in enumerate((place.mkdir, lambda: place.symlink_to(place), lambda: os.mkfifo(place))):
        make()
        assert GatheredBlobs(tmp_path / str(number), [Directory(bad), Directory(good)]).get(name) == b"what it is"
        with pytest.raises(BlobMissing):
            GatheredBlobs(tmp_path / f"{number} alone", [Directory(bad)]).get(name)
        place.rmdir() if place.is_dir() else place.unlink()
    with pytest.raises(BlobMissing):
        GatheredBlobs(tmp_path / "no directory", [Directory(good / name.hex())]).get(name)


def test_evidence_that_somebody_changed_is_had_from_elsewhere_and_else_fails_as_what_it_is(
    evidence: Evidence, tmp_path: Path
) -> None:
    root, good = evidence.header.root(), tmp_path / "good"
    right = evidence_to_json(evidence)
    write_evidence(evidence, BlobStore(good))
    changed = next(leaf for leaf in evidence.leaves if leaf.kind is Kind.SCORE)
    other = Evidence(evidence.header, tuple(one for one in evidence.leaves if one != changed))
    kind_less = {**right, "leaves": [*right["leaves"], {"kind": "opinion", "position": 3, "values": []}]}
    newer = Evidence(replace(evidence.header, version=3), evidence.leaves)
    for number, (lie, name, said) in enumerate(
        (
            (evidence_to_json(other), root, ""),  # a replay names it
            (kind_less, root, "OPINION leaf 3"),
            (evidence_to_json(newer), newer.header.root(), "header, version: published 3"),
            ({**right, "schema_version": 3}, root, None),
            (evidence_to_json(replace(newer, header=replace(newer.header, round=99))), root, None),
            ({"leaves": []}, root, None),
        )
    ):
        bad = tmp_path / f"bad {number}"
        bad.mkdir()
        (bad / name.hex()).write_text(json.dumps(lie))
        own, alone = tmp_path / f"own {number}", GatheredBlobs(tmp_path / f"alone {number}", [Directory(bad)])
        if name == root:
            assert read_published(root, GatheredBlobs(own, [Directory(bad), Directory(good)])) == evidence
        if said == "":
            assert read_published(root, alone) == other
        elif said is not None:
            with pytest.raises(REFUSALS, match=said):  # it hashes to the root: whoever made the root made this
                read_published(name, alone)
        else:
            with pytest.raises(BlobCorrupt):  # it says nothing of who made the root
                read_published(name, alone)


def test_a_round_is_attested_once_and_signatures_are_sorted_by_signer(tmp_path: Path) -> None:
    records = Records(tmp_path, DOMAIN)
    claim = Claim(3, b"s" * 32, b"e" * 32, b"", b"m" * 32)
    assert records.attested(3) is None
    records.keep(claim, "0x" + "b" * 40, b"2")
    kept = records.keep(replace(claim, seed=b"x" * 32), "0x" + "a" * 40, b"1")
    assert kept == Records(tmp_path, DOMAIN).attested(3)
    assert (kept.claim, kept.sorted) == (claim, (b"1", b"2"))
    assert records.rounds() == (3,)
    (tmp_path / "4.json").write_text("{")
    assert records.attested(4) is None


def test_settings_survive_and_bad_ones_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = ScorerHome(tmp_path)
    with pytest.raises(ScorerHomeMissing, match="scorer init"):
        home.settings()
    settings = ScorerSettings(ledger=DOMAIN.ledger, rpc_url="http://x", chain_id=5, mirrors=("http://a", "http://b"))
    home.write_settings(settings)
    assert home.settings() == settings
    monkeypatch.setenv("FAIRSHARE_SCORER_RPC_URL", "http://y")
    assert home.settings().rpc_url == "http://y"
    home.settings_file.write_text('ledger = "0x12"\nchain_id = 0\nrpc_url = ""\nmore = 1\n')
    with pytest.raises(FormatError, match=r"(?s)chain_id.*ledger.*more|ledger"):
        home.settings()
