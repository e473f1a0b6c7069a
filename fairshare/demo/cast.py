"""Who plays in the demo: eight participants with real, label-skewed data, three of them not what they seem."""

from collections.abc import Mapping
from typing import NamedTuple

HONEST, FREE_RIDER, NAN, LABEL_FLIPPER = "honest", "free-rider", "nan", "label-flipper"


class Player(NamedTuple):
    """One participant: its name (also its directory), its role, and the data source it trains on."""

    name: str
    role: str
    data: str


_LIARS: Mapping[str, str] = {"frank": FREE_RIDER, "grace": NAN, "heidi": LABEL_FLIPPER}
_NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")

CAST = tuple(Player(name, _LIARS.get(name, HONEST), f"{position}/{len(_NAMES)}") for position, name in enumerate(_NAMES, start=1))
"""Each has one of eight label-skewed shares (Dirichlet 0.5) of the digits that are held for training."""
