"""Where a command finds its federation: what a person names, completed from the federation directory and by defaults."""

from pathlib import Path
from typing import NamedTuple

from eth_utils.address import is_address, is_checksum_address, is_checksum_formatted_address, to_checksum_address
from pydantic_settings import SettingsConfigDict

from ledger.deployment import Deployment, deployment_path, read_deployment
from ledger.errors import WrongChain
from protocol.errors import FormatError
from protocol.settings import LocalSettings

LOCAL_RPC_URL = "http://127.0.0.1:8545"
LOCAL_CHAIN_ID = 31337


class ChainSettings(LocalSettings):
    """Where a chain answers, and which one it must be. The aggregator's settings name it, in its file and
    its environment variables; whatever else they say is not for us.
    """

    model_config = SettingsConfigDict(env_prefix="FAIRSHARE_AGGREGATOR_", extra="ignore", frozen=True)

    rpc_url: str = LOCAL_RPC_URL
    chain_id: int = LOCAL_CHAIN_ID


class Place(NamedTuple):
    """A federation: its chain and the address of its RoundLedger."""

    chain: ChainSettings
    ledger: str


def find_chain(directory: Path | None, rpc_url: str | None, chain_id: int | None) -> ChainSettings:
    """What is named counts, then the settings of the federation directory's aggregator, then the local chain.

    Raises `FormatError` if `aggregator.toml` cannot be read.
    """
    path = directory / "aggregator.toml" if directory else None
    settings = ChainSettings.read(path) if path and path.exists() else ChainSettings()
    return ChainSettings.model_construct(rpc_url=rpc_url or settings.rpc_url, chain_id=chain_id or settings.chain_id)


def find_deployment(directory: Path, chain_id: int) -> Deployment:
    """The deployment of a federation directory on a chain.

    Raises `DeploymentMissing`, `FormatError`, or `WrongChain` if the file is about another chain than its name says.
    """
    path = deployment_path(directory, chain_id)
    deployment = read_deployment(path)
    if deployment.chain_id != chain_id:
        raise WrongChain(str(path), expected=chain_id, found=deployment.chain_id)
    return deployment


def find_place(directory: Path | None, ledger: str | None, rpc_url: str | None, chain_id: int | None) -> Place:
    """A federation named by its directory, or by its ledger's address.

    Raises `FormatError` unless exactly one is named, and what `find_chain` and `find_deployment` raise.
    """
    chain = find_chain(directory, rpc_url, chain_id)
    if directory is not None and ledger is None:
        return Place(chain, find_deployment(directory, chain.chain_id).ledger)
    if ledger is not None and directory is None:
        return Place(chain, read_address(ledger))
    raise FormatError("name the federation, either by --federation DIRECTORY or by --ledger ADDRESS")


def read_address(text: str) -> str:
    """An address as a person writes it, checksummed. Raises `FormatError` if it is none, or its checksum is wrong."""
    if not is_address(text) or (is_checksum_formatted_address(text) and not is_checksum_address(text)):
        raise FormatError(
            f"{text!r} is not an address: give 0x and 40 hexadecimal digits, with the right checksum if in mixed case"
        )
    return to_checksum_address(text)
