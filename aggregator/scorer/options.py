"""What the commands of `fairshare scorer` have in common: their options, what they work with, and how a refusal ends them."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from aggregator.scorer.errors import FAILED, SCORER_EXIT_CODES
from protocol.terminal import emit, expecting, plain

if TYPE_CHECKING:
    from aggregator.scorer.gathering import Gathering

Home = Annotated[
    Path, typer.Option("--home", envvar="FAIRSHARE_SCORER_HOME", file_okay=False, help="The scorer's directory; default: here.")
]
Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The scorer's directory.", file_okay=False)]
Round = Annotated[int, typer.Argument(metavar="ROUND", min=1, help="Number of the round.")]
From = Annotated[
    list[str] | None,
    typer.Option("--from", metavar="URL|DIR", help="Where evidence is had from; default: the mirrors of scorer.toml."),
]
RpcUrl = Annotated[
    str | None,
    typer.Option(envvar="FAIRSHARE_RPC_URL", help="Nodes of the chain, separated by commas; default: the local chain."),
]
ChainId = Annotated[int | None, typer.Option(min=1, help="Id that the chain must have; default: the local chain's.")]
Ledger = Annotated[str | None, typer.Option(metavar="ADDRESS", help="The federation's RoundLedger.")]

ends_well = expecting(SCORER_EXIT_CODES)


def failed(number: int, refusal: Exception, as_json: bool) -> NoReturn:
    """Tell that a round does not replay, and end with its exit code."""
    result = {"round": number, "result": "FAIL", "where": getattr(refusal, "where", None), "sentence": str(refusal)}
    emit(result, as_json, lambda: print(plain(f"FAIL  round {number}: {refusal}")))
    sys.exit(FAILED)


@contextmanager
def gathering_from(
    home: Path,
    sources: list[str] | None,
    ledger: str | None,
    rpc_url: str | None,
    chain_id: int | None,
    passphrase_file: Path | None,
) -> Iterator["Gathering"]:
    """The chain and the sources that a command works with."""
    from aggregator.scorer.gathering import gather
    from aggregator.scorer.home import ScorerHome, ScorerSettings
    from ledger.places import LOCAL_CHAIN_ID, LOCAL_RPC_URL
    from ledger.wallet import Wallet, read_passphrase

    with ExitStack() as stack:
        place = ScorerHome(home)
        if ledger is None:
            settings, blobs = place.settings(), place.blobs_directory
        else:
            url, chain = rpc_url or LOCAL_RPC_URL, chain_id or LOCAL_CHAIN_ID
            settings = ScorerSettings(ledger=ledger, rpc_url=url, chain_id=chain)
            blobs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fairshare-verify-")))
        places = list(sources or settings.mirrors)
        account = None
        if place.key.exists() and (sources is None or any("://" in each for each in places)):
            account = Wallet.open(place.key).unlock(read_passphrase(f"the key {place.key}", passphrase_file))
        yield stack.enter_context(gather(place, settings, places, blobs, account))
