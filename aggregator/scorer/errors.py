"""Why a scorer does not sign.

AggregatorError
└── ReplayError
    ├── ReplayDifference     a replayed leaf differs from the published one
    └── ChainDisagrees       the evidence contradicts what the chain says
"""

from aggregator.errors import AggregatorError


class ReplayError(AggregatorError):
    """A round does not replay."""


class ReplayDifference(ReplayError):
    """A replayed leaf differs from the published one; the message names the first and gives both values."""

    def __init__(self, where: str, published: object, own: object) -> None:
        self.where, self.published, self.own = where, published, own
        super().__init__(f"{where}: published {published}, replayed {own}")


class ChainDisagrees(ReplayError):
    """The evidence contradicts what the chain says."""

    def __init__(self, what: str, evidence: object, chain: object) -> None:
        self.what, self.evidence, self.chain = what, evidence, chain
        super().__init__(f"{what}: the evidence has {evidence}, the chain says {chain}")
