"""The transactions that a person's commands send: remembered in a file per account, so that a kill forgets none of them.

A command opens the outbox, looks at the chain, and sends what is due. So only what the chain does not show yet has to be
remembered: a transaction is forgotten when a command finds its nonce used on chain, before it looks at anything else.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from web3 import Web3

from ledger.journal import FileJournal


@contextmanager
def outbox(directory: Path, web3: Web3, address: str) -> Iterator[FileJournal]:
    """The journal `directory/ADDRESS.json`, for a Sender; another process that opens it waits for its turn.

    Raises `JournalUnreadable`, `ChainUnavailable`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f"{address}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the process, however that ends
        journal = FileJournal(directory / f"{address}.json")
        journal.forget(web3.eth.get_transaction_count(Web3.to_checksum_address(address), "latest"))
        yield journal
