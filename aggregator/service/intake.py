"""Commitments: who may commit to what, and the receipt that is given once the commitment is on the disk."""

from aggregator.refusals import (
    JoinedLater,
    Leaving,
    NotAMember,
    NotRegistered,
    NotStaked,
    SecondUpdate,
    TooLate,
    UnknownRound,
    WrongBaseModel,
    WrongInputs,
    WrongRound,
    WrongSigner,
)
from aggregator.service.context import Context
from aggregator.service.phases import Phase
from aggregator.service.records import RoundRecord, UpdateRecord
from aggregator.service.second_updates import SqlSecondUpdates
from protocol.evidence import update_leaf
from protocol.roster import RosterEntry
from protocol.typed_data import Receipt, Update


def take_commitment(context: Context, update: Update, signature: bytes) -> UpdateRecord:
    """Keep a signed Update; what comes back holds its receipt. The same one again gives the same receipt, at any time.

    Another one of the same node is refused, and kept as what it is: the proof of a fault.

    A sample count above the node's bound is taken as it is signed: the gate judges it, and the verdict is in the evidence.
    Raises the refusals of this module's imports, `SignatureError`, and what the ledger raises.
    """
    found = known_round(context, update.round)
    entry = _place(context, found, update.node)
    standing = context.store.update(update.round, update.node)
    if standing is None:
        _check_time(context, found)
    signer = update.signer(context.federation.domain, signature)
    if signer != entry.signer:
        raise WrongSigner(update.node, update.round, signer, entry.signer)
    if standing is not None:
        _keep_second(context, standing.update, update, signature)
    _check_content(found, update)
    if standing is None:
        standing = context.store.commit(_with_receipt(context, update, signature))
        if standing is None:
            raise TooLate(update.round, "commitments")
        context.news.set()
    if (standing.update, standing.signature) != (update, signature):
        _keep_second(context, standing.update, update, signature)  # they came at the same time
        raise SecondUpdate(update.node, update.round, standing.receipt)
    return standing


def known_round(context: Context, number: int) -> RoundRecord:
    """A round that has opened. Raises `UnknownRound`."""
    found = context.store.round(number)
    if found is None or found.phase is Phase.OPENING:
        last = context.store.last()
        opened = 0 if last is None else last.number - (last.phase is Phase.OPENING)
        raise UnknownRound(number, opened)
    return found


def _check_time(context: Context, found: RoundRecord) -> None:
    if found.phase.decided or found.phase is Phase.PROPOSED:
        last = context.store.last()
        raise WrongRound(found.number, found.phase.state, found.number if last is None else last.number)
    assert found.commit_deadline is not None
    if found.phase is not Phase.OPEN or context.ledger.now() >= found.commit_deadline:
        raise TooLate(found.number, "commitments")


def _keep_second(context: Context, standing: Update, update: Update, signature: bytes) -> None:
    """Keep another Update that the node signed for the inputs of the one that stands."""
    if standing.inputs == update.inputs and standing != update:
        SqlSecondUpdates(context.store.engine).keep(update, signature)


def _check_content(found: RoundRecord, update: Update) -> None:
    if update.inputs != found.inputs:
        raise WrongInputs(found.number, update.inputs, found.inputs)
    if update.base_model != found.bound.base_model:
        raise WrongBaseModel(found.number, update.base_model, found.bound.base_model)


def _place(context: Context, found: RoundRecord, node: int) -> RosterEntry:
    for entry in context.store.roster(found.number):
        if entry.node == node:
            return entry
    raise _why_not(context, found.number, node)


def _why_not(context: Context, number: int, node: int) -> NotAMember:
    if node >= context.ledger.node_count():
        return NotRegistered(node)
    registered = context.ledger.node(node)
    if registered.stake == 0:
        return NotStaked(node)
    if registered.unbonding_until:
        return Leaving(node, registered.unbonding_until)
    return JoinedLater(node, number)


def _with_receipt(context: Context, update: Update, signature: bytes) -> UpdateRecord:
    domain = context.federation.domain
    leaf = update_leaf(update, signature).hash(domain.separator)
    receipt = Receipt(update.round, update.node, leaf).sign(domain, context.account)
    return UpdateRecord(update, signature, leaf, receipt)
