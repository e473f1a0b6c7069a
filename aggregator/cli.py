"""`fairshare aggregator`: found a federation, lead its rounds, see where they stand.

Everything heavy (torch, web3, the web server) is imported where it is used, so that `--help` answers at once.
"""

from pathlib import Path
from typing import Annotated

import typer

from aggregator.errors import AGGREGATOR_EXIT_CODES
from learning.errors import LEARNING_EXIT_CODES
from ledger.errors import LEDGER_EXIT_CODES
from protocol.options import Json, PassphraseFile
from protocol.terminal import emit, expecting, note, plain, table, working

app = typer.Typer(no_args_is_help=True, help="The aggregator: found a federation, lead its rounds, see where they stand.")

Directory = Annotated[Path, typer.Argument(help="The federation directory.", file_okay=False)]

_expecting = expecting(AGGREGATOR_EXIT_CODES, LEARNING_EXIT_CODES, LEDGER_EXIT_CODES)


@app.command()
@_expecting
def init(
    directory: Directory,
    task: Annotated[
        str | None,
        typer.Option(help="digits, fashion-mnist, tabular, path/to/file.py:Name or package:Name; needed the first time."),
    ] = None,
    data: Annotated[str | None, typer.Option(metavar="FILE", help="With tabular: CSV or Parquet file to learn from.")] = None,
    label: Annotated[str | None, typer.Option(metavar="COLUMN", help="With tabular: the column to predict.")] = None,
    name: Annotated[str | None, typer.Option(help="What the federation is called.")] = None,
    evaluation: Annotated[
        str | None, typer.Option(help="Data source that rounds are evaluated on, as the task names it; default: evaluation.")
    ] = None,
    root: Annotated[str | None, typer.Option(help="Data source of the aggregator's own clean data; default: root.")] = None,
    scorer: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="A scorer beside our own: 3, 6, 9 … of them; default: none.")
    ] = None,
    rpc_url: Annotated[
        str | None, typer.Option(envvar="FAIRSHARE_RPC_URL", help="Nodes of the chain, separated by commas.")
    ] = None,
    chain_id: Annotated[int | None, typer.Option(min=1, help="Id that the chain must have; default: the local chain's.")] = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Make a federation directory: config, keys, and what goes on chain. Runs the task's code.

    Edit federation.toml and run it again, without options, to take the changes over; keys are never touched. Once the federation
    is deployed, this checks and stores new terms, which `fairshare ledger announce` then announces.

    Example: fairshare aggregator init ./federation --task digits
    """
    from aggregator.founding import Wishes, found
    from aggregator.home import KEYS, AggregatorHome
    from ledger.wallet import read_passphrase

    home = AggregatorHome(directory)
    new = not all(home.key(key).exists() for key in KEYS)
    purpose = f"the keys in {directory / 'keys'}"
    passphrase = read_passphrase(purpose, passphrase_file, confirm=True) if new else ""
    scorers = tuple(scorer) if scorer else None
    with working("making keys, and trying the task out on the data", quiet=as_json):
        founded = found(home, Wishes(task, name, evaluation, root, rpc_url, chain_id, data, label, scorers), passphrase)
    file, offered = founded.file, founded.terms or founded.file

    def show() -> None:
        print(plain(f"{founded.config.federation.name!r} is founded in {directory}"))
        hashes = (("config", offered.config_hash), ("task", offered.task_hash), ("model", file.genesis_model))
        table(("", "goes on chain"), [(what, "0x" + value.hex()) for what, value in hashes])
        if founded.terms is not None:
            note(
                f"The federation is deployed. If these are to be its terms: `fairshare ledger announce --federation {directory}`"
            )
            return
        keys = (("operator", file.operator), ("aggregator", file.aggregator), *(("scorer", s) for s in file.scorers))
        table(("key", "address"), keys)
        note(f"Read {home.federation_file} and edit it before it is deployed; then run this command again.")
        note(f"Next: give operator and aggregator coin for gas, then `fairshare ledger deploy {directory}`")

    result = {
        "name": founded.config.federation.name,
        **file.model_dump(mode="json", exclude={"schema_version"}),
        **offered.model_dump(mode="json", include={"config_hash", "task_hash"}),
        "evaluation_samples": founded.samples,
        "root_samples": founded.root_samples,
    }
    emit(result, as_json, show)


@app.command()
@_expecting
def calibrate(
    directory: Directory,
    federations: Annotated[
        int, typer.Option(min=2, max=1000, help="Federations to simulate under each attack; more of them, surer figures.")
    ] = 3,
    as_json: Json = False,
) -> None:
    """Fit the gate to your own task and data, before the deployment. Runs the task's code; minutes for a small model.

    Simulates honest and attacked federations from the evaluation and root data of `init`, fits weights and thresholds, and
    writes them into [gate] of federation.toml. Ctrl-C leaves everything as it was.

    Example: fairshare aggregator calibrate ./federation
    """
    from rich.console import Console
    from rich.progress import Progress

    from aggregator.calibration.calibrate import Step
    from aggregator.calibration.calibrate import calibrate as fit_gate
    from aggregator.calibration.report import as_object, as_rows, as_text, caveats
    from aggregator.home import AggregatorHome

    home = AggregatorHome(directory)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("simulating")

        def show_step(step: Step) -> None:
            progress.update(bar, completed=step.done, total=step.total, description=f"simulating {step.scenario.attack}")

        found = fit_gate(home, federations, show_step)

    def show() -> None:
        table(("attack", "detected", "95 % interval"), as_rows(found), title="Expected, per round and attacking node")
        for line in as_text(found):
            print(line)
        for caveat in caveats(found):
            note(caveat)
        note(f"{home.federation_file} holds the new weights. Next: `fairshare ledger deploy {directory}`")

    emit(as_object(found), as_json, show)


@app.command()
@_expecting
def serve(
    directory: Directory,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    rpc_url: Annotated[str | None, typer.Option(help="Nodes of the chain, separated by commas.")] = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Lead rounds and serve the API until Ctrl-C. Killed at any point, it goes on where it was when started again.

    Options go before aggregator.toml and its FAIRSHARE_AGGREGATOR_ variables.

    Example: fairshare aggregator serve ./federation --port 8700
    """
    import sys
    from contextlib import ExitStack

    from aggregator.home import AggregatorHome
    from aggregator.service.server import run
    from ledger.wallet import read_passphrase

    home = AggregatorHome(directory)
    wished = {"port": port, "host": host, "rpc_url": rpc_url}
    settings = home.settings().model_copy(update={key: value for key, value in wished.items() if value is not None})
    home.deployment(settings.chain_id)
    passphrase = read_passphrase(f"the keys in {directory / 'keys'}", passphrase_file)

    with ExitStack() as starting:
        starting.enter_context(working("checking the contracts, unlocking the keys", quiet=as_json))

        def announce(url: str) -> None:
            starting.close()
            emit({"url": url}, as_json, lambda: print(f"serving at {url} (API: {url}/docs); Ctrl-C stops it"))
            sys.stdout.flush()

        run(home, settings, passphrase, announce)


@app.command()
@_expecting
def status(directory: Directory, as_json: Json = False) -> None:
    """Show the rounds, and what the last one waits for. Asks the database, whether or not the service runs.

    Example: fairshare aggregator status ./federation
    """
    from aggregator.home import AggregatorHome
    from aggregator.service.status import status_of

    found = status_of(AggregatorHome(directory))

    def show() -> None:
        print(f"serving at {found.url} (process {found.pid})" if found.url else "not serving: `fairshare aggregator serve`")
        columns = ("round", "phase", "commits", "bodies", "accuracy", "reason")
        table(columns, [(r.round, r.phase, r.commits, r.bodies, r.shown_accuracy, r.reason or "") for r in found.rounds])
        if found.events:
            rows = [(e.block, e.name, *("" if n is None else n for n in (e.round, e.node))) for e in found.events]
            table(("block", "last on chain", "round", "node"), rows)
        print(found.waiting)
        for told in filter(None, (found.announced, found.lacking)):
            note(told)

    emit(found.to_json(), as_json, show)
