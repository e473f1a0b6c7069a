"""The errors of the aggregator, one family.

AggregatorError
├── HomeError                 the federation directory
│   ├── HomeMissing           it is not there, or `fairshare aggregator init` has not finished in it
│   ├── NotDeployed           its contracts are not on this chain yet
│   ├── FoundingFixed         it is deployed, and its contracts keep this for ever
│   └── ForeignLedger         the ledger on chain was founded on something else, or does not know our keys
├── CannotListen              the address to serve at is taken, or not ours
├── DatabaseError             the database cannot be used
│   ├── AlreadyServing        another process serves it
│   └── ForeignDatabase       it holds the rounds of another federation, or is of a newer version
├── BlobError                 a content-addressed file
│   ├── BlobMissing           it is not here
│   ├── TermsMissing          it is the config or task of the terms in force
│   ├── BlobCorrupt           its content does not hash to its name
│   └── BlobTooLarge          more arrived than is allowed
├── StorageFailed             the disk that blobs go to is full, read-only or broken
├── ClusterError              the Ray cluster that is to evaluate rounds is not there, or was lost
├── RoundError                a round cannot go on in this attempt
│   ├── RoundForgotten        the chain does not know a round that it had
│   ├── NotAppointed          another aggregator leads the rounds from now on
│   ├── EvaluationFailed      the evaluation raised, or its process died
│   ├── AttestationRefused    the scorer replayed the round and did not sign
│   └── AttestationFailed     the scorer could not say: it died, or reached no chain
└── Refusal                   what a client asked for is refused: aggregator/refusals.py draws the kinds
"""

from protocol.terminal import ExitCodes


class AggregatorError(Exception):
    """Base of every error raised by `aggregator`."""


class HomeError(AggregatorError):
    """Something about the federation directory; the message names the file."""


class HomeMissing(HomeError):
    """The federation directory is not there, or is not complete."""

    def __init__(self, missing: object) -> None:
        self.missing = missing
        super().__init__(f"{missing} is missing: make the federation directory with `fairshare aggregator init DIR --task …`")


class NotDeployed(HomeError):
    """The federation has no contracts on this chain yet."""

    def __init__(self, home: object, chain_id: int) -> None:
        self.home, self.chain_id = home, chain_id
        super().__init__(f"{home} is not deployed on chain {chain_id}: run `fairshare ledger deploy {home}`")


class FoundingFixed(HomeError):
    """The contracts are deployed and keep for ever what would change. Other terms are announced."""

    def __init__(self, home: object, what: str, deployed_to: object) -> None:
        self.home, self.what = home, what
        super().__init__(
            f"the {what} of {home} would change, but {deployed_to} says that its contracts are deployed and keep it: "
            "take the change back, or found a new federation in another directory; "
            "scorers and aggregator are changed by `fairshare ledger announce`"
        )


class ForeignLedger(HomeError):
    """The ledger on chain was founded on something else, or has not given our keys their roles."""


class CannotListen(AggregatorError):
    """The address to serve at is taken, or not this machine's."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        self.host, self.port, self.reason = host, port, reason
        super().__init__(f"cannot listen on {host}:{port} ({reason}): use another --port, or 0 for any free one")


class DatabaseError(AggregatorError):
    """The aggregator's database cannot be used."""


class AlreadyServing(DatabaseError):
    """Another process serves this database: two would open the same rounds twice."""

    def __init__(self, database: str) -> None:
        self.database = database
        super().__init__(f"another `fairshare aggregator serve` runs on {database}: stop it first, or use its URL")


class ForeignDatabase(DatabaseError):
    """The database holds the rounds of another federation, or was written by a newer version."""


class BlobError(AggregatorError):
    """Something about a content-addressed file. Attribute: `name`, the hash that it is, or should be, called by."""

    name: bytes


class BlobMissing(BlobError):
    """There is no blob of this name."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        super().__init__(f"blob {name.hex()} is missing: restore the blobs directory from a copy, or fetch it again")


class TermsMissing(BlobMissing):
    """The config or task of the terms in force is not here, so no round can be opened with them."""

    def __init__(self, what: str, name: bytes, directory: object) -> None:
        self.name, self.what = name, what
        BlobError.__init__(
            self,
            f"the {what} 0x{name.hex()} of the terms in force is not in {directory}: put the federation.toml that was announced "
            f"there, and run `fairshare aggregator init {directory}`, for another task with --task",
        )


class BlobCorrupt(BlobError):
    """A blob's content does not hash to its name."""

    def __init__(self, name: bytes, found: bytes) -> None:
        self.name, self.found = name, found
        super().__init__(f"blob {name.hex()} hashes to {found.hex()}: restore it from a copy, and check the disk")


class BlobTooLarge(BlobError):
    """More bytes arrived than are allowed."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(
            f"more than {limit} bytes, which rounds.body_bytes in the config allows; send what the task's model makes"
        )


class StorageFailed(AggregatorError):
    """A blob could not be written; nothing half-written was left, and what was there is untouched."""

    def __init__(self, directory: object, reason: str) -> None:
        self.directory, self.reason = directory, reason
        super().__init__(f"nothing can be stored in {directory} ({reason}): make room on that disk, or make it writable")


class RoundError(AggregatorError):
    """A round cannot go on in this attempt."""


class RoundForgotten(RoundError):
    """The chain does not know a round that it had: it was rolled back, or is another one."""

    def __init__(self, round_number: int) -> None:
        self.round = round_number
        super().__init__(
            f"the chain does not know round {round_number} any more: it was rolled back or replaced; "
            "check rpc_url, and restore the chain or found the federation again"
        )


class NotAppointed(RoundError):
    """The terms in force name another aggregator. What this one began it ends, and it goes on serving."""

    def __init__(self, address: str, appointed: str) -> None:
        self.address, self.appointed = address, appointed
        super().__init__(
            f"{address} is not the aggregator any more, {appointed} leads the rounds that open from now on: start that one's "
            "service; let this one run until its rounds are Final, and as long as others replay them from here"
        )


class ClusterError(AggregatorError):
    """The Ray cluster that is to evaluate rounds is not there, or was lost; nothing of a round is taken from it then."""


class EvaluationFailed(RoundError):
    """The evaluation raised, or the process that ran it died."""

    def __init__(self, round_number: int, cause: str) -> None:
        self.round, self.cause = round_number, cause
        super().__init__(f"round {round_number} could not be evaluated: {cause}; read the log, it is tried again")


class AttestationRefused(RoundError):
    """The scorer replayed the round and did not sign; nothing is proposed without its signature."""

    def __init__(self, round_number: int, sentence: str) -> None:
        self.round, self.sentence = round_number, sentence
        super().__init__(f"the scorer does not attest round {round_number}: {sentence}")


class AttestationFailed(RoundError):
    """The scorer's process ended without a verdict of its own; it is worth asking again."""

    def __init__(self, round_number: int, cause: str) -> None:
        self.round, self.cause = round_number, cause
        super().__init__(f"the scorer could not say whether round {round_number} replays: {cause}")


class Refusal(AggregatorError):
    """A client's request is refused; the message tells the client why and what to do."""


REFUSED_EXIT_CODE = 3
"""What a scorer's process ends with if it replayed a round and does not sign. Python ends with 1 for whatever else went wrong,
which says nothing about the round and may be tried again."""

AGGREGATOR_EXIT_CODES: ExitCodes = {
    HomeError: 14,
    NotDeployed: 16,
    AggregatorError: 43,
    CannotListen: 44,
    DatabaseError: 46,
    AlreadyServing: 47,
}
