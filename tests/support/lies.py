"""Evidence with a lie in it, hashed as it should be: what a lying aggregator publishes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from protocol.evidence import LEAF_KINDS, Evidence, Kind, Leaf, subtree_roots


def altered(evidence: Evidence, kind: Kind, position: int, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Evidence:
    """One leaf changed: `change` is given its values by name, and gives those that are to be others."""
    old = evidence.by_kind[kind][position]
    values = {name: old.get(name) for _, name in LEAF_KINDS[kind].fields}
    leaf = Leaf(kind, position, tuple({**values, **change(values)}.values()))
    assert leaf != old, "this is no lie"
    return replaced(evidence, leaf)


def replaced(evidence: Evidence, leaf: Leaf) -> Evidence:
    """This leaf in the place of the one of its kind and position."""
    place = (leaf.kind, leaf.position)
    return rehashed(evidence, tuple(leaf if (one.kind, one.position) == place else one for one in evidence.leaves))


def rehashed(evidence: Evidence, leaves: tuple[Leaf, ...]) -> Evidence:
    """These leaves under a header that promises them: a liar hashes its lies properly."""
    roots, total = subtree_roots(evidence.header.federation, leaves)
    return Evidence(replace(evidence.header, roots=roots, total_basis=total), leaves)
