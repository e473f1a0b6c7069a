"""One leaf of a round's evidence with the siblings that lead to the header: anybody who has the root can check it alone.

An opening without values proves that nothing stands at the position. Contracts take the same siblings, see `protocol.trees`.
"""

from typing import Any, NamedTuple

from protocol.abi import from_json, to_json
from protocol.errors import EvidenceError
from protocol.evidence import LEAF_KINDS, Evidence, Header, Kind, Leaf
from protocol.trees import EMPTY_LEAF, EMPTY_SUM_LEAF, SumNode, root_from_proof, sum_root_from_proof


class Opening(NamedTuple):
    """A leaf and its siblings from the bottom up; `values` is None where the tree has no leaf.

    `sums` are the sums of the siblings in the sum tree of score bases (Kind.CONTRIBUTION), empty in every other tree.
    """

    kind: Kind
    position: int
    values: tuple[Any, ...] | None
    siblings: tuple[bytes, ...]
    sums: tuple[int, ...] = ()

    @property
    def leaf(self) -> Leaf | None:
        """The opened leaf."""
        return None if self.values is None else Leaf(self.kind, self.position, self.values)


def open_leaf(evidence: Evidence, kind: Kind, position: int) -> Opening:
    """The opening of one position. Needs all leaves of the kind, whatever an access level hides.

    Raises `EvidenceError` if the kind's tree has no such position.
    """
    if not 0 <= position < 1 << LEAF_KINDS[kind].depth:
        raise EvidenceError(f"the {kind.name} tree has no position {position}")
    leaf = evidence.by_kind[kind].get(position)
    values = None if leaf is None else leaf.values
    siblings = evidence.tree(kind).siblings(position)
    if kind is not Kind.CONTRIBUTION:
        return Opening(kind, position, values, siblings)
    return Opening(kind, position, values, tuple(node.hash for node in siblings), tuple(node.sum for node in siblings))


def check_opening(header: Header, opening: Opening) -> None:
    """Raise `EvidenceError` unless the opening leads to the header's root of its kind (and, for bases, to its total)."""
    kind, spec = opening.kind, LEAF_KINDS[opening.kind]
    where = f"{kind.name} leaf {opening.position}"
    if len(opening.siblings) != spec.depth or not 0 <= opening.position < 1 << spec.depth:
        raise EvidenceError(f"{where}: its tree has depth {spec.depth}, the opening {len(opening.siblings)} siblings")
    leaf, promised = opening.leaf, header.roots[list(Kind).index(kind)]
    hashed = EMPTY_LEAF if leaf is None else leaf.hash(header.federation)
    if kind is not Kind.CONTRIBUTION:
        found, total = root_from_proof(hashed, opening.position, opening.siblings), header.total_basis
    else:
        if len(opening.sums) != spec.depth or any(not 0 <= each < 1 << 256 for each in opening.sums):
            raise EvidenceError(f"{where}: the opening lacks the sums of its siblings")
        bottom = EMPTY_SUM_LEAF if leaf is None else SumNode(hashed, leaf.get("basis"))
        siblings = tuple(map(SumNode, opening.siblings, opening.sums))
        try:
            found, total = sum_root_from_proof(bottom, opening.position, siblings)
        except OverflowError:
            raise EvidenceError(f"{where}: its sums pass 2^256") from None
    if found != promised:
        raise EvidenceError(f"{where}: the opening leads to {found.hex()}, the header promises {promised.hex()}")
    if total != header.total_basis:
        raise EvidenceError(f"{where}: the opening's bases sum to {total}, the header promises {header.total_basis}")


def opening_to_json(opening: Opening) -> dict[str, Any]:
    """JSON-ready values, in the spelling of the evidence bundle."""
    return {
        "kind": opening.kind.name.lower(),
        "position": opening.position,
        "values": None if opening.values is None else to_json(opening.values),
        "siblings": to_json(opening.siblings),
        "sums": to_json(opening.sums),
    }


def opening_from_json(document: Any) -> Opening:
    """Read what `opening_to_json` wrote; raises `EvidenceError` if the form is not that of the table."""
    try:
        return _opening(document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EvidenceError(f"this is no opening of a leaf: {error!r}") from error


def _opening(document: Any) -> Opening:
    kind, position, values = Kind[document["kind"].upper()], document["position"], document["values"]
    if type(position) is not int:
        raise ValueError("its position is no integer")
    if values is not None:
        pairs = zip(LEAF_KINDS[kind].fields, values, strict=True)
        values = tuple(from_json(name, abi_type, value) for (abi_type, name), value in pairs)
    siblings = from_json("siblings", "bytes32[]", document["siblings"])
    return Opening(kind, position, values, siblings, from_json("sums", "uint256[]", document["sums"]))
