"""What aggregator and scorers take as a signature under an expulsion, and how they show it."""

from collections.abc import Mapping

from aggregator.refusals import NotYetThere, UnknownNode, UnknownRound, WrongExpulsion
from ledger.client import LedgerClient
from ledger.records import RoundState
from protocol.api import ExpulsionView
from protocol.typed_data import Expulsion


def check_subject(ledger: LedgerClient, expulsion: Expulsion) -> None:
    """The round is Final and the node was in it. Raises `UnknownRound`, `NotYetThere`, `UnknownNode`."""
    state = ledger.round(expulsion.round).state
    if state is RoundState.NONE:
        raise UnknownRound(expulsion.round, ledger.last_round())
    if state is not RoundState.FINAL:
        raise NotYetThere(expulsion.round, "expulsions", str(state))
    if all(entry.node != expulsion.node for entry in ledger.roster(expulsion.round)):
        raise UnknownNode(expulsion.node)


def signer_of(ledger: LedgerClient, expulsion: Expulsion, signature: bytes) -> str:
    """The scorer who signed it. Raises `WrongExpulsion` if none did whose bond counts in the round, `SignatureError`."""
    signer = expulsion.signer(ledger.domain, signature)
    if signer not in ledger.bonded(expulsion.round):
        raise WrongExpulsion(expulsion.round, expulsion.node, signer)
    return signer


def in_order(signatures: Mapping[str, bytes]) -> list[bytes]:
    """The signatures in the ascending order of their signers, as `expel` takes them."""
    return [signatures[signer] for signer in sorted(signatures, key=lambda address: int(address, 16))]


def view_of(ledger: LedgerClient, expulsion: Expulsion, signatures: Mapping[str, bytes]) -> ExpulsionView:
    """What is answered to whoever asks."""
    needed = ledger.quorum(expulsion.round)
    return ExpulsionView(round=expulsion.round, node=expulsion.node, signatures=in_order(signatures), needed=needed)
