"""pyDVL's samplers on one of our games."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.contributions.published import Found, Utilities
from bench.peers import Peer

SIDE = Path(__file__).parent / "pydvl_side.py"
SAMPLERS = ("Permutation", "AntitheticPermutation", "Antithetic")


def pydvl(
    peer: Peer,
    sampler: str,
    utilities: Utilities,
    players: int,
    budgets: Sequence[int],
    seed: int,
) -> list[Found]:
    """What the sampler has found within each budget of distinct evaluations, in order; too small ones are left out."""
    peer.send({"players": players, "sampler": sampler, "seed": seed, "budgets": sorted(budgets)})
    while "coalition" in (message := peer.receive()):
        peer.send(utilities([int(message["coalition"], 16)])[0])
    return [Found(np.array(values), used) for _, values, used in message["marks"]]
