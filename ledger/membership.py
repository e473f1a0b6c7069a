"""How nodes come and go: on what terms without an invitation, and when a node came or was expelled, by the registry's events."""

from typing import NamedTuple

from ledger.artifacts import ContractName
from ledger.client import LedgerClient
from ledger.contracts import contract_at
from ledger.events import decode_event, topic_of
from ledger.reverts import chain_errors


class OpenTerms(NamedTuple):
    """What joining without an invitation costs, in wei, and the sample bound that it gives."""

    fee: int
    max_samples: int


def open_terms(ledger: LedgerClient) -> OpenTerms | None:
    """On what terms anybody may join; None where an invitation is needed."""
    functions = contract_at(ledger.web3, ledger.registry_address, ContractName.REGISTRY).functions
    with chain_errors("read the terms of joining"):
        found = OpenTerms(*map(int, functions.openTerms().call()))
    return found if found.max_samples else None


def expelled_for(ledger: LedgerClient, node: int) -> int | None:
    """The round whose evidence a node was last expelled for, None if it never was. Reads the registry's events backwards."""
    found = ledger.logs.backwards(ledger.block().number, (topic_of("NodeExpelled"), node.to_bytes(32, "big")))
    return next((int(decode_event(log).get("round")) for log in found), None)
