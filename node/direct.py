"""Committing on chain, for a node whose aggregator does not take its commitment, or does not answer until time is nearly over.

The chain checks the node's signature itself, and lets the round close only over what was committed there. The gas is the owner's.
"""

from collections.abc import Callable
from pathlib import Path

from eth_account.signers.local import LocalAccount

from ledger.client import LedgerClient
from ledger.outbox import outbox
from ledger.records import ChainRound, RoundState
from ledger.sender import Sender
from protocol.typed_data import Update

_HURRY = 4
"""With less than this part of the commit time left, an aggregator that does not answer is not waited for any more."""


def is_urgent(on_chain: ChainRound, ledger: LedgerClient) -> bool:
    """Whether the time to commit in a round is nearly over."""
    commit_seconds = ledger.timing().commit
    end = on_chain.opened_at + commit_seconds
    return on_chain.state is RoundState.OPEN and end - commit_seconds // _HURRY <= ledger.now() < end


def commit_on_chain(
    transactions: Path, ledger: LedgerClient, payer: Callable[[], LocalAccount], update: Update, signature: bytes
) -> None:
    """Have the chain take a commitment, unless it has it already from before a crash. `payer` gives the account with the gas,
    whose outbox is in the folder `transactions`.

    Raises `Reverted` if the round does not take it, `TransactionRefused` if the payer has too little coin, and what the sender
    raises.
    """
    account = payer()
    with outbox(transactions, ledger.web3, account.address) as journal:
        if not any(ledger.commit_of(update.round, update.node)):
            sender = Sender(ledger.web3, account, journal)
            sender.submit(f"commit {update.round}", ledger.commit(update, signature))
