"""node.toml: where this node's federation is, and what this node trains on for it."""

from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import NoDecode, SettingsConfigDict

from protocol.settings import LocalSettings


def _listed(value: object) -> object:
    return [url for url in value.split(",") if url] if isinstance(value, str) else value


class NodeSettings(LocalSettings):
    """Ledger and chain id come from the invitation, never from `federation_url`, which is checked against them.

    `data` is the source string of the task's `load`, None for the task's default; `payout` is where rewards go. `scorers` are
    URLs that a body goes to if the aggregator does not take it; in the environment they are separated by commas.
    """

    model_config = SettingsConfigDict(env_prefix="FAIRSHARE_NODE_", extra="forbid", frozen=True)

    federation_url: str
    rpc_url: str
    chain_id: int
    ledger: str
    payout: str
    data: str | None = None
    scorers: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = ()
