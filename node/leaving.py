"""Leaving: eligible no more from the next round on; the stake unbonds, and then goes back to the owner, whole.

The three steps are the registry's. Whoever asks again is told where it stands, and gets the stake once it is free.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ledger.client import LedgerClient
from ledger.outbox import outbox
from ledger.records import Call, NodeRecord
from ledger.sender import Mined, Sender
from ledger.wallet import Wallet
from node.home import NodeHome
from node.membership import own_node


class Step(StrEnum):
    """Where a node that leaves stands, after what was done now."""

    LEFT = "left"  # just now; the stake unbonds
    WAITING = "waiting"  # it left before, and the stake is not free yet: nothing was sent
    WITHDRAWN = "withdrawn"  # just now: the owner has the stake
    GONE = "gone"  # it left and withdrew before: nothing was sent


@dataclass(frozen=True)
class Leaving:
    """`amount` wei were or will be sent to the owner, at `free_at` (unix seconds) or later; zeros once that was done before.

    `seconds_left` until then, by the chain's clock.
    """

    step: Step
    node: int
    owner: str
    amount: int
    free_at: int
    seconds_left: int
    tx_hash: bytes | None


def leave(home: NodeHome, ledger: LedgerClient, passphrase: Callable[[], str]) -> Leaving:
    """Do what is due: leave the federation, or withdraw the stake when it is free, or nothing.

    `passphrase` opens the owner's wallet, and is only asked for if there is something to sign. Safe to repeat after a crash.

    Raises `NotJoined`, and what wallet and sender raise.
    """
    owner = Wallet.open(home.owner_key)
    with outbox(home.transactions, ledger.web3, owner.address) as journal:

        def send(key: str, call: Call) -> Mined:
            return Sender(ledger.web3, owner.unlock(passphrase()), journal).submit(key, call)

        node = own_node(home, ledger)
        if node.unbonding_until == 0 and node.stake == 0:
            return Leaving(Step.GONE, node.node, node.owner, 0, 0, 0, None)
        if node.unbonding_until == 0:
            mined = send(f"leave {node.node}", ledger.leave())
            return _leaving(Step.LEFT, ledger.node(node.node), ledger.now(), mined)
        now = ledger.now()
        if now < node.unbonding_until:
            return _leaving(Step.WAITING, node, now, None)
        mined = send(f"withdraw {node.node}", ledger.withdraw(node.node))
        return _leaving(Step.WITHDRAWN, node, now, mined)


def _leaving(step: Step, node: NodeRecord, now: int, mined: Mined | None) -> Leaving:
    left = max(0, node.unbonding_until - now)
    tx_hash = None if mined is None else mined.tx_hash
    return Leaving(step, node.node, node.owner, node.stake, node.unbonding_until, left, tx_hash)
