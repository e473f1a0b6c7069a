"""A command killed while what it sent is not mined yet, and given again. On anvil, which mines when it is told to."""

import fcntl
import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.ledger.conformance.chains import Anvil
from tests.support.processes import ENVIRONMENT, PATIENCE, ROOT


def waiting(chain: Anvil, sender: str) -> list[str]:
    """The transactions that an account has in anvil's pool."""
    pool = chain.ask("txpool_content")
    return [found["hash"] for part in pool.values() for found in part.get(sender, part.get(sender.lower(), {})).values()]


def killed_and_given_again(
    chain: Anvil, sender: str, transactions: Path, command: Sequence[str], answers: Sequence[str] = ()
) -> str:
    """Kill the command as soon as its transaction waits in the pool; let it be given again, and only then mine. What the second
    one printed; it ends well, or with one of the `answers` by which the chain says that it is done already.

    `transactions` is the folder of its outbox, which knows the one transaction.
    """
    nonce = chain.web3.eth.get_transaction_count(sender)  # type: ignore[arg-type] # it takes a plain string
    chain.ask("evm_setAutomine", False)
    first = _started(command)
    while not (sent := waiting(chain, sender)):
        assert first.poll() is None, first.communicate()
    first.kill()
    first.communicate()
    (kept,) = json.loads((transactions / f"{sender}.json").read_text())["entries"]
    assert [kept["tx_hash"]] == sent
    second = _started(command)
    with (transactions / f"{sender}.lock").open() as lock:
        # Until the second has opened the outbox, or is through: what waits in the pool may be enough for it to know.
        while second.poll() is None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                break
            fcntl.flock(lock, fcntl.LOCK_UN)
            time.sleep(0.02)
    chain.ask("anvil_mine")
    chain.ask("evm_setAutomine", True)
    out, err = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0 or any(answer in err for answer in answers), err
    assert chain.web3.eth.get_transaction_count(sender) == nonce + 1  # type: ignore[arg-type] # it takes a plain string
    assert waiting(chain, sender) == []
    return out


def _started(command: Sequence[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**ENVIRONMENT, "FAIRSHARE_TRACEBACK": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
