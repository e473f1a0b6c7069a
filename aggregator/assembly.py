"""From references to inputs: read everything that a round depends on from blobs, and check each against its hash.

The service calls it with what its database says, a scorer with what evidence and chain say; both get the same `RoundInputs`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from aggregator.blobs import BlobStore
from aggregator.bundles import checked, decoding, read_evidence
from aggregator.evaluation.round import RoundInputs, Submission
from aggregator.terms import read_config
from learning.data import Data, decode_data
from learning.loading import load_task
from learning.parameters import initial_parameters
from learning.source import TaskSource
from learning.task import Task
from protocol.evidence import Evidence, Input, Kind
from protocol.inputs import BoundInputs
from protocol.parameters import Parameters, encode_parameters, layout_of, model_hash, read_parameters
from protocol.roster import RosterEntry
from protocol.typed_data import Domain, Update


@dataclass(frozen=True)
class SubmissionReference:
    """A submission whose body, if it came, is a blob named by its SHA-256."""

    update: Update
    signature: bytes
    salt: bytes | None
    body_hash: bytes | None
    receipt: bytes | None = None


@dataclass(frozen=True)
class RoundReferences:
    """A round's inputs by their hashes."""

    domain: Domain
    round: int
    bound: BoundInputs
    roster: tuple[RosterEntry, ...]
    submissions: tuple[SubmissionReference, ...]
    seed: bytes


def assemble(references: RoundReferences, blobs: BlobStore) -> RoundInputs:
    """Read and check everything. Runs the task's code, whose hash is in `references`.

    Raises `BlobMissing`, or `BlobCorrupt` naming the blob that does not hash to its name.
    """
    bound = references.bound
    task = load_task(read_task(bound.task_hash, blobs))
    base = read_model(bound.base_model, task, blobs)
    parent = read_evidence(bound.parent_evidence, blobs) if any(bound.parent_evidence) else None
    return RoundInputs(
        domain=references.domain,
        round=references.round,
        bound=bound,
        config=read_config(bound.config_hash, blobs),
        task=task,
        base=base,
        parent_delta=_delta(base, parent, task, blobs),
        roster=references.roster,
        submissions=tuple(_submission(reference, blobs) for reference in references.submissions),
        shards=tuple(read_data(shard, blobs) for shard in bound.shards),
        root_set=read_data(bound.root_set, blobs),
        reputation=_reputation(parent),
        seed=references.seed,
        parent_reputation=parent.header.roots[list(Kind).index(Kind.REPUTATION)] if parent else bytes(32),
    )


def read_task(task_hash: bytes, blobs: BlobStore) -> TaskSource:
    """The task source with this hash, not yet run."""
    with decoding(task_hash, blobs) as encoded:
        document = json.loads(encoded)
        source = TaskSource.from_texts(document["entry"], document["files"])
    return checked(source, source.sha256(), task_hash)


def write_task(source: TaskSource, blobs: BlobStore) -> bytes:
    """Store a task's source; its hash."""
    document = {"entry": source.entry, "files": source.texts()}
    blobs.put(source.sha256(), json.dumps(document).encode())
    return source.sha256()


def read_data(data_hash: bytes, blobs: BlobStore) -> Data:
    """The samples with this SHA-256."""
    encoded = blobs.get(data_hash)
    return decode_data(checked(encoded, hashlib.sha256(encoded).digest(), data_hash))


def read_model(name: bytes, task: Task, blobs: BlobStore) -> Parameters:
    """The model with this hash, in the declared order of the task's model."""
    layout = layout_of(initial_parameters(task, seed=0))
    with decoding(name, blobs) as encoded:
        parameters = read_parameters(encoded, layout)
    return checked(parameters, model_hash(parameters), name)


def write_model(parameters: Parameters, blobs: BlobStore) -> bytes:
    """Store a model; its hash."""
    name = model_hash(parameters)
    blobs.put(name, encode_parameters(parameters))
    return name


def _submission(reference: SubmissionReference, blobs: BlobStore) -> Submission:
    body = None
    if reference.body_hash is not None:
        body = blobs.get(reference.body_hash)
        checked(body, hashlib.sha256(body).digest(), reference.body_hash)
    return Submission(reference.update, reference.signature, reference.salt, body, reference.receipt)


def _reputation(parent: Evidence | None) -> Mapping[int, int]:
    leaves = parent.by_kind[Kind.REPUTATION] if parent else {}
    return {node: leaf.get("reputation") for node, leaf in leaves.items()}


def _delta(base: Parameters, parent: Evidence | None, task: Task, blobs: BlobStore) -> Parameters | None:
    if parent is None:
        return None
    before = read_model(parent.by_kind[Kind.INPUT][Input.BASE_MODEL].get("hash"), task, blobs)
    return {name: np.subtract(array, before[name]) for name, array in base.items()}
