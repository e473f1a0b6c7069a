"""Two Updates that one node signed for one round: what whoever sees both can prove to the chain, which takes the node's stake."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from protocol.api import CommitRequest, DoubleUpdateView
from protocol.errors import SignatureError
from protocol.roster import RosterEntry
from protocol.typed_data import Domain, Update


class Signed(NamedTuple):
    """An Update and what is said to be its node's signature."""

    update: Update
    signature: bytes


class Double(NamedTuple):
    """Two different Updates with equal round, inputs and node, both signed by the node's key."""

    first: Signed
    second: Signed


def doubles_among(seen: Iterable[Signed], roster: Iterable[RosterEntry], domain: Domain) -> tuple[Double, ...]:
    """What is provable of the Updates that were seen in one round: one pair a node, by node index.

    The same Update twice is none, whatever its signatures; and what its node did not sign is not looked at.
    """
    signers = {entry.node: entry.signer for entry in roster}
    first: dict[tuple[int, bytes], Signed] = {}
    found: dict[int, Double] = {}
    for signed in seen:
        update = signed.update
        if update.node not in found and _is_genuine(signed, signers, domain):
            other = first.setdefault((update.node, update.inputs), signed)
            if other.update != update:
                found[update.node] = Double(other, signed)
    return tuple(found[node] for node in sorted(found))


def _is_genuine(signed: Signed, signers: Mapping[int, str], domain: Domain) -> bool:
    try:
        return signed.update.signer(domain, signed.signature) == signers.get(signed.update.node)
    except SignatureError:
        return False


def view_of(double: Double) -> DoubleUpdateView:
    """What is answered to whoever asks."""
    first, second = map(_shown, double)
    return DoubleUpdateView(round=double.first.update.round, node=double.first.update.node, first=first, second=second)


def read_view(view: DoubleUpdateView) -> tuple[Signed, Signed]:
    """The two that a mirror answered with, not checked. Raises `FormatError` if a field does not fit its type."""
    return _read(view.round, view.first), _read(view.round, view.second)


def _shown(signed: Signed) -> CommitRequest:
    update = signed.update
    return CommitRequest(
        inputs=update.inputs,
        node=update.node,
        base_model=update.base_model,
        parameters=update.parameters,
        samples=update.samples,
        signature=signed.signature,
    )


def _read(number: int, sent: CommitRequest) -> Signed:
    return Signed(Update(number, sent.inputs, sent.node, sent.base_model, sent.parameters, sent.samples), sent.signature)
