"""The scorer's word: a fresh process replays the round with the scorer's own key, and this side only carries it to the chain.

The service never imports the scorer, so nothing that it got wrong in memory can reach the replay.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from aggregator.errors import REFUSED_EXIT_CODE, AttestationFailed, AttestationRefused
from aggregator.mirror.claim import Claim
from ledger.wallet import Wallet
from protocol.errors import SignatureError
from protocol.typed_data import Domain, Expulsion, TypedMessage

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class ScorerProcess:
    """Starts `python -m aggregator.scorer` for each round, and for each node to be signed out.

    `stop` may be called from another thread while one runs."""

    def __init__(self, blobs: Path, wallet: Wallet, rpc_url: str, domain: Domain, passphrase: str) -> None:
        self.address = wallet.address
        self._arguments = ["--blobs", str(blobs), "--keystore", str(wallet.path), "--rpc-url", rpc_url]
        self._arguments += ["--chain-id", str(domain.chain_id), "--ledger", domain.ledger]
        self._domain = domain
        # The passphrase goes by the environment, which only this user's processes can read, never by an argument. A file that
        # is named there would count before it, and may be another one by now.
        inherited = {name: value for name, value in os.environ.items() if name != "FAIRSHARE_PASSPHRASE_FILE"}
        self._environment = {**inherited, **dict.fromkeys(_THREADS, "1"), "FAIRSHARE_PASSPHRASE": passphrase}
        self._running: subprocess.Popen[str] | None = None
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
        with self._lock:
            if self._stopped:
                raise AttestationFailed(number, "the service is stopping")
            self._running = process = subprocess.Popen(  # noqa: S603 since every argument is our own
                [sys.executable, "-m", "aggregator.scorer", *self._arguments, "--round", str(number), *wanted],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=self._environment,
            )
        answer, complaint = process.communicate()
        if process.returncode != 0:
            sentence = (complaint.strip().splitlines() or [f"it ended with code {process.returncode}"])[-1]
            kind = AttestationRefused if process.returncode == REFUSED_EXIT_CODE else AttestationFailed
            raise kind(number, sentence)
        try:
            signature = bytes.fromhex(json.loads(answer.splitlines()[-1])["signature"].removeprefix("0x"))
            signer = message.signer(self._domain, signature)
        except (LookupError, TypeError, ValueError, SignatureError) as error:
            raise AttestationRefused(number, f"its answer is no signature ({error})") from error
        if signer != self.address:
            raise AttestationRefused(number, f"it signed something else than {message}")
        return signature

    def stop(self) -> None:
        """End a replay that is running; it raises `AttestationFailed`."""
        with self._lock:
            self._stopped = True
            if self._running is not None and self._running.poll() is None:
                self._running.kill()
