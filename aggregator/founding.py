"""`fairshare aggregator init`: fixes what a federation is founded on, and makes the files that say so.

Safe to repeat. Keys and edited files stay as they are; what follows from them (hashes, blobs) is computed again. Once the
contracts are deployed, founding.json is never touched again: another config or task is checked, stored, and written down in
terms.json, for the admin to announce.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from aggregator.assembly import read_data, read_task, write_model, write_task
from aggregator.errors import FoundingFixed, HomeMissing
from aggregator.home import KEYS, AggregatorHome
from aggregator.template import Values, federation_text, settings_text, with_values
from learning.calls import load_data
from learning.data import Data, encode_data
from learning.errors import DataError
from learning.loading import load_task
from learning.parameters import initial_parameters
from learning.recipe import Recipe
from learning.source import TaskSource, read_task_source
from learning.task import Task
from learning.tasks import TABULAR
from learning.training import try_out
from ledger.places import read_address
from ledger.wallet import Wallet
from protocol.config import FederationConfig, parse_config
from protocol.errors import ConfigError
from protocol.files import write_durably
from protocol.founding import FoundingFile, read_founding
from protocol.parameters import Parameters, layout_of
from protocol.terms import TermsFile, changes, read_terms
from protocol.update import body_hash

_MOST_SCORERS = 31

GENESIS_SEED = 0
"""Round 0 ends with the weights that the task's model draws under this seed."""


@dataclass(frozen=True)
class Founding:
    """What was founded, for the terminal. `samples` and `root_samples` count the aggregator's own data. `terms` is what may be
    announced, None before the deployment.
    """

    file: FoundingFile
    terms: TermsFile | None
    config: FederationConfig
    samples: int | None
    root_samples: int | None


@dataclass(frozen=True)
class Wishes:
    """The options of `init`; None leaves what is there, or takes the default the first time.

    `data` and `label` belong to the task `tabular`: the table that its columns are taken from, and the one to predict.
    """

    task: str | None = None
    name: str | None = None
    evaluation: str | None = None
    root: str | None = None
    rpc_url: str | None = None
    chain_id: int | None = None
    data: str | None = None
    label: str | None = None
    scorers: tuple[str, ...] | None = None


def found(home: AggregatorHome, wishes: Wishes, passphrase: str) -> Founding:
    """Write or bring up to date everything in the federation directory.

    Raises `FoundingFixed` if that changes what deployed contracts keep for ever, `ConfigError` for a bad federation.toml, and
    what task, data and wallet raise. Nothing that was there is lost in any case.
    """
    before = read_founding(home.founding_file) if home.founding_file.exists() else None
    if before is None and wishes.task is None:
        raise HomeMissing(home.founding_file)
    home.path.mkdir(parents=True, exist_ok=True)
    blobs = home.blobs()
    deployment = next(iter(home.deployments()), None)
    if before is not None and deployment is not None and wishes.scorers is not None:
        raise FoundingFixed(home.path, "list of scorers", deployment)
    source = _source(home, before, wishes)
    if wishes.task == TABULAR and wishes.root is None:
        wishes = replace(wishes, root=wishes.data)
    config = _config(home, source, wishes)
    task = load_task(source)
    genesis = initial_parameters(task, GENESIS_SEED)
    wallets = {name: _wallet(home, name, passphrase) for name in KEYS}
    file = FoundingFile(
        config_hash=config.sha256(),
        task_hash=write_task(source, blobs),
        genesis_model=write_model(genesis, blobs),
        operator=wallets["operator"].address,
        aggregator=wallets["aggregator"].address,
        scorers=[wallets["scorer"].address, *_others(before, wishes)],
    )
    terms = None
    if before is not None and deployment is not None:
        _check_terms(home, before, genesis, deployment)
        terms, file = TermsFile(config_hash=file.config_hash, task_hash=file.task_hash), before
    blobs.put(config.sha256(), home.federation_file.read_bytes())
    # Another task for a deployed federation goes on with the data that its rounds are evaluated on, unless other is named.
    needed = before is None or (wishes.task is not None and terms is None)
    evaluation = _data(task, wishes.evaluation, "evaluation", needed)
    root = _data(task, wishes.root, "root", needed)
    _check_classes(home, evaluation, root)
    recipe = Recipe.from_config(config.recipe)
    kept = (None, None) if terms is None else _kept(home)
    for data in (evaluation or kept[0], root or kept[1]):
        if data is not None:
            try_out(task, genesis, data, recipe)
    values: dict[str, str | int | list[str]] = {}
    for key, wish in (("rpc_url", wishes.rpc_url), ("chain_id", wishes.chain_id)):
        if wish is not None:
            values[key] = wish
    if evaluation is not None:
        values["shards"] = [_keep(home, evaluation)]
    if root is not None:
        values["root_set"] = _keep(home, root)
    _write_settings(home, values)
    path, written = (home.founding_file, file) if terms is None else (home.terms_file, terms)
    write_durably(path, (written.model_dump_json(indent=2) + "\n").encode())
    return Founding(file, terms, config, None if evaluation is None else len(evaluation), None if root is None else len(root))


