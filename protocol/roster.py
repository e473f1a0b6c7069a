"""Who may take part in a round, as the registry's `roster(round)` says it."""

from typing import NamedTuple


class RosterEntry(NamedTuple):
    """One eligible node: its permanent index, the key that signs its updates (checksummed), its bound on samples."""

    node: int
    signer: str
    max_samples: int
