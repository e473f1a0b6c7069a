"""Why a scorer does not sign.

AggregatorError
├── ReplayError               a round is not what its rules make of its inputs
│   ├── ReplayDifference      a replayed leaf differs from the published one
│   ├── ChainDisagrees        the evidence contradicts what the chain says
│   └── BodyWithheld          a body that was forwarded in time is missing
├── NothingToVerify           the round has no outcome (yet)
├── NothingToDispute          the evidence has no such leaf
├── NothingToExpel            the evidence does not justify expelling the node
├── NoQuorum                  too few scorers signed one outcome
├── FileTooLarge              a mirror sends more than a file may have
└── ScorerHomeMissing         the scorer's directory is not there
"""

from pathlib import Path

from aggregator.errors import AGGREGATOR_EXIT_CODES, AggregatorError
from learning.errors import LEARNING_EXIT_CODES, LearningError
from ledger.errors import LEDGER_EXIT_CODES
from protocol.errors import CommitmentError, EvidenceError, SignatureError
from protocol.terminal import ExitCodes

FAILED = 61
"""Exit code of a verification, or of an expulsion, that came to a verdict, and it is no."""


class ReplayError(AggregatorError):
    """A round does not replay."""


class ReplayDifference(ReplayError):
    """A replayed leaf differs from the published one; the message names the first and gives both values."""

    def __init__(self, where: str, published: object, own: object) -> None:
        self.where, self.published, self.own = where, published, own
        super().__init__(f"{where}: published {_shown(published)}, replayed {_shown(own)}")


class ChainDisagrees(ReplayError):
    """The evidence contradicts what the chain says."""

    def __init__(self, what: str, evidence: object, chain: object) -> None:
        self.what, self.evidence, self.chain = what, evidence, chain
        super().__init__(f"{what}: the evidence has {evidence}, the chain says {chain}")


class BodyWithheld(ReplayError):
    """The evidence has no body for a commitment whose body this scorer forwarded in time."""

    def __init__(self, round_number: int, node: int) -> None:
        self.round, self.node = round_number, node
        super().__init__(f"BODY leaf {node}: published no such leaf, but its body was forwarded to the aggregator in time")


class NothingToVerify(AggregatorError):
    """The round has no outcome that could be replayed."""

    def __init__(self, round_number: int, state: str) -> None:
        self.round, self.state = round_number, state
        super().__init__(f"round {round_number} is {state}: wait until it is proposed, a Void round has nothing to verify")


class NothingToDispute(AggregatorError):
    """The round's evidence has no such leaf, or the verification found none that differs."""

    def __init__(self, round_number: int, what: str) -> None:
        self.round, self.what = round_number, what
        super().__init__(f"round {round_number} has no {what}: name a leaf as KIND/POSITION, such as utility/5")


class NothingToExpel(AggregatorError):
    """A scorer does not sign a node out; the message has the numbers."""

    def __init__(self, why: str) -> None:
        super().__init__(f"nobody is expelled: {why}; name another Final round by --round if its evidence says otherwise")


class NoQuorum(AggregatorError):
    """Too few scorers signed one and the same outcome of a round."""

    def __init__(self, round_number: int, found: int, needed: int) -> None:
        self.round, self.found, self.needed = round_number, found, needed
        super().__init__(f"round {round_number} has {found} of {needed} attestations: ask again, and name more mirrors by --from")


class FileTooLarge(AggregatorError):
    """A mirror sends more for one file than the scorer takes; none of it is kept."""

    def __init__(self, name: bytes, place: str, limit: int) -> None:
        self.name, self.place, self.limit = name, place, limit
        super().__init__(
            f"{place} sends more than {limit} bytes for the file {name.hex()}: ask another mirror by --from; "
            "if the federation's files are that large, raise file_bytes in scorer.toml"
        )


class ScorerHomeMissing(AggregatorError):
    """The scorer's directory is not there, or not complete."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} is missing: make the directory with `fairshare scorer init DIR --ledger ADDRESS`")


def _shown(value: object) -> str:
    from protocol.abi import to_json  # brings eth_abi, half of what the command line would load for its help

    return str(to_json(value)) if isinstance(value, bytes | tuple | int) else str(value)


REFUSALS = (ReplayError, LearningError, EvidenceError, CommitmentError, SignatureError)
"""What says no to a round, as opposed to not knowing."""

SCORER_EXIT_CODES: ExitCodes = {
    **LEDGER_EXIT_CODES,
    **LEARNING_EXIT_CODES,
    **AGGREGATOR_EXIT_CODES,
    ScorerHomeMissing: 14,
    NothingToExpel: FAILED,
}
