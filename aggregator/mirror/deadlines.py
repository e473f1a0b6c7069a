"""Until when bodies are taken in a closed round, in seconds of the chain's clock: the same for aggregator and scorers."""

from ledger.records import ChainRound, Timing


def reveal_deadline(closed: ChainRound, timing: Timing) -> int:
    """Until when nodes upload; from then on only what a scorer forwards is taken."""
    return closed.deadline - timing.propose - timing.grace


def forwarding_deadline(closed: ChainRound, timing: Timing) -> int:
    """Until when a scorer takes a body from another scorer: the half of the grace that is left is for the aggregator."""
    return reveal_deadline(closed, timing) + timing.grace // 2
