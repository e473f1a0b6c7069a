"""Compiles the contracts into `contracts/artifacts/NAME.json`, the same bytes on every machine and from any directory.

    python -m ledger.build           writes the artifacts (`make contracts`)
    python -m ledger.build --check   compiles to memory, and fails when an artifact differs from its sources

For developers: it needs the npm packages of `contracts/`. Everything else reads the committed artifacts and never
compiles. Whatever varies without the contract varying is left out or replaced: compiler ids by names, paths by paths
below `contracts/`, and the metadata hash at the end of the bytecode by nothing.
"""

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import solcx

CONTRACTS = Path(__file__).resolve().parents[1] / "contracts"
ARTIFACTS = CONTRACTS / "artifacts"
COMPILER = CONTRACTS / "tools" / "solc"
NAMES = ("ContributionToken", "NodeRegistry", "Court", "RoundLedger")

# The same as in contracts/foundry.toml, so that forge tests the bytecode that is deployed.
SETTINGS: dict[str, Any] = {
    "evmVersion": "cancun",
    "optimizer": {"enabled": True, "runs": 200},
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
}
OUTPUTS = [
    "abi",
    "evm.bytecode.object",
    "evm.deployedBytecode.object",
    "evm.deployedBytecode.immutableReferences",
    "metadata",
    "storageLayout",
]

# `t_struct(Round)1234_storage`: the number is the compiler's id of the declaration, and moves with every source.
_DECLARATION_ID = re.compile(r"(t_(?:contract|enum|struct|userDefinedValueType)\([^()]*\))\d+")


class Artifact(NamedTuple):
    """One compiled contract: its name and the text of its file."""

    name: str
    text: str

    @property
    def path(self) -> Path:
        """Where the artifact is committed."""
        return ARTIFACTS / f"{self.name}.json"


def compile_contracts() -> list[Artifact]:
    """Compile every contract that is deployed.

    Raises:
        SystemExit: the npm packages are missing, or a source of ours has an error or a warning.
    """
    if not (CONTRACTS / "node_modules").is_dir():
        sys.exit("The compiler is missing: run `npm ci` in contracts/ (needs Node 20).")
    settings = SETTINGS | {"remappings": (CONTRACTS / "remappings.txt").read_text().split()}
    selection = {"*": {"": ["ast"]}} | {f"{name}.sol": {name: OUTPUTS} for name in NAMES}
    sources = {f"{name}.sol": {"content": (CONTRACTS / f"{name}.sol").read_text()} for name in NAMES}
    try:
        output = solcx.compile_standard(
            {"language": "Solidity", "sources": sources, "settings": settings | {"outputSelection": selection}},
            base_path=CONTRACTS,
            solc_binary=COMPILER,
        )
    except solcx.exceptions.SolcError as error:
        sys.exit(error.message)
    warnings = [note["formattedMessage"] for note in output.get("errors", []) if _is_ours(note)]
    if warnings:
        sys.exit("\n".join(warnings))
    immutables = dict(_immutables(output["sources"]))
    return [Artifact(name, _render(name, output["contracts"][f"{name}.sol"][name], settings, immutables)) for name in NAMES]


def _is_ours(note: dict[str, Any]) -> bool:
    return not note.get("sourceLocation", {}).get("file", "").startswith("node_modules/")


def _render(name: str, compiled: dict[str, Any], settings: dict[str, Any], immutables: dict[str, str]) -> str:
    metadata = json.loads(compiled["metadata"])
    deployed = compiled["evm"]["deployedBytecode"]
    artifact = {
        "contractName": name,
        "abi": compiled["abi"],
        "bytecode": "0x" + compiled["evm"]["bytecode"]["object"],
        "deployedBytecode": "0x" + deployed["object"],
        "immutableReferences": {immutables[key]: places for key, places in deployed["immutableReferences"].items()},
        "storageLayout": _without_ids(compiled["storageLayout"]),
        "solc": metadata["compiler"]["version"],
        "settings": settings,
        "sourceSha256": source_hash(metadata["sources"]),
    }
    return json.dumps(artifact, indent=1, sort_keys=True) + "\n"


def _immutables(sources: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The compiler's id and the qualified name, as `RoundLedger._pool`, of every immutable variable."""
    for source in sources.values():
        for contract in source["ast"]["nodes"]:
            for member in contract.get("nodes", []):
                if member.get("mutability") == "immutable":
                    yield str(member["id"]), f"{contract['name']}.{member['name']}"


def _without_ids(layout: Any) -> Any:
    if isinstance(layout, dict):
        return {_without_ids(key): _without_ids(value) for key, value in layout.items() if key != "astId"}
    if isinstance(layout, list):
        return [_without_ids(value) for value in layout]
    return _DECLARATION_ID.sub(r"\1", layout) if isinstance(layout, str) else layout


def source_hash(paths: Iterable[str]) -> str:
    """SHA-256 over path, zero byte and SHA-256 of the content of each source below `contracts/`, by path."""
    whole = hashlib.sha256()
    for path in sorted(paths):
        whole.update(path.encode() + b"\0" + hashlib.sha256((CONTRACTS / path).read_bytes()).digest())
    return whole.hexdigest()


def main(argv: list[str] | None = None) -> int:
    """Write the artifacts, or with `--check` compare them; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ledger.build", description="Compile the contracts.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when an artifact is out of date")
    check: bool = parser.parse_args(argv).check
    artifacts = compile_contracts()
    if not check:
        ARTIFACTS.mkdir(exist_ok=True)
        for artifact in artifacts:
            artifact.path.write_bytes(artifact.text.encode())
        return 0
    stale = [a.name for a in artifacts if not a.path.exists() or a.path.read_bytes() != a.text.encode()]
    for name in stale:
        print(f"contracts/artifacts/{name}.json differs from its sources: `make contracts` rebuilds it.", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
