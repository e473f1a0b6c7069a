"""A whole `RoundInputs` in one call: keys, signed Updates, bodies, roster and data, on the digits or on a task of the test's.

    inputs = digits_round([honest(1), honest(2), Sent(zeros()), Sent(None)])     # by node index, None: nothing committed
    inputs = make_round(Federation(task, base, shards), {4: Sent(update, samples=10)}, config=config(pay={"z": 1000}))
    references = store(inputs, read_task_source("digits"), BlobStore(path))       # all its blobs, to be assembled again

`config(section={key: value})` changes the config of `tests.support.chain`; values are the scaled integers.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from eth_account import Account
from eth_account.signers.local import LocalAccount
from numpy.typing import NDArray

from aggregator.assembly import RoundReferences, SubmissionReference, write_model, write_task
from aggregator.blobs import BlobStore
from aggregator.evaluation.round import RoundInputs, RoundOutcome, Submission
from learning.calls import load_data
from learning.data import Data, encode_data
from learning.loading import load_task
from learning.parameters import initial_parameters
from learning.recipe import Recipe
from learning.source import TaskSource, read_task_source
from learning.task import Task
from learning.training import train
from protocol.config import FederationConfig, parse_config
from protocol.evidence import update_leaf
from protocol.inputs import BoundInputs
from protocol.parameters import Parameters, encode_parameters, model_hash
from protocol.roster import RosterEntry
from protocol.typed_data import Domain, Receipt, Update
from protocol.update import body_hash, commitment
from tests.support.chain import CONFIG, account

DOMAIN = Domain(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
ROUND = 7
SEED = hashlib.sha256(b"the close block").digest()
PARTS = 8


@dataclass(frozen=True)
class Sent:
    """What a node sends: an update, any other bytes as its body, or None for a commitment without a body."""

    body: Parameters | bytes | None
    samples: int = 100
    max_samples: int = 1_000_000

    @property
    def encoded(self) -> bytes | None:
        return self.body if self.body is None or isinstance(self.body, bytes) else encode_parameters(self.body)


@dataclass(frozen=True)
class Federation:
    """What all rounds of a federation have in common."""

    task: Task
    base: Parameters
    shards: tuple[Data, ...]
    root_set: Data
    task_hash: bytes = bytes(32)


def config(**changes: Mapping[str, Any]) -> FederationConfig:
    """The tests' config with some values of some sections replaced."""
    found = parse_config(CONFIG)
    sections = {name: getattr(found, name).model_copy(update=dict(values)) for name, values in changes.items()}
    return found.model_copy(update=sections)


def node_key(node: int) -> LocalAccount:
    """The key that this node signs with."""
    account: LocalAccount = Account.from_key((node + 1).to_bytes(32))
    return account


def make_round(
    federation: Federation,
    sent: Mapping[int, Sent] | Sequence[Sent | None],
    config: FederationConfig | None = None,
    seed: bytes = SEED,
    reputation: Mapping[int, int] | None = None,
) -> RoundInputs:
    """A closed and revealed round of these submissions, everything in it signed and committed to as the protocol wants."""
    given = sent if isinstance(sent, Mapping) else {node: one for node, one in enumerate(sent) if one is not None}
    chosen = config or parse_config(CONFIG)
    bound = BoundInputs(
        parent=0,
        config_hash=chosen.sha256(),
        task_hash=federation.task_hash,
        base_model=model_hash(federation.base),
        parent_evidence=bytes(32),
        shards=tuple(_name(shard) for shard in federation.shards),
        root_set=_name(federation.root_set),
    )
    return RoundInputs(
        domain=DOMAIN,
        round=ROUND,
        bound=bound,
        config=chosen,
        task=federation.task,
        base=federation.base,
        parent_delta=None,
        roster=tuple(RosterEntry(node, node_key(node).address, given[node].max_samples) for node in sorted(given)),
        submissions=tuple(_submission(bound, node, given[node]) for node in sorted(given)),
        shards=federation.shards,
        root_set=federation.root_set,
        reputation=reputation or {},
        seed=seed,
    )


