"""The round as a state machine: where it stands in our database, what may follow, and what the chain calls it.

    opening ─► open ─► closing ─► revealing ─► evaluating ─► attesting ─► proposing ─► proposed ─► final
                 │                                               │
                 └─► abandoning                                  └─► stalled

Every phase but the last two may also become void, when the chain says so. A phase names the step that is due; each step may
be repeated, and each transition is one database transaction.
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
    Phase.OPENING: frozenset({Phase.OPEN, Phase.VOID}),
    Phase.OPEN: frozenset({Phase.CLOSING, Phase.ABANDONING, Phase.VOID}),
    Phase.CLOSING: frozenset({Phase.REVEALING, Phase.VOID}),
    Phase.REVEALING: frozenset({Phase.EVALUATING, Phase.VOID}),
    Phase.EVALUATING: frozenset({Phase.ATTESTING, Phase.VOID}),
    Phase.ATTESTING: frozenset({Phase.PROPOSING, Phase.STALLED, Phase.VOID}),
    Phase.PROPOSING: frozenset({Phase.PROPOSED, Phase.VOID}),
    Phase.PROPOSED: frozenset({Phase.FINAL, Phase.VOID}),
    Phase.FINAL: frozenset(),
    Phase.ABANDONING: frozenset({Phase.VOID}),
    Phase.STALLED: frozenset({Phase.VOID}),
    Phase.VOID: frozenset(),
}

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
