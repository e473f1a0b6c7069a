"""Bonds as the NodeRegistry keeps them, and what proofs and disputes left owed."""

from typing import NamedTuple

from web3 import Web3

from ledger.artifacts import ContractName
from ledger.client import LedgerClient
from ledger.contracts import contract_at
from ledger.reverts import chain_errors


class Bond(NamedTuple):
    """`amount` in wei; `free_at` in unix seconds, zero unless it unbonds."""

    amount: int
    free_at: int


class Bonds:
    """What the registry of a federation says. Every method raises `ChainUnavailable` if nobody answers."""

    def __init__(self, ledger: LedgerClient) -> None:
        self._ledger = ledger
        self._functions = contract_at(ledger.web3, ledger.registry_address, ContractName.REGISTRY).functions

    def of(self, account: str) -> Bond:
        """The bond of an aggregator or scorer."""
        with chain_errors(f"read the bond of {account}"):
            return Bond(*map(int, self._functions.bondOf(Web3.to_checksum_address(account)).call()))

    def missing(self, account: str) -> int:
        """What an aggregator or scorer has to put down for its bond to count, in wei."""
        with chain_errors("read what bonds there must be"):
            kind = self._functions.aggregatorBond if self._ledger.is_aggregator(account) else self._functions.scorerBond
            return max(0, int(kind().call()) - self.of(account).amount)

    def owed(self, account: str) -> int:
        """What proofs and disputes left owed to an account, in wei; `collect` sends it."""
        with chain_errors(f"read what is owed to {account}"):
            return int(self._functions.owed(Web3.to_checksum_address(account)).call())
