"""Bodies: each streams to the disk while it is hashed, and is kept only if it opens its own node's commitment.

A body that cannot be read as safetensors is refused and may be sent again. Whatever can be read counts as sent, be it full of
NaN or of another shape: the gate judges it, and the verdict is in the evidence.
"""

from dataclasses import dataclass
from threading import Lock

from aggregator.blobs import Incoming
from aggregator.refusals import NothingCommitted, TooEarly, TooLate, Truncated
from aggregator.service.context import Context
from aggregator.service.intake import known_round
from aggregator.service.phases import Phase
from aggregator.service.records import UpdateRecord
from protocol.parameters import decode_tensors
from protocol.update import check_arrived, check_opening

_EARLY = (Phase.OPEN, Phase.CLOSING, Phase.ABANDONING)

_one_in_memory = Lock()
"""Checking a body needs all of it in memory: one at a time, however many arrive."""


@dataclass(frozen=True)
class ExpectedBody:
    """A body that would be taken now: from this node in this round, opening this commitment with this salt and SHA-256."""

    committed: UpdateRecord
    salt: bytes
    hashed: bytes


def body_limit(context: Context, number: int) -> int:
    """How large a body may be, in bytes, by the config that the round opened with; of a round that is unknown, as of the last.

    Raises `TermsMissing`.
    """
    found = context.store.round(number) or context.store.last()
    return 0 if found is None else context.config(found.bound.config_hash).rounds.body_bytes


def expect_body(context: Context, number: int, node: int, salt: bytes, hashed: bytes, is_forwarded: bool) -> ExpectedBody:
    """Whether a body would be taken now, asked before a byte of it is read: nobody but its node, and those whom it told, can say
    what opens its commitment. One that a scorer forwards has longer.

    Raises `UnknownRound`, `NothingCommitted`, `TooEarly`, `TooLate`, `CommitmentError`.
    """
    found = known_round(context, number)
    committed = context.store.update(number, node)
    if committed is None:
        raise NothingCommitted(node, number)
    if found.phase in _EARLY:
        raise TooEarly(number)
    is_open = found.phase is Phase.REVEALING
    if is_open and found.reveal_deadline is not None:
        is_open = context.ledger.now() < found.reveal_deadline + (context.federation.timing.grace if is_forwarded else 0)
    # One that is here already may be sent again at any time: its sender may have missed our answer.
    if not is_open and not committed.revealed:
        raise TooLate(number, "bodies")
    check_opening(committed.update.parameters, context.federation.domain.separator, number, node, salt, hashed)
    return ExpectedBody(committed, salt, hashed)


def keep_body(context: Context, expected: ExpectedBody, incoming: Incoming, announced: int | None) -> None:
    """Check a body that has arrived and make it durable.

    Raises `Truncated`, `CommitmentError`, `BodyError`, `TooLate`; nothing is kept then.
    """
    update, hashed = expected.committed.update, expected.hashed
    if announced is not None and incoming.size != announced:
        raise Truncated(incoming.size, announced)
    check_arrived(incoming.sha256, hashed)
    if expected.committed.revealed:
        return
    with _one_in_memory:
        decode_tensors(incoming.path.read_bytes())
    context.blobs.keep(incoming, hashed)
    if not context.store.reveal(update.round, update.node, expected.salt, hashed):
        raise TooLate(update.round, "bodies")
    context.news.set()