def store(inputs: RoundInputs, source: TaskSource, blobs: BlobStore, config_toml: str = CONFIG) -> RoundReferences:
    """Store every blob that the round depends on; its references. `config_toml` is what the round's config was read from."""
    blobs.put(inputs.bound.config_hash, config_toml.encode())
    write_task(source, blobs)
    write_model(inputs.base, blobs)
    for data in (*inputs.shards, inputs.root_set):
        blobs.put(_name(data), encode_data(data))
    references = []
    for one in inputs.submissions:
        hashed = None if one.body is None else body_hash(one.body)
        if one.body is not None and hashed is not None:
            blobs.put(hashed, one.body)
        references.append(SubmissionReference(one.update, one.signature, one.salt, hashed, one.receipt))
    return RoundReferences(inputs.domain, inputs.round, inputs.bound, inputs.roster, tuple(references), inputs.seed)


def contributions(outcome: RoundOutcome) -> dict[int, int]:
    """Contribution numerators by node index."""
    return {node.node: node.contribution for node in outcome.nodes}


@cache
def digits() -> Federation:
    """The digits, from their first weights."""
    source = read_task_source("digits")
    task = load_task(source)
    shards = (load_data(task, "evaluation"),)
    return Federation(task, initial_parameters(task, 0), shards, load_data(task, "root"), source.sha256())


def trained(part: int, parts: int = PARTS, flipped: bool = False, seed: int = 0) -> tuple[Parameters, int]:
    """An update trained on one label-skewed share of the digits (1 … parts), and its samples."""
    return _trained(part, parts, flipped, seed)


@cache  # by all four, given or not: trained twice, an update may differ by rounding
def _trained(part: int, parts: int, flipped: bool, seed: int) -> tuple[Parameters, int]:
    federation = digits()
    data = load_data(federation.task, f"{part}/{parts}")
    if flipped:
        data = Data(data.features, 9 - data.targets)
    return train(federation.task, federation.base, data, Recipe("sgd", 0.05, 32, 2, momentum=0.9), seed), len(data)


def honest(part: int, parts: int = PARTS, flipped: bool = False, seed: int = 0, scale: float = 1) -> Sent:
    """An update trained on one share of the digits, times `scale`, with its true sample count."""
    update, samples = trained(part, parts, flipped, seed)
    return Sent(scaled(update, scale), samples)


def scaled(update: Parameters, scale: float) -> dict[str, NDArray[np.float32]]:
    """The update times a factor."""
    return {name: np.asarray(array * np.float32(scale), np.float32) for name, array in update.items()}


def filled(value: float) -> dict[str, NDArray[np.float32]]:
    """An update of the digits' model with this value everywhere."""
    return {name: np.full_like(array, value) for name, array in digits().base.items()}


def digits_round(sent: Mapping[int, Sent] | Sequence[Sent | None], shards: int = 1, **settings: Any) -> RoundInputs:
    """A round on the digits, its evaluation data cut into equal shards."""
    whole = digits()
    parts = np.array_split(np.arange(len(whole.shards[0])), shards)
    cut = tuple(whole.shards[0].take(part) for part in parts) if shards > 1 else whole.shards
    return make_round(replace(whole, shards=cut), sent, **settings)


def _name(data: Data) -> bytes:
    return hashlib.sha256(encode_data(data)).digest()


def _submission(bound: BoundInputs, node: int, sent: Sent) -> Submission:
    body, salt = sent.encoded, hashlib.sha256(b"salt" + node.to_bytes(4)).digest()
    # A node that never reveals has committed to something all the same.
    committed = commitment(DOMAIN.separator, ROUND, node, salt, body_hash(body or b""))
    update = Update(ROUND, bound.digest(), node, bound.base_model, committed, sent.samples)
    signature = update.sign(DOMAIN, node_key(node))
    receipt = Receipt(ROUND, node, update_leaf(update, signature).hash(DOMAIN.separator)).sign(DOMAIN, account("aggregator"))
    return Submission(update, signature, None if body is None else salt, body, receipt)
