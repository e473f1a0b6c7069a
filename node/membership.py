"""Joining: the one transaction that makes the owner a node."""

from collections.abc import Callable
from dataclasses import dataclass

from ledger.amounts import show_amount
from ledger.client import LedgerClient
from ledger.membership import expelled_for, open_terms
from ledger.outbox import outbox
from ledger.records import NodeRecord
from ledger.sender import Sender
from ledger.wallet import Wallet
from node.enrolment import check_invitation
from node.errors import InvitationNeeded, NotJoined
from node.home import NodeHome
from node.settings import NodeSettings
from node.terms import accepted_terms, in_force
from protocol.terminal import when


@dataclass(frozen=True)
class Joined:
    """The node as the registry has it, and the transaction that made it; None if it had joined before."""

    node: NodeRecord
    tx_hash: bytes | None


def join(
    home: NodeHome,
    settings: NodeSettings,
    ledger: LedgerClient,
    passphrase: Callable[[], str],
    stake: int | None = None,
    accept_fee: Callable[[int], None] = lambda fee: None,
) -> Joined:
    """Join with `stake` wei (None: the registry's minimum). Who has joined already is told so, and nothing is sent.

    By the invitation of the directory, or, without one, as anybody joins an open federation: `accept_fee` hears of the fee in
    wei, and raises unless it is accepted. `passphrase` opens the owner's wallet, and is only asked for if there is something to
    sign.

    Raises `InvitationRejected`, `InvitationNeeded`, `TermsNotAccepted`, and what wallet and sender raise: `TransactionRefused`
    says how much coin is missing, `Reverted` why the registry refuses.
    """
    accepted_terms(home, in_force(ledger), "the federation")
    owner = Wallet.open(home.owner_key)
    with outbox(home.transactions, ledger.web3, owner.address) as journal:
        known = find_node(ledger, owner.address)
        if known is not None and known.unbonding_until == 0 and known.stake > 0:
            return Joined(known, None)
        invitation, signing_key = home.invitation(), Wallet.open(home.signing_key).address
        deposit = ledger.minimum_stake() if stake is None else stake
        if invitation is not None:
            check_invitation(invitation, owner.address, ledger)
            signed = (invitation.invitation, invitation.signature_bytes)
            key, call = f"join {invitation.nonce}", ledger.join(signing_key, settings.payout, *signed, deposit)
        else:
            fee = _open_fee(ledger, known)
            accept_fee(fee)
            key, call = "join open", ledger.join_open(signing_key, settings.payout, deposit + fee)
        mined = Sender(ledger.web3, owner.unlock(passphrase()), journal).submit(key, call)
    return Joined(own_node(home, ledger), mined.tx_hash)


def _open_fee(ledger: LedgerClient, known: NodeRecord | None) -> int:
    """What joining costs besides the stake. Raises `InvitationNeeded`."""
    terms = open_terms(ledger)
    if terms is None:
        raise InvitationNeeded(f"the federation of ledger {ledger.ledger_address} is not open")
    if known is not None and known.expelled:
        raise InvitationNeeded(f"node {known.node} was expelled")
    return terms.fee


def find_node(ledger: LedgerClient, owner: str) -> NodeRecord | None:
    """The node of an owner, None if it never joined."""
    index = ledger.index_of(owner)
    return None if index is None else ledger.node(index)


def told_expelled(ledger: LedgerClient, node: NodeRecord) -> str:
    """What happened to a node that was expelled, and what its owner can do; empty for one that was not."""
    if not node.expelled:
        return ""
    number = expelled_for(ledger, node.node)
    happened = f"node {node.node} was expelled: a quorum of scorers signed that the evidence of round {number} justifies it"
    if node.unbonding_until:
        freed = f"its stake of {show_amount(node.stake)} coin is free at {when(node.unbonding_until)}"
    else:
        freed = "its stake was given back"
    return f"{happened}; {freed}, and what it earned stays claimable"


def rejoining(home: object) -> str:
    """What the owner of a node that is out can do to take part again; `home` is the node's directory."""
    again = f"`fairshare node init {home} --invitation FILE` and `fairshare node join {home}`"
    return f"ask the operator for a new invitation, then run {again}"


def own_node(home: NodeHome, ledger: LedgerClient) -> NodeRecord:
    """This directory's node in the registry. Raises `NotJoined`."""
    owner = Wallet.open(home.owner_key).address
    found = find_node(ledger, owner)
    if found is None:
        raise NotJoined(owner, home.path)
    return found
