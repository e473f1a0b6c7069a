"""The three contracts as web3 objects over their artifacts' ABIs, and the check that they are what lies at an address."""

from web3 import Web3
from web3.contract import Contract

from ledger.artifacts import Artifact, ContractName, load_artifact
from ledger.errors import DeploymentMismatch


def verify_code(web3: Web3, address: str, artifact: Artifact) -> None:
    """Raise `DeploymentMismatch` unless the code at `address` is the artifact's, whatever its immutables hold."""
    code = bytes(web3.eth.get_code(Web3.to_checksum_address(address)))
    if not code:
        raise DeploymentMismatch(artifact.name, address, "there is no contract")
    if Web3.keccak(artifact.masked(code)) != Web3.keccak(artifact.masked(artifact.runtime)):
        raise DeploymentMismatch(artifact.name, address, "its code differs from the artifact's")


def contract_at(web3: Web3, address: str, name: ContractName) -> Contract:
    """The contract at `address`, after `verify_code`. Structs come as named tuples with the ABI's names."""
    artifact = load_artifact(name)
    verify_code(web3, address, artifact)
    return web3.eth.contract(address=Web3.to_checksum_address(address), abi=artifact.abi, decode_tuples=True)


def creation_code(name: ContractName, *arguments: object) -> bytes:
    """What a transaction without recipient carries to create the contract: its bytecode and constructor arguments."""
    artifact = load_artifact(name)
    unplaced = Web3().eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    return Web3.to_bytes(hexstr=unplaced.constructor(*arguments).data_in_transaction)
