"""The bundle of a round's evidence as JSON, in which it travels: integers as decimal strings, bytes as 0x-hex.

Reading checks the form against the table of leaf kinds and the header against the root that the bundle names.
"""

import reprlib
from typing import Any

from protocol.abi import from_json, to_json
from protocol.errors import EvidenceError
from protocol.evidence import EVIDENCE_VERSION, HEADER_FIELDS, LEAF_KINDS, Evidence, Header, Kind, Leaf


def evidence_to_json(evidence: Evidence) -> dict[str, Any]:
    """The bundle as JSON-ready values: integers as decimal strings, bytes as 0x-hex."""
    header = evidence.header
    leaves = [
        {"kind": leaf.kind.name.lower(), "position": leaf.position, "values": to_json(leaf.values)} for leaf in evidence.leaves
    ]
    return {
        "schema_version": EVIDENCE_VERSION,
        "root": to_json(header.root()),
        "header": {name: to_json(getattr(header, name)) for _, name in HEADER_FIELDS},
        "leaves": leaves,
    }


def evidence_from_json(document: Any) -> Evidence:
    """Read a bundle, whole or filtered by access, and check that the header hashes to the root it names.

    Raises `EvidenceError` if the form is not that of the table, naming the leaf. Leaves are checked against the roots by
    `check_roots` only.
    """
    header = header_from_json(document)
    if header.version != EVIDENCE_VERSION:
        raise EvidenceError(f"header, version: published {header.version}, only {EVIDENCE_VERSION} is known here")
    entries = document.get("leaves")
    if not isinstance(entries, list):
        raise EvidenceError("the bundle has no list of leaves: ask another mirror")
    leaves = tuple(_leaf_from_json(entry) for entry in entries)
    if len({(leaf.kind, leaf.position) for leaf in leaves}) != len(leaves):
        raise EvidenceError("two leaves of one kind claim the same position")
    return Evidence(header, leaves)


def header_from_json(document: Any) -> Header:
    """A bundle's header, which hashes to the root that the bundle names; of whatever version it says that it is.

    Raises `EvidenceError` if this is no bundle.
    """
    try:
        if document["schema_version"] != EVIDENCE_VERSION:
            raise EvidenceError(f"its version is {document['schema_version']!r}")
        header = Header(**{name: from_json(name, kind, document["header"][name]) for kind, name in HEADER_FIELDS})
        named = from_json("root", "bytes32", document["root"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EvidenceError(
            f"this is not an evidence bundle of version {EVIDENCE_VERSION} ({error!r}): "
            "ask another mirror, and check that versions agree"
        ) from error
    if header.root() != named:
        raise EvidenceError(f"the header hashes to {header.root().hex()}, the bundle names {named.hex()}: ask another mirror")
    return header


def _leaf_from_json(entry: Any) -> Leaf:
    try:
        kind, position = Kind[entry["kind"].upper()], entry["position"]
        spec = LEAF_KINDS[kind]
        if type(position) is not int or not 0 <= position < 1 << spec.depth:
            raise EvidenceError(f"the {kind.name} tree has no position {position!r}")
        pairs = zip(spec.fields, entry["values"], strict=True)
        return Leaf(kind, position, tuple(from_json(name, abi_type, value) for (abi_type, name), value in pairs))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EvidenceError(f"{_called(entry)}: published what is no such leaf ({error!r})") from error


def _called(entry: Any) -> str:
    """What a leaf is called that cannot be read."""
    if not isinstance(entry, dict):
        return "a leaf"
    kind, position = (reprlib.repr(entry.get(name)).strip("'") for name in ("kind", "position"))
    return f"{kind.upper()} leaf {position}"
