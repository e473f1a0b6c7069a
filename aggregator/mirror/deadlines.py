"""Until when bodies are taken in a closed round, in seconds of the chain's clock: the same for aggregator and scorers."""

from ledger.records import ChainRound, Timing


def grace_seconds(timing: Timing) -> int:
    """How long bodies that scorers forward are taken after the reveal deadline: a quarter of the time to propose."""
    return timing.propose // 4


def reveal_deadline(closed: ChainRound, timing: Timing) -> int:
    """Until when nodes upload; from then on only what a scorer forwards is taken."""
    return closed.deadline - timing.propose


def forwarding_deadline(closed: ChainRound, timing: Timing) -> int:
    """Until when a scorer takes a body from another scorer: the half of the grace that is left is for the aggregator."""
    return reveal_deadline(closed, timing) + grace_seconds(timing) // 2
