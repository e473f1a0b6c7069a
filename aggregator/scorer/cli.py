"""`fairshare scorer`: replay rounds from their evidence, and sign those that replay.

Whatever is heavy (torch, web3) is imported by the command that needs it.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from aggregator.scorer.errors import FAILED, REFUSALS, SCORER_EXIT_CODES
from protocol.terminal import emit, expecting, note, plain, table, working

if TYPE_CHECKING:
    from aggregator.scorer.gathering import Gathering

app = typer.Typer(no_args_is_help=True, help="A scorer: replay rounds from their evidence, and sign those that replay.")

Home = Annotated[
    Path, typer.Option("--home", envvar="FAIRSHARE_SCORER_HOME", file_okay=False, help="The scorer's directory; default: here.")
]
Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The scorer's directory.", file_okay=False)]
Round = Annotated[int, typer.Argument(metavar="ROUND", min=1, help="Number of the round.")]
From = Annotated[
    list[str] | None,
    typer.Option("--from", metavar="URL|DIR", help="Where evidence is had from; default: the mirrors of scorer.toml."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
PassphraseFile = Annotated[
    Path | None, typer.Option(help="File with the keystore's passphrase; else FAIRSHARE_PASSPHRASE_FILE, or a prompt.")
]
RpcUrl = Annotated[
    str | None,
    typer.Option(envvar="FAIRSHARE_RPC_URL", help="Nodes of the chain, separated by commas; default: the local chain."),
]
ChainId = Annotated[int | None, typer.Option(min=1, help="Id that the chain must have; default: the local chain's.")]
Ledger = Annotated[str | None, typer.Option(metavar="ADDRESS", help="The federation's RoundLedger.")]

_expecting = expecting(SCORER_EXIT_CODES)


@app.command()
@_expecting
def init(
    directory: Directory,
    ledger: Ledger = None,
    mirror: Annotated[list[str] | None, typer.Option(metavar="URL", help="The aggregator, then other scorers.")] = None,
    rpc_url: RpcUrl = None,
    chain_id: ChainId = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Make the scorer's directory: its key and scorer.toml. The address is printed for the federation's founder or admin.

    May be repeated: the key is never touched, and what is not given again stays as it was. The key can be made first, and
    --ledger given once the federation is deployed.

    Example: fairshare scorer init ./scorer --ledger 0x… --mirror http://aggregator:8700
    """
    from aggregator.scorer.home import ScorerHome, ScorerSettings
    from ledger.places import LOCAL_CHAIN_ID, LOCAL_RPC_URL
    from ledger.wallet import Wallet, read_passphrase

    home = ScorerHome(directory)
    if home.key.exists():
        wallet = Wallet.open(home.key)
    else:
        wallet = Wallet.create(home.key, read_passphrase(f"the key in {directory / 'keys'}", passphrase_file, confirm=True))
    given = {"ledger": ledger, "mirrors": mirror, "rpc_url": rpc_url, "chain_id": chain_id}
    wished = {key: value for key, value in given.items() if value is not None}
    if home.settings_file.exists():
        before = home.settings().model_dump()
    else:
        before = {"rpc_url": LOCAL_RPC_URL, "chain_id": LOCAL_CHAIN_ID}
    ready = "ledger" in {**before, **wished}
    if ready:
        home.write_settings(ScorerSettings(**{**before, **wished}))

    def show() -> None:
        print(f"scorer {wallet.address} in {directory}")
        note("Next: the founder names it (`fairshare aggregator init … --scorer ADDRESS`), or the admin announces it.")
        if not ready:
            note(f"Then: `fairshare scorer init {directory} --ledger ADDRESS --mirror URL`")

    emit({"scorer": wallet.address, "ready": ready}, as_json, show)