def _source(home: AggregatorHome, before: FoundingFile | None, wishes: Wishes) -> TaskSource:
    if wishes.task == TABULAR and wishes.data and wishes.label:
        return read_task_source(_tabular(home, Path(wishes.data), wishes.label))
    if wishes.data or wishes.label:
        raise ConfigError(f"--data and --label go together, and with --task {TABULAR} alone; give all three or none")
    if wishes.task is not None:
        return read_task_source(wishes.task)
    assert before is not None
    standing = read_terms(home.terms_file) if home.terms_file.exists() else before
    return read_task(standing.task_hash, home.blobs())


def _tabular(home: AggregatorHome, table: Path, label: str) -> str:
    """Write the task of a table into the federation directory; its name as --task takes it."""
    from learning.columns import TABULAR_CLASS, TABULAR_FILE, tabular_task  # scikit-learn, which other tasks may not need

    file = home.path / TABULAR_FILE
    name = f"{file}:{TABULAR_CLASS}"
    text = tabular_task(table, label)
    if not file.exists():
        write_durably(file, text.encode())
    elif file.read_text() != text:
        raise ConfigError(
            f"{file} was edited, or is of another table, and is not overwritten: found on it by --task {name}, or delete it"
        )
    return name


def _config(home: AggregatorHome, source: TaskSource, wishes: Wishes) -> FederationConfig:
    if not home.federation_file.exists():
        name = wishes.name or f"{source.entry} federation"
        write_durably(home.federation_file, federation_text(name, source.entry).encode())
    config = parse_config(home.federation_file.read_text())
    if wishes.name is not None and config.federation.name != wishes.name:
        raise ConfigError(f"{home.federation_file} names the federation {config.federation.name!r}: edit it there")
    if config.federation.task != source.entry:
        raise ConfigError(
            f"{home.federation_file} names the task {config.federation.task!r}, but the task's source has {source.entry!r}: "
            "edit `task` there, or give another --task"
        )
    return config


def _wallet(home: AggregatorHome, name: str, passphrase: str) -> Wallet:
    path = home.key(name)
    return Wallet.open(path) if path.exists() else Wallet.create(path, passphrase)


def _others(before: FoundingFile | None, wishes: Wishes) -> list[str]:
    """The scorers beside our own. A quorum is 2f + 1 of 3f + 1, so there is no other number."""
    others = before.scorers[1:] if wishes.scorers is None and before is not None else list(wishes.scorers or ())
    if len(others) % 3 or len(others) > _MOST_SCORERS - 1 or len({*others}) != len(others):
        raise ConfigError(
            f"{len(others)} scorers beside the aggregator's own: name 3, 6, 9 … {_MOST_SCORERS - 1} others, each once, so that "
            "there are 3f + 1 of which f may be faulty, or none"
        )
    return [read_address(other) for other in others]


def _check_terms(home: AggregatorHome, before: FoundingFile, model: Parameters, deployment: Path) -> None:
    """Raise `FoundingFixed` if a config or task cannot go on where the deployed federation is."""
    blobs = home.blobs()
    founded = blobs.get(before.config_hash).decode()
    for change in changes(founded, home.federation_file.read_text()):
        if change.is_fixed:
            raise FoundingFixed(home.path, f"{change.key} ({change.before}, now {change.after})", deployment)
    first = initial_parameters(load_task(read_task(before.task_hash, blobs)), GENESIS_SEED)
    if layout_of(model) != layout_of(first):
        raise FoundingFixed(home.path, "names and shapes of the model's tensors", deployment)


def _data(task: Task, wish: str | None, usual: str, needed: bool) -> Data | None:
    """The data of a source; with no wish the task's source of the usual name, if there is a need for any."""
    if wish is None and not needed:
        return None
    try:
        return load_data(task, wish or usual)
    except DataError as error:
        hint = "" if wish else f"; name the source that the task knows by --{usual}"
        raise DataError(f"data source {wish or usual!r} (--{usual}): {error}{hint}") from error


def _check_classes(home: AggregatorHome, evaluation: Data | None, root: Data | None) -> None:
    """What is not in the root set cannot be learned by the nodes that the gate compares with: they must know every class."""
    if home.settings_file.exists():
        kept = _kept(home)
        evaluation, root = evaluation or kept[0], root or kept[1]
    if evaluation is None or root is None or not evaluation.labels or not root.labels:
        return
    if missing := sorted(evaluation.labels - root.labels):
        raise DataError(
            f"the root set has no sample of class {', '.join(map(str, missing))}, which the evaluation data has: add some, or "
            "name other data by --root; the gate trains on it to know what honest updates look like"
        )


def _kept(home: AggregatorHome) -> tuple[Data, Data]:
    """The evaluation data and the root set that were stored before."""
    settings, blobs = home.settings(), home.blobs()
    return read_data(settings.shards[0], blobs), read_data(settings.root_set, blobs)


def _keep(home: AggregatorHome, data: Data) -> str:
    encoded = encode_data(data)
    name = body_hash(encoded)
    home.blobs().put(name, encoded)
    return "0x" + name.hex()


def _write_settings(home: AggregatorHome, values: Values) -> None:
    if home.settings_file.exists():
        text = with_values(home.settings_file.read_text(), values)
    else:
        defaults: Values = {"rpc_url": "http://127.0.0.1:8545", "chain_id": 31337}
        text = settings_text({**defaults, **values})
    write_durably(home.settings_file, text.encode())
    home.settings()
