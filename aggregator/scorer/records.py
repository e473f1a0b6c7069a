"""What a scorer attested, and the signatures of the other scorers that came in for it: one JSON file for each round."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from pydantic import BaseModel, ConfigDict, ValidationError

from aggregator.mirror.claim import Claim
from protocol.files import write_durably
from protocol.json_types import Hash, HexBytes
from protocol.typed_data import Domain


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = 1
    round: int
    seed: Hash
    evidence_root: Hash
    scores: HexBytes
    model: Hash
    signatures: dict[str, HexBytes]


@dataclass(frozen=True)
class Attested:
    """An outcome that this scorer replayed, and the signatures under it by their signers."""

    claim: Claim
    signatures: Mapping[str, bytes]

    @property
    def sorted(self) -> tuple[bytes, ...]:
        """The signatures in the ascending order of their signers, as `propose` takes them."""
        return tuple(self.signatures[signer] for signer in sorted(self.signatures, key=lambda address: int(address, 16)))


class Records:
    """The attested rounds in a directory. A file is replaced whole, so a kill leaves what was there or what should be."""

    def __init__(self, directory: Path, domain: Domain) -> None:
        self._directory = directory
        self._domain = domain
        self._one_writer = Lock()

    def attested(self, number: int) -> Attested | None:
        """What was attested of a round, None if nothing was, or by a file that cannot be read."""
        try:
            found = _File.model_validate_json((self._directory / f"{number}.json").read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        return Attested(Claim(number, found.seed, found.evidence_root, found.scores, found.model), dict(found.signatures))

    def keep(self, claim: Claim, signer: str, signature: bytes) -> Attested:
        """Add a signature to what was attested of a round; the first one of a round decides on the outcome."""
        with self._one_writer:
            return self._keep(claim, signer, signature)

    def _keep(self, claim: Claim, signer: str, signature: bytes) -> Attested:
        before = self.attested(claim.round)
        kept = Attested(claim if before is None else before.claim, {**(before.signatures if before else {}), signer: signature})
        file = _File(
            round=claim.round,
            seed=kept.claim.seed,
            evidence_root=kept.claim.evidence_root,
            scores=kept.claim.scores,
            model=kept.claim.model_hash,
            signatures=dict(kept.signatures),
        )
        write_durably(self._directory / f"{claim.round}.json", (file.model_dump_json(indent=2) + "\n").encode())
        return kept

    def rounds(self) -> tuple[int, ...]:
        """The attested rounds, newest first."""
        return tuple(sorted((int(path.stem) for path in self._directory.glob("[0-9]*.json")), reverse=True))
