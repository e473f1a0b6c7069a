"""The round as a state machine: where it stands in our database, what may follow, and what the chain calls it.

    opening ─► open ─► closing ─► revealing ─► evaluating ─► attesting ─► proposing ─► proposed ─► final
                 │        │                                      │
                 │        └───────────────► stalled ◄────────────┘
                 └─► abandoning

A phase names the step that is due; each step may be repeated, and each transition is one database transaction. The chain is
the truth: whatever it says is void becomes void here, and whatever it says was proposed becomes proposed, from any phase.
"""

from enum import StrEnum


class Phase(StrEnum):
    """What the aggregator does with a round next."""

    OPENING = "opening"  # bound in the database, about to be opened on chain
    OPEN = "open"  # takes commitments
    CLOSING = "closing"  # the update root is fixed, about to be closed on chain
    REVEALING = "revealing"  # takes bodies
    EVALUATING = "evaluating"  # all bodies that will count are here
    ATTESTING = "attesting"  # evidence is stored, the scorer replays it
    PROPOSING = "proposing"  # attested, about to be proposed on chain
    PROPOSED = "proposed"  # waits for its window to pass
    FINAL = "final"
    ABANDONING = "abandoning"  # about to be given up on chain
    STALLED = "stalled"  # nothing can be proposed: waits for the chain to time it out
    VOID = "void"

    @property
    def decided(self) -> bool:
        """Whether nothing can change the round any more."""
        return self in (Phase.FINAL, Phase.VOID)

    @property
    def state(self) -> str:
        """The round's state in the words of the chain."""
        return _STATES[self]


SUCCESSORS: dict[Phase, frozenset[Phase]] = {
    Phase.OPENING: frozenset({Phase.OPEN}),
    Phase.OPEN: frozenset({Phase.CLOSING, Phase.ABANDONING}),
    Phase.CLOSING: frozenset({Phase.REVEALING, Phase.STALLED}),
    Phase.REVEALING: frozenset({Phase.EVALUATING}),
    Phase.EVALUATING: frozenset({Phase.ATTESTING}),
    Phase.ATTESTING: frozenset({Phase.PROPOSING, Phase.STALLED}),
    Phase.PROPOSING: frozenset({Phase.PROPOSED}),
    Phase.PROPOSED: frozenset({Phase.FINAL}),
    Phase.ABANDONING: frozenset(),
    Phase.STALLED: frozenset(),
    Phase.FINAL: frozenset(),
    Phase.VOID: frozenset(),
}


def may_follow(source: Phase, target: Phase) -> bool:
    """Whether a round may go from one phase to the other: along the picture, or because the chain went before us."""
    if target in SUCCESSORS[source] or (target is Phase.VOID and not source.decided):
        return True
    return target is Phase.PROPOSED and not source.decided


_STATES = {
    Phase.OPENING: "none",
    Phase.OPEN: "open",
    Phase.CLOSING: "open",
    Phase.REVEALING: "closed",
    Phase.EVALUATING: "closed",
    Phase.ATTESTING: "closed",
    Phase.PROPOSING: "closed",
    Phase.PROPOSED: "proposed",
    Phase.FINAL: "final",
    Phase.ABANDONING: "open",
    Phase.STALLED: "closed",
    Phase.VOID: "void",
}
