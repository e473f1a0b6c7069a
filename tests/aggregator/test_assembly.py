import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aggregator.assembly import RoundReferences, assemble, read_data, read_model, read_task, write_model, write_task
from aggregator.blobs import BlobStore
from aggregator.bundles import read_evidence, write_evidence
from aggregator.errors import BlobCorrupt, BlobMissing
from aggregator.evaluation.evidence import build_evidence
from aggregator.evaluation.round import RoundInputs, evaluate_round
from aggregator.terms import read_config
from learning.data import encode_data
from learning.source import read_task_source
from protocol.parameters import encode_parameters, model_hash
from tests.support.rounds import Sent, digits, digits_round, filled, honest, store


@pytest.fixture(scope="module")
def inputs() -> RoundInputs:
    return digits_round([honest(1), Sent(None), Sent(filled(np.nan)), honest(2)], shards=2)


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path)


@pytest.fixture
def references(inputs: RoundInputs, blobs: BlobStore) -> RoundReferences:
    return store(inputs, read_task_source("digits"), blobs)


def following(references: RoundReferences, inputs: RoundInputs, blobs: BlobStore) -> RoundReferences:
    """The next round, whose parent is the given one: its merged model and its evidence, with a reputation in it."""
    inputs = replace(inputs, reputation={77: 9})
    outcome = evaluate_round(inputs)
    root = write_evidence(build_evidence(inputs, outcome), blobs)
    bound = replace(references.bound, parent=7, base_model=write_model(outcome.merged, blobs), parent_evidence=root)
    return replace(references, round=8, bound=bound, submissions=())


def test_the_assembled_inputs_give_the_same_outcome(inputs: RoundInputs, references: RoundReferences, blobs: BlobStore) -> None:
    assembled = assemble(references, blobs)
    assert assembled.submissions == inputs.submissions
    assert (assembled.config, assembled.bound, assembled.seed) == (inputs.config, inputs.bound, inputs.seed)
    assert (assembled.parent_delta, assembled.reputation) == (None, {})
    outcomes = [evaluate_round(one) for one in (inputs, assembled)]
    assert build_evidence(inputs, outcomes[0]).header == build_evidence(assembled, outcomes[1]).header


def test_a_later_round_takes_delta_and_reputation_from_its_parent(
    inputs: RoundInputs, references: RoundReferences, blobs: BlobStore
) -> None:
    assembled = assemble(following(references, inputs, blobs), blobs)
    assert assembled.parent_delta is not None
    assert list(assembled.parent_delta) == list(inputs.base)
    for name, delta in assembled.parent_delta.items():
        assert np.array_equal(delta, assembled.base[name] - inputs.base[name])
        assert delta.dtype == np.float32
    assert any(delta.any() for delta in assembled.parent_delta.values())
    assert assembled.reputation[77] == 9


def all_names(references: RoundReferences) -> dict[str, bytes]:
    bound = references.bound
    bodies = {f"body {k}": one.body_hash for k, one in enumerate(references.submissions) if one.body_hash}
    shards = {f"shard {k}": shard for k, shard in enumerate(bound.shards)}
    named = {
        "config": bound.config_hash,
        "task": bound.task_hash,
        "model": bound.base_model,
        "root set": bound.root_set,
        "evidence": bound.parent_evidence,
    }
    return named | shards | bodies


WHAT = ["config", "task", "model", "root set", "evidence", "shard 0", "shard 1", "body 0", "body 2", "body 3"]


def first_half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def one_bit(data: bytes) -> bytes:
    at = 2 * len(data) // 3
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda _: b"",
    "cut": first_half,
    "one bit": one_bit,
    "not text": lambda _: b"\xff\xfe" * 40,
    "other JSON": lambda _: b"[1, 2]",
    "null": lambda _: b"null",
    "empty object": lambda _: b"{}",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
@pytest.mark.parametrize("what", WHAT)
def test_every_damaged_blob_is_named(
    inputs: RoundInputs, references: RoundReferences, blobs: BlobStore, what: str, damage: Callable[[bytes], bytes]
) -> None:
    references = following(references, inputs, blobs)
    references = replace(references, submissions=store(inputs, read_task_source("digits"), blobs).submissions)
    name = all_names(references)[what]
    path = blobs.path(name)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BlobCorrupt, match=name.hex()) as caught:
        assemble(references, blobs)
    assert caught.value.name == name


@pytest.mark.parametrize("what", WHAT)
def test_every_missing_blob_is_named(inputs: RoundInputs, references: RoundReferences, blobs: BlobStore, what: str) -> None:
    references = following(references, inputs, blobs)
    references = replace(references, submissions=store(inputs, read_task_source("digits"), blobs).submissions)
    name = all_names(references)[what]
    blobs.path(name).unlink()
    with pytest.raises(BlobMissing, match=name.hex()):
        assemble(references, blobs)


def test_a_good_blob_under_another_name_is_corrupt(references: RoundReferences, blobs: BlobStore, inputs: RoundInputs) -> None:
    other, task = bytes(31) + b"\1", digits().task
    for data, read in (
        (blobs.get(references.bound.config_hash), read_config),
        (blobs.get(references.bound.task_hash), read_task),
        (encode_data(digits().root_set), read_data),
        (encode_parameters(digits().base), lambda name, store: read_model(name, task, store)),
        (blobs.get(write_evidence(build_evidence(inputs, evaluate_round(inputs)), blobs)), read_evidence),
    ):
        blobs.path(other).write_bytes(data)
        with pytest.raises(BlobCorrupt, match=other.hex()):
            read(other, blobs)


def test_what_is_written_reads_back(blobs: BlobStore, inputs: RoundInputs) -> None:
    source, base = read_task_source("digits"), digits().base
    assert read_task(write_task(source, blobs), blobs) == source
    model = read_model(write_model(base, blobs), digits().task, blobs)
    assert model_hash(model) == model_hash(base)
    evidence = build_evidence(inputs, evaluate_round(inputs))
    assert read_evidence(write_evidence(evidence, blobs), blobs) == evidence


def test_a_model_of_another_task_is_not_taken(blobs: BlobStore) -> None:
    name = write_model({"w": np.zeros(3, np.float32)}, blobs)
    with pytest.raises(BlobCorrupt, match=name.hex()):
        read_model(name, digits().task, blobs)


def test_a_task_may_carry_no_file_that_is_not_hashed(blobs: BlobStore) -> None:
    name = write_task(read_task_source("digits"), blobs)
    document = json.loads(blobs.get(name))
    document["files"]["extra.py"] = "import os"
    blobs.path(name).write_text(json.dumps(document))
    with pytest.raises(BlobCorrupt, match=name.hex()):
        read_task(name, blobs)
