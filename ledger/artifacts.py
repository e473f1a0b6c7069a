"""The compiled contracts, read from the package data that `ledger.build` wrote. Nothing here compiles.

They are the only source of ABIs and of bytecode: whoever calls, deploys or checks a contract starts from an `Artifact`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple


class ContractName(StrEnum):
    """The contracts of a federation, in the order in which they are deployed."""

    TOKEN = "ContributionToken"  # noqa: S105 since it is no password
    REGISTRY = "NodeRegistry"
    COURT = "Court"
    LEDGER = "RoundLedger"


class Span(NamedTuple):
    """`length` bytes of the runtime code from `start` on, where the constructor puts the value of an immutable."""

    start: int
    length: int


@dataclass(frozen=True)
class Artifact:
    """One compiled contract.

    `bytecode` is what creates it (constructor arguments follow), `runtime` what then lies at its address, with zeros in
    the place of the immutables.
    """

    name: ContractName
    abi: tuple[Mapping[str, Any], ...]
    bytecode: bytes
    runtime: bytes
    immutables: tuple[Span, ...]

    def masked(self, code: bytes) -> bytes:
        """`code` with zeros where this contract has immutables: equal to the masked `runtime` if it is this contract."""
        blank = bytearray(code)
        for start, length in self.immutables:
            blank[start : start + length] = bytes(len(blank[start : start + length]))
        return bytes(blank)


@cache
def load_artifact(name: ContractName) -> Artifact:
    """Read a contract's artifact from the package data."""
    parsed = json.loads(files("contracts.artifacts").joinpath(f"{name}.json").read_text())
    return Artifact(
        name=name,
        abi=tuple(parsed["abi"]),
        bytecode=bytes.fromhex(parsed["bytecode"][2:]),
        runtime=bytes.fromhex(parsed["deployedBytecode"][2:]),
        immutables=tuple(
            Span(place["start"], place["length"]) for places in parsed["immutableReferences"].values() for place in places
        ),
    )
