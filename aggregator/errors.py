"""The errors of the aggregator, one family.

    AggregatorError
    ├── BlobError
    │   ├── BlobMissing          a blob that is referred to is not in the store
    │   ├── BlobCorrupt          a blob does not hash to its name
    │   └── BlobTooLarge         an upload passed its limit
    └── ReplayError
        ├── ReplayDifference     a replayed leaf differs from the published one
        └── ChainDisagrees       evidence or references contradict what the chain says
"""


class AggregatorError(Exception):
    """Base of every error raised by `aggregator`."""


class BlobError(AggregatorError):
    """A blob cannot be used."""


class BlobMissing(BlobError):
    """A blob that is referred to is not in the store."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        super().__init__(f"blob {name.hex()} is not in the store: restore it from a backup or another mirror")


class BlobCorrupt(BlobError):
    """A blob does not hash to its name."""

    def __init__(self, name: bytes, found: bytes) -> None:
        self.name, self.found = name, found
        super().__init__(f"blob {name.hex()} is damaged (it hashes to {found.hex()}): restore it from a backup or another mirror")


class BlobTooLarge(BlobError):
    """An upload passed its limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"the body is larger than this federation's limit of {limit} bytes")


class ReplayError(AggregatorError):
    """A round does not replay."""


class ReplayDifference(ReplayError):
    """A replayed leaf differs from the published one."""

    def __init__(self, where: str, published: object, own: object) -> None:
        self.where, self.published, self.own = where, published, own
        super().__init__(f"{where}: published {published}, replayed {own}")


class ChainDisagrees(ReplayError):
    """Evidence contradicts what the chain says."""

    def __init__(self, what: str, evidence: object, chain: object) -> None:
        self.what, self.evidence, self.chain = what, evidence, chain
        super().__init__(f"{what}: the evidence has {evidence}, the chain says {chain}")
