"""`fairshare scorer`: replay rounds from their evidence, and sign those that replay.

Whatever is heavy (torch, web3) is imported by the command that needs it.
"""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from aggregator.scorer.acting import claim, dispute, expel, propose, prove
from aggregator.scorer.errors import REFUSALS
from aggregator.scorer.options import ChainId, Directory, From, Home, Ledger, Round, RpcUrl, ends_well, failed, gathering_from
from protocol.options import Json, PassphraseFile
from protocol.terminal import emit, note, table, working

app = typer.Typer(no_args_is_help=True, help="A scorer: replay rounds from their evidence, and sign those that replay.")


@app.command()
@ends_well
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
@ends_well
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

    with gathering_from(home, sources, ledger, rpc_url, chain_id, passphrase_file) as gathering:
        try:
            with working(f"replaying round {number}", as_json):
                verified = replayed(gathering.ledger, gathering.blobs, number, gathering.claimed(number), quick)
        except REFUSALS as refusal:
            failed(number, refusal, as_json)

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
@ends_well
def attest(
    number: Round, sources: From = None, home: Home = Path(), passphrase_file: PassphraseFile = None, as_json: Json = False
) -> None:
    """Replay a closed round, sign its outcome, and hand the signature to the aggregator and the other scorers.

    Exit code 61, and no signature, if the round does not replay.

    Example: fairshare scorer attest 3 --home ./scorer
    """
    from aggregator.scorer.attesting import Attesting

    with gathering_from(home, sources, None, None, None, passphrase_file) as gathering:
        try:
            with working(f"replaying round {number}", as_json):
                signature, told = Attesting(gathering).attest(number)
        except REFUSALS as refusal:
            failed(number, refusal, as_json)
    result = {"round": number, "result": "PASS", "signature": "0x" + signature.hex(), "told": list(told)}
    emit(result, as_json, lambda: print(f"signed round {number}; told {', '.join(told) or 'nobody: no mirror could be reached'}"))


@app.command()
@ends_well
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


for _command in (propose, prove, dispute, expel, claim):
    app.command()(_command)