@app.command()
@_expecting
def verify(
    number: Round,
    sources: From = None,
    quick: Annotated[
        int | None, typer.Option(min=1, metavar="K", help="Recompute K leaves drawn now instead of all; hashes are all checked.")
    ] = None,
    home: Home = Path(),
    ledger: Ledger = None,
    rpc_url: RpcUrl = None,
    chain_id: ChainId = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Replay a round and say PASS, or FAIL with the first leaf that differs and both values. Runs the task's code.

    Nothing but the chain is trusted. With --ledger no scorer directory is needed; a URL gives it to scorers only, whose
    requests are signed for the mirrors of scorer.toml alone: anyone else could pass them on.
    Exit code 0: PASS. 61: FAIL. Others: it could not be told.

    Example: fairshare scorer verify 3 --from http://aggregator:8700 --home ./scorer
    """
    from aggregator.scorer.verify import verify as replayed

    with _gathering(home, sources, ledger, rpc_url, chain_id, passphrase_file) as gathering:
        try:
            with working(f"replaying round {number}", as_json):
                verified = replayed(gathering.ledger, gathering.blobs, number, gathering.claimed(number), quick)
        except REFUSALS as refusal:
            _failed(number, refusal, as_json)

    def show() -> None:
        print(f"PASS  round {number}, evidence 0x{verified.evidence.header.root().hex()}")
        table(("figure", "largest difference", "tolerance"), [(name, *margin) for name, margin in verified.margins.items()])
        if verified.drawn:
            print("recomputed: " + ", ".join(verified.drawn))

    result = {
        "round": number,
        "result": "PASS",
        "evidence_root": "0x" + verified.evidence.header.root().hex(),
        "leaves": len(verified.evidence.leaves),
        "margins": {name: {"largest": str(m.largest), "tolerance": str(m.tolerance)} for name, m in verified.margins.items()},
        "recomputed": list(verified.drawn),
    }
    emit(result, as_json, show)


@app.command()
@_expecting
def attest(
    number: Round, sources: From = None, home: Home = Path(), passphrase_file: PassphraseFile = None, as_json: Json = False
) -> None:
    """Replay a closed round, sign its outcome, and hand the signature to the aggregator and the other scorers.

    Exit code 61, and no signature, if the round does not replay.

    Example: fairshare scorer attest 3 --home ./scorer
    """
    from aggregator.scorer.attesting import Attesting

    with _gathering(home, sources, None, None, None, passphrase_file) as gathering:
        try:
            with working(f"replaying round {number}", as_json):
                signature, told = Attesting(gathering).attest(number)
        except REFUSALS as refusal:
            _failed(number, refusal, as_json)
    result = {"round": number, "result": "PASS", "signature": "0x" + signature.hex(), "told": list(told)}
    emit(result, as_json, lambda: print(f"signed round {number}; told {', '.join(told) or 'nobody: no mirror could be reached'}"))


@app.command()
@_expecting
def serve(
    directory: Directory,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Follow the chain unattended: replay, attest, mirror, and take bodies that the aggregator refused. Until Ctrl-C.

    Killed at any point, it goes on where it was when started again. Options go before scorer.toml and its
    FAIRSHARE_SCORER_ variables.

    Example: fairshare scorer serve ./scorer --port 8710
    """
    from aggregator.scorer.gathering import gather
    from aggregator.scorer.home import ScorerHome
    from aggregator.scorer.serve import run
    from ledger.wallet import Wallet, read_passphrase

    home = ScorerHome(directory)
    wished = {key: value for key, value in {"port": port, "host": host}.items() if value is not None}
    settings = home.settings().model_copy(update=wished)
    wallet, passphrase = Wallet.open(home.key), read_passphrase(f"the key {home.key}", passphrase_file)
    with ExitStack() as starting:
        starting.enter_context(working("unlocking the key, checking the contracts", as_json))

        def announce(url: str) -> None:
            starting.close()
            emit({"url": url}, as_json, lambda: print(f"scorer {wallet.address} serving at {url}; Ctrl-C stops it"))
            sys.stdout.flush()

        account = wallet.unlock(passphrase)
        with gather(home, settings, settings.mirrors, home.blobs_directory, account) as gathering:
            run(gathering, announce)


@app.command()
@_expecting
def propose(
    number: Round, sources: From = None, home: Home = Path(), passphrase_file: PassphraseFile = None, as_json: Json = False
) -> None:
    """Propose a closed round that a quorum of scorers attested, should the aggregator not do it. The scorer's key pays the gas.

    Example: fairshare scorer propose 3 --home ./scorer
    """
    from aggregator.scorer.proposing import propose as proposed

    with (
        _gathering(home, sources, None, None, None, passphrase_file) as gathering,
        working(f"gathering signatures, and proposing round {number}", as_json),
    ):
        mined = proposed(gathering, number)
    result = {"round": number, "block": mined.block, "gas": mined.gas_used}
    emit(result, as_json, lambda: print(f"round {number} is proposed (block {mined.block}, gas {mined.gas_used})"))


@app.command()
@_expecting
def prove(
    number: Round, sources: From = None, home: Home = Path(), passphrase_file: PassphraseFile = None, as_json: Json = False
) -> None:
    """Find the faults of a round that the chain judges alone, and have it judge the first. Costs gas, no bond, no waiting.

    The aggregator loses its bond, the round becomes Void unless it is Final. Exit code 0 also if there is no such fault.

    Example: fairshare scorer prove 3 --home ./scorer
    """
    from aggregator.scorer.court import faults_of
    from aggregator.scorer.court import prove as proved

    with (
        _gathering(home, sources, None, None, None, passphrase_file) as gathering,
        working(f"looking for faults in round {number}", as_json),
    ):
        faults = faults_of(gathering, number)
        judged = proved(gathering, number, faults[0]) if faults else None
    listed = [{"fault": fault.name, "sentence": fault.sentence} for fault in faults]
    proof = {"proved": judged.fault.name, "block": judged.mined.block} if judged else {"proved": None}

    def show() -> None:
        table(("fault", "what is wrong"), [(fault.name, fault.sentence) for fault in faults])
        print(
            f"proved: {judged.fault.name} (block {judged.mined.block})" if judged else "nothing is provable; see verify, dispute"
        )

    emit({"round": number, "faults": listed, **proof}, as_json, show)


@app.command()
@_expecting
def dispute(
    number: Round,
    leaf: Annotated[
        str | None, typer.Option(metavar="KIND/POSITION", help="The leaf, as in utility/5; default: the one that verify names.")
    ] = None,
    sources: From = None,
    home: Home = Path(),
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Put the dispute bond on a leaf of a proposed round being wrong; the scorers recompute it, and vote.

    Without --leaf the round is replayed first. The bond comes back if the dispute is upheld, and is lost if it is dismissed.

    Example: fairshare scorer dispute 3 --leaf utility/5 --home ./scorer
    """
    from aggregator.scorer.court import dispute as disputed
    from aggregator.scorer.court import disputed_leaf
    from ledger.amounts import show_amount
    from ledger.disputes import Disputes

    with _gathering(home, sources, None, None, None, passphrase_file) as gathering:
        with working(f"replaying round {number}", as_json):
            kind, position = disputed_leaf(gathering, number, leaf)
        with working("filing the dispute, and waiting until it is mined", as_json):
            bond = Disputes(gathering.ledger).bond()
            mined = disputed(gathering, number, kind, position, bond)
    named = f"{kind.name.lower()}/{position}"
    result = {"round": number, "leaf": named, "bond": str(bond), "block": mined.block}
    emit(result, as_json, lambda: print(f"disputed {named} of round {number} with a bond of {show_amount(bond)} coin"))


@app.command()
@_expecting
def claim(home: Home = Path(), passphrase_file: PassphraseFile = None, as_json: Json = False) -> None:
    """Claim the scorer's part of all Final rounds that it attested to. The tokens go to the scorer's own address.

    Example: fairshare scorer claim --home ./scorer
    """
    from ledger.rewards import scorer_rounds

    with _gathering(home, None, None, None, None, passphrase_file) as gathering:
        assert gathering.account is not None, "claiming needs the scorer's key"
        ledger, scorer = gathering.ledger, str(gathering.account.address)
        with working("reading every round from the chain", as_json):
            numbers, before = scorer_rounds(ledger, scorer), ledger.balance(scorer)
        if numbers:
            gathering.send("claim", ledger.claim_scorer(scorer, numbers))
        claimed = ledger.balance(scorer) - before
    told = f"claimed the rewards of {len(numbers)} round(s)" if claimed else "nothing to claim"
    emit({"scorer": scorer, "rounds": list(numbers), "claimed": str(claimed)}, as_json, lambda: print(told))


def _failed(number: int, refusal: Exception, as_json: bool) -> NoReturn:
    result = {"round": number, "result": "FAIL", "where": getattr(refusal, "where", None), "sentence": str(refusal)}
    emit(result, as_json, lambda: print(plain(f"FAIL  round {number}: {refusal}")))
    sys.exit(FAILED)


@contextmanager
def _gathering(
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
