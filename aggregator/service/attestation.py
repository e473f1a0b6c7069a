"""The scorer's word: a fresh process replays the round with the scorer's own key, and this side only carries it to the chain.

The service never imports the scorer, so nothing that it got wrong in memory can reach the replay.
"""

import importlib
import io
import json
import os
import threading
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

from aggregator.errors import REFUSED_EXIT_CODE, AttestationFailed, AttestationRefused
from aggregator.forked import start
from aggregator.mirror.claim import Claim
from ledger.wallet import Wallet
from protocol.errors import SignatureError
from protocol.typed_data import Domain, Expulsion, TypedMessage


class _Ended(NamedTuple):
    code: int | None
    answer: str
    complaint: str


class ScorerProcess:
    """Runs what `python -m aggregator.scorer` runs, for each round and for each node to be signed out.

    `stop` may be called from another thread while one runs.
    """

    def __init__(self, blobs: Path, wallet: Wallet, rpc_url: str, domain: Domain, passphrase: str) -> None:
        self.address = wallet.address
        self._arguments = ["--blobs", str(blobs), "--keystore", str(wallet.path), "--rpc-url", rpc_url]
        self._arguments += ["--chain-id", str(domain.chain_id), "--ledger", domain.ledger]
        self._domain = domain
        self._passphrase = passphrase
        self._running: BaseProcess | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def attest(self, claim: Claim) -> bytes:
        """The scorer's signature over the claim, 65 bytes.

        Raises `AttestationRefused` with the scorer's sentence, `AttestationFailed` if it came to no verdict.
        """
        return self._sign(claim.round, claim.attestation, "--evidence", claim.evidence_root.hex())

    def sign_out(self, expulsion: Expulsion, evidence_root: bytes) -> bytes:
        """The scorer's signature under the expulsion of a node, 65 bytes. Raises as `attest`."""
        wanted = ("--evidence", evidence_root.hex(), "--expel", str(expulsion.node))
        return self._sign(expulsion.round, expulsion, *wanted)

    def _sign(self, number: int, message: TypedMessage, *wanted: str) -> bytes:
        ended = self._run(number, ["--round", str(number), *wanted])
        if ended.code != 0:
            sentence = (ended.complaint.strip().splitlines() or [f"it ended with code {ended.code}"])[-1]
            kind = AttestationRefused if ended.code == REFUSED_EXIT_CODE else AttestationFailed
            raise kind(number, sentence)
        try:
            signature = bytes.fromhex(json.loads(ended.answer.splitlines()[-1])["signature"].removeprefix("0x"))
            signer = message.signer(self._domain, signature)
        except (LookupError, TypeError, ValueError, SignatureError) as error:
            raise AttestationRefused(number, f"its answer is no signature ({error})") from error
        if signer != self.address:
            raise AttestationRefused(number, f"it signed something else than {message}")
        return signature

    def _run(self, number: int, wanted: Sequence[str]) -> _Ended:
        ours, theirs = Pipe(duplex=False)
        with ours:
            with self._lock, theirs:
                if self._stopped:
                    raise AttestationFailed(number, "the service is stopping")
                self._running = process = start(_scorer, theirs, [*self._arguments, *wanted], self._passphrase)
            try:
                ended: _Ended = ours.recv()
            except EOFError:
                process.join()
                return _Ended(process.exitcode, "", "")
        process.join()
        return ended

    def stop(self) -> None:
        """End a replay that is running; it raises `AttestationFailed`."""
        with self._lock:
            self._stopped = True
            if self._running is not None:
                self._running.kill()


def _scorer(pipe: Connection, arguments: Sequence[str], passphrase: str) -> None:
    """In the fresh process: the scorer's command, to its end."""
    # A file that is named in the environment would count before the passphrase there, and may be another one by now.
    os.environ.pop("FAIRSHARE_PASSPHRASE_FILE", None)
    os.environ["FAIRSHARE_PASSPHRASE"] = passphrase
    answer, complaint = io.StringIO(), io.StringIO()
    with redirect_stdout(answer), redirect_stderr(complaint):
        try:
            code = importlib.import_module("aggregator.scorer.__main__").main(arguments)
        except Exception:  # whatever it is, it is no verdict; the traceback's last line is the sentence
            traceback.print_exc()
            code = 1
    pipe.send(_Ended(code, answer.getvalue(), complaint.getvalue()))
