"""Evidence with a lie in it, hashed as it should be: what a lying aggregator publishes."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from protocol.evidence import LEAF_KINDS, Evidence, Kind, Leaf, subtree_roots

Change = Mapping[str, Any] | Callable[[dict[str, Any]], Mapping[str, Any]]


def altered(evidence: Evidence, kind: Kind, position: int, change: Change) -> Evidence:
    """One leaf changed: `change` is the values that are to be others by name, or gives them for the leaf's."""
    old = evidence.by_kind[kind][position]
    values = {name: old.get(name) for _, name in LEAF_KINDS[kind].fields}
    other = change(values) if callable(change) else change
    leaf = Leaf(kind, position, tuple({**values, **other}.values()))
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
