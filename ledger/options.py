"""What the commands of `fairshare ledger` have in common: their options, and opening a federation's contracts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ledger.client import LedgerClient

RpcUrl = Annotated[
    str | None,
    typer.Option(envvar="FAIRSHARE_RPC_URL", help="Nodes of the chain, separated by commas; else as in aggregator.toml."),
]
ChainId = Annotated[
    int | None, typer.Option(min=1, help="Id that the chain must have; else as in aggregator.toml, else the local chain's.")
]
Federation = Annotated[
    Path | None, typer.Option(exists=True, file_okay=False, help="Federation directory; its deployment names the ledger.")
]
Ledger = Annotated[str | None, typer.Option(help="Address of the RoundLedger, instead of --federation.")]
Key = Annotated[Path, typer.Option(metavar="KEYSTORE", help="Wallet that sends it and pays the gas.")]


def open_client(federation: Path | None, ledger: str | None, rpc_url: str | None, chain_id: int | None) -> "LedgerClient":
    """A federation's contracts, by its directory or its ledger's address. Raises as `find_place` and `LedgerClient.open`."""
    from ledger.client import LedgerClient
    from ledger.places import find_place

    place = find_place(federation, ledger, rpc_url, chain_id)
    return LedgerClient.open(place.chain.rpc_url, place.chain.chain_id, place.ledger)
