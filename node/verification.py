"""What the aggregator says about a round, checked against the chain before anything is trained, signed or revealed on it."""

from ledger.client import LedgerClient
from ledger.records import ChainRound
from node.errors import BaseModelMismatch, ReceiptInvalid, RoundMisdescribed
from node.terms import Pair
from protocol.api import ReceiptView, RoundView
from protocol.client import FederationClient
from protocol.errors import FormatError, SignatureError
from protocol.evidence import update_leaf
from protocol.inputs import BoundInputs
from protocol.parameters import Parameters, TensorLayout, model_hash, read_parameters
from protocol.typed_data import Receipt, Update


def bound_inputs(view: RoundView, on_chain: ChainRound, terms: Pair) -> BoundInputs:
    """What the round is bound to, as `view` tells it, with the config and task of these terms.

    Raises `RoundMisdescribed` unless that is exactly what the chain bound the round to.
    """
    bound = BoundInputs(
        parent=on_chain.parent,
        config_hash=terms.config_hash,
        task_hash=terms.task_hash,
        base_model=view.base_model,
        parent_evidence=view.parent_evidence,
        shards=tuple(view.shards),
        root_set=view.root_set,
    )
    if bound.digest() != on_chain.inputs:
        raise RoundMisdescribed(on_chain.round, bound.digest(), on_chain.inputs)
    return bound


def fetch_base(client: FederationClient, round_number: int, expected: bytes, layout: tuple[TensorLayout, ...]) -> Parameters:
    """The round's base model, whose hash is `expected` and whose tensors are the task's model's.

    Raises `BaseModelMismatch`.
    """
    try:
        base = read_parameters(client.model(expected), layout)
    except FormatError as error:
        raise BaseModelMismatch(round_number, expected, str(error)) from error
    found = model_hash(base)
    if found != expected:
        raise BaseModelMismatch(round_number, expected, f"it is 0x{found.hex()}")
    return base


def check_receipt(view: ReceiptView, update: Update, signature: bytes, ledger: LedgerClient) -> None:
    """Raise `ReceiptInvalid` unless the round's aggregator promises exactly this signed Update's leaf.

    Such a receipt is what proves a fault of the aggregator should the leaf be missing when the round closes.
    """
    leaf = update_leaf(update, signature).hash(ledger.domain.separator)
    if (view.round, view.node) != (update.round, update.node):
        raise ReceiptInvalid(update.round, f"it is for node {view.node} in round {view.round}, this is node {update.node}")
    if view.leaf != leaf:
        raise ReceiptInvalid(update.round, f"it promises the leaf 0x{view.leaf.hex()}, ours is 0x{leaf.hex()}")
    try:
        signer = Receipt(view.round, view.node, view.leaf).signer(ledger.domain, view.signature)
    except SignatureError as error:
        raise ReceiptInvalid(update.round, str(error)) from error
    if signer != (aggregator := ledger.aggregator(update.round)):
        raise ReceiptInvalid(update.round, f"{signer} signed it, but the round's aggregator is {aggregator}")
