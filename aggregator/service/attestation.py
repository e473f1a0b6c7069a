"""The scorer's word: a fresh process replays the round with the scorer's own key, and this side only carries it to the chain.

The service never imports the scorer, so nothing that it got wrong in memory can reach the replay.
"""

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from eth_utils.crypto import keccak

from aggregator.errors import REFUSED_EXIT_CODE, AttestationFailed, AttestationRefused
from protocol.errors import SignatureError
from protocol.typed_data import Attestation, Domain

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

"""Exit code of a scorer that came to a verdict, and it is no."""


@dataclass(frozen=True)
class Claim:
    """What the scorer is asked to confirm: a closed round's seed and the outcome that evidence with this root gives it."""

    round: int
    seed: bytes
    evidence_root: bytes
    scores: bytes
    model_hash: bytes

    @property
    def attestation(self) -> Attestation:
        """The typed data that the scorer signs if it agrees."""
        return Attestation(self.round, self.seed, self.evidence_root, keccak(self.scores), self.model_hash)


class ScorerProcess:
    """Starts `python -m aggregator.scorer` for each round. `stop` may be called from another thread while one runs."""

    def __init__(self, blobs: Path, keystore: Path, rpc_url: str, domain: Domain, passphrase: str) -> None:
        self._arguments = ["--blobs", str(blobs), "--keystore", str(keystore), "--rpc-url", rpc_url]
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
        with self._lock:
            if self._stopped:
                raise AttestationFailed(claim.round, "the service is stopping")
            wanted = ["--round", str(claim.round), "--evidence", claim.evidence_root.hex()]
            self._running = process = subprocess.Popen(  # noqa: S603 since every argument is our own
                [sys.executable, "-m", "aggregator.scorer", *self._arguments, *wanted],
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
            raise kind(claim.round, sentence)
        try:
            signature = bytes.fromhex(json.loads(answer.splitlines()[-1])["signature"].removeprefix("0x"))
            claim.attestation.signer(self._domain, signature)
        except (LookupError, TypeError, ValueError, SignatureError) as error:
            raise AttestationRefused(claim.round, f"its answer is no attestation ({error})") from error
        return signature

    def stop(self) -> None:
        """End a replay that is running; it raises `AttestationFailed`."""
        with self._lock:
            self._stopped = True
            if self._running is not None and self._running.poll() is None:
                self._running.kill()
