"""Founding a federation, again and again; and the settings of its directory."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.assembly import read_data, read_model, read_task
from aggregator.errors import FoundingFixed, HomeMissing
from aggregator.founding import Wishes, found
from aggregator.home import KEYS, AggregatorHome
from aggregator.template import federation_text, settings_text, toml_value, with_values
from aggregator.terms import read_config
from learning.errors import DataError, RecipeError, TaskError
from learning.loading import load_task
from ledger.deployment import deployment_path
from ledger.wallet import Wallet
from protocol.config import parse_config
from protocol.errors import ConfigError, FormatError
from protocol.founding import FoundingFile, read_founding
from protocol.terms import read_terms

PASSPHRASE = "correct horse"

OWN_TASK = '''
import torch
from learning.data import Data
from learning.errors import UnknownSourceError
from learning.scores import soft_accuracy
from learning.task import Task


class Parity(Task):
    """Is a number odd?"""

    def model(self):
        return torch.nn.Linear(4, 2)

    def loss(self, outputs, targets):
        return torch.nn.functional.cross_entropy(outputs, targets)

    def score(self, outputs, targets):
        return soft_accuracy(outputs, targets)

    def load(self, source):
        if source not in ("all", "few"):
            raise UnknownSourceError(source, ("all", "few"))
        numbers = torch.arange(16 if source == "all" else 4)
        return Data((numbers[:, None] >> torch.arange(4) & 1).float(), numbers % 2)
'''


@pytest.fixture
def home(tmp_path: Path) -> AggregatorHome:
    """A directory whose keys are there already, cheap ones."""
    made = AggregatorHome(tmp_path / "federation")
    for name in KEYS:
        Wallet.create(made.key(name), PASSPHRASE, scrypt_n=2)
    return made


def test_a_founded_directory_holds_everything_that_goes_on_chain(home: AggregatorHome) -> None:
    founded = found(home, Wishes(task="digits", name="ours"), PASSPHRASE)
    file, blobs, settings = founded.file, home.blobs(), home.settings()
    assert read_founding(home.founding_file) == file
    assert read_config(file.config_hash, blobs).federation.name == "ours"
    task = load_task(read_task(file.task_hash, blobs))
    assert read_model(file.genesis_model, task, blobs)
    assert len(read_data(settings.shards[0], blobs)) == founded.samples == 360
    assert len(read_data(settings.root_set, blobs)) == founded.root_samples == 90
    assert (settings.rpc_url, settings.chain_id) == ("http://127.0.0.1:8545", 31337)
    assert file.operator == Wallet.open(home.key("operator")).address
    assert file.scorers == [Wallet.open(home.key("scorer")).address]


def test_founding_again_takes_over_edits_and_touches_nothing_else(home: AggregatorHome) -> None:
    first = found(home, Wishes(task="digits"), PASSPHRASE).file
    keys = {name: home.key(name).read_bytes() for name in KEYS}
    home.federation_file.write_text(home.federation_file.read_text().replace("epochs = 1", "epochs = 3"))
    home.settings_file.write_text(home.settings_file.read_text().replace("port = 8700", "port = 9 # mine"))
    second = found(home, Wishes(rpc_url="http://node:1", chain_id=5), PASSPHRASE).file
    assert read_config(second.config_hash, home.blobs()).recipe.epochs == 3
    assert second == first.model_copy(update={"config_hash": second.config_hash})
    assert second.config_hash != first.config_hash
    assert {name: home.key(name).read_bytes() for name in KEYS} == keys
    settings = home.settings()
    assert (settings.rpc_url, settings.chain_id, settings.port) == ("http://node:1", 5, 9)


def deployed(home: AggregatorHome, task: str = "digits", **wishes: Any) -> FoundingFile:
    """A federation whose directory says that its contracts are on chain."""
    first = found(home, Wishes(task=task, **wishes), PASSPHRASE).file
    path = deployment_path(home.path, 31337)
    path.parent.mkdir()
    path.write_text("{}")
    return first


def edit(home: AggregatorHome, before: str, after: str) -> None:
    text = home.federation_file.read_text()
    assert before in text
    home.federation_file.write_text(text.replace(before, after))


def test_once_deployed_a_changed_config_becomes_terms_that_may_be_announced(home: AggregatorHome) -> None:
    first = deployed(home)
    assert found(home, Wishes(evaluation="training"), PASSPHRASE).samples == 1347
    assert read_terms(home.terms_file).config_hash == first.config_hash
    edit(home, "epochs = 1", "epochs = 3")
    founded = found(home, Wishes(), PASSPHRASE)
    assert founded.file == first == read_founding(home.founding_file)
    assert founded.terms == read_terms(home.terms_file)
    assert read_config(founded.terms.config_hash, home.blobs()).recipe.epochs == 3
    assert founded.terms.task_hash == first.task_hash
    # A recipe that cannot be run on the data is found out now, not at the first round.
    edit(home, 'learning_rate = "0.1"', 'learning_rate = "0"')
    with pytest.raises(RecipeError):
        found(home, Wishes(), PASSPHRASE)
    assert read_terms(home.terms_file) == founded.terms


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('pool = "1000"', 'pool = "2000"', "pay.pool"),
        ("window_seconds = 120", "window_seconds = 60", "rounds.window_seconds"),
        ("maximum_pending = 1", "maximum_pending = 2", "rounds.maximum_pending"),
        ('minimum = "', 'minimum = "1', "stake.minimum"),
    ],
)
def test_once_deployed_nothing_changes_that_the_contracts_keep_for_ever(
    home: AggregatorHome, before: str, after: str, told: str
) -> None:
    first = deployed(home)
    edit(home, before, after)
    with pytest.raises(FoundingFixed, match=told):
        found(home, Wishes(), PASSPHRASE)
    assert read_founding(home.founding_file) == first
    assert not home.terms_file.exists()


def test_once_deployed_the_scorers_are_changed_on_chain_only(home: AggregatorHome) -> None:
    deployed(home)
    with pytest.raises(FoundingFixed, match="fairshare ledger announce"):
        found(home, Wishes(scorers=()), PASSPHRASE)


def test_another_task_must_go_on_with_the_model_there_is(home: AggregatorHome, tmp_path: Path) -> None:
    file = tmp_path / "parity.py"
    file.write_text(OWN_TASK)
    first = deployed(home, f"{file}:Parity", evaluation="all", root="few")
    settings = home.settings()
    file.write_text(OWN_TASK + "\n# another loss, say\n")
    terms = found(home, Wishes(task=f"{file}:Parity"), PASSPHRASE).terms
    assert terms is not None
    assert (terms.config_hash, terms.task_hash != first.task_hash) == (first.config_hash, True)
    assert read_task(terms.task_hash, home.blobs()).sha256() == terms.task_hash
    assert home.settings() == settings  # the data stays
    # Without --task it is the new one that goes on, though it is only prepared.
    assert found(home, Wishes(), PASSPHRASE).terms == terms
    file.write_text(OWN_TASK.replace("Linear(4, 2)", "Linear(4, 2, bias=False)"))
    with pytest.raises(FoundingFixed, match="tensors"):
        found(home, Wishes(task=f"{file}:Parity"), PASSPHRASE)
    assert read_terms(home.terms_file) == terms


def test_a_task_of_ones_own_names_its_data(home: AggregatorHome, tmp_path: Path) -> None:
    (tmp_path / "parity.py").write_text(OWN_TASK)
    task = f"{tmp_path / 'parity.py'}:Parity"
    with pytest.raises(DataError, match="all, few; name the source that the task knows by --evaluation"):
        found(home, Wishes(task=task), PASSPHRASE)
    founded = found(home, Wishes(task=task, evaluation="all", root="few"), PASSPHRASE)
    assert (founded.samples, founded.root_samples, founded.config.federation.task) == (16, 4, "Parity")


def test_without_a_task_there_is_nothing_to_found(home: AggregatorHome) -> None:
    with pytest.raises(HomeMissing, match="--task"):
        found(home, Wishes(), PASSPHRASE)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("epochs = 1", "epochs = 0", "recipe.epochs"),
        ('pool = "1000"', 'pool = "0.000000000000000001"', "pay.pool"),
        ('task = "Digits"', 'task = "Other"', "Other"),
        ("[stake]", "[steak]", "steak"),
        ("[stake]", "[stake", "TOML"),
    ],
)
def test_a_bad_config_is_refused_with_its_key(home: AggregatorHome, before: str, after: str, told: str) -> None:
    first = found(home, Wishes(task="digits"), PASSPHRASE).file
    text = home.federation_file.read_text()
    assert before in text
    home.federation_file.write_text(text.replace(before, after))
    with pytest.raises(ConfigError, match=told):
        found(home, Wishes(), PASSPHRASE)
    assert read_founding(home.founding_file) == first
    with pytest.raises(ConfigError):
        found(home, Wishes(name="another"), PASSPHRASE)


def test_the_environment_goes_before_the_file(home: AggregatorHome, monkeypatch: pytest.MonkeyPatch) -> None:
    found(home, Wishes(task="digits"), PASSPHRASE)
    monkeypatch.setenv("FAIRSHARE_AGGREGATOR_PORT", "0")
    monkeypatch.setenv("FAIRSHARE_AGGREGATOR_DATABASE", "postgresql+psycopg://x")
    settings = home.settings()
    assert (settings.port, home.database_url(settings)) == (0, "postgresql+psycopg://x")
    monkeypatch.setenv("FAIRSHARE_AGGREGATOR_LOG_LEVEL", "loud")
    with pytest.raises(FormatError, match="log_level"):
        home.settings()


def test_settings_that_are_not_there_or_bad_are_named(home: AggregatorHome) -> None:
    with pytest.raises(HomeMissing, match="init"):
        home.settings()
    home.settings_file.write_text("rpc_url =")
    with pytest.raises(FormatError, match="TOML"):
        home.settings()
    home.settings_file.write_text('rpc_url = "x"\nchain_id = 1\nshards = ["0x12"]\nroot_set = "zz"\nunknown = 1\n')
    with pytest.raises(FormatError, match=r"(?s)shards.*root_set.*unknown"):
        home.settings()


VALUES = st.one_of(st.text(), st.integers(0, 1 << 62), st.lists(st.text(), max_size=3))


@given(VALUES)
def test_a_value_reads_back_as_it_was_written(value: str | int | list[str]) -> None:
    assert tomllib.loads(f"key = {toml_value(value)}") == {"key": value}


@given(st.text(), st.text(), st.integers(1, 1 << 62), st.lists(st.text(), max_size=2))
def test_replaced_values_read_back_and_the_rest_stays(first: str, second: str, chain_id: int, shards: list[str]) -> None:
    text = settings_text({"rpc_url": first, "chain_id": 1, "shards": [], "root_set": ""})
    replaced = with_values(text, {"rpc_url": second, "chain_id": chain_id, "shards": shards})
    assert tomllib.loads(replaced) == {
        **tomllib.loads(text),
        "rpc_url": second,
        "chain_id": chain_id,
        "shards": shards,
    }
    assert replaced.count("# ") == text.count("# ") or "# " in second + "".join(shards)


@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80))
def test_a_new_config_is_valid_whatever_the_names(name: str, task: str) -> None:
    config = parse_config(federation_text(name, task))
    assert (config.federation.name, config.federation.task) == (name, task)


def test_a_task_that_does_not_fit_its_data_is_never_founded(home: AggregatorHome, tmp_path: Path) -> None:
    (tmp_path / "parity.py").write_text(OWN_TASK.replace("Linear(4, 2)", "Linear(5, 2)"))
    with pytest.raises(TaskError, match="shapes cannot be multiplied"):
        found(home, Wishes(task=f"{tmp_path / 'parity.py'}:Parity", evaluation="all", root="few"), PASSPHRASE)
    assert not home.founding_file.exists()


def _table(path: Path) -> str:
    path.write_text("age,sex,sick\n40,f,no\n50,m,yes\n,f,no\n61.5,,yes\n33,m,no\n44,f,yes\n")
    return str(path)


def test_a_federation_is_founded_on_a_table(home: AggregatorHome, tmp_path: Path) -> None:
    table = _table(tmp_path / "people.csv")
    wishes = Wishes(task="tabular", data=table, label="sick", evaluation=f"{table}#1/2 iid")
    founded = found(home, wishes, PASSPHRASE)
    assert (founded.samples, founded.root_samples) == (3, 6)  # the clean data is the table, unless another is named
    assert founded.config.federation.task == "Tabular"
    source = read_task(founded.file.task_hash, home.blobs())
    assert source.texts()["tabular.py"] == (home.path / "tabular.py").read_text()
    assert found(home, wishes, PASSPHRASE).file == founded.file == found(home, Wishes(), PASSPHRASE).file


def test_an_edited_task_of_a_table_is_founded_on_and_never_overwritten(home: AggregatorHome, tmp_path: Path) -> None:
    table = _table(tmp_path / "people.csv")
    wishes = Wishes(task="tabular", data=table, label="sick", evaluation=table)
    before = found(home, wishes, PASSPHRASE).file
    written = home.path / "tabular.py"
    edited = written.read_text().replace("values=('f', 'm')", "values=('f', 'm', 'x')")
    written.write_text(edited)
    with pytest.raises(ConfigError, match=r"tabular\.py:Tabular, or delete it"):
        found(home, wishes, PASSPHRASE)
    assert written.read_text() == edited
    after = found(home, Wishes(task=f"{written}:Tabular", evaluation=table, root=table), PASSPHRASE)
    assert after.file.task_hash != before.task_hash


@pytest.mark.parametrize(
    "wishes", [Wishes("tabular", data="t.csv"), Wishes("tabular", label="y"), Wishes("digits", data="t", label="y")]
)
def test_table_label_and_tabular_go_together(home: AggregatorHome, wishes: Wishes) -> None:
    with pytest.raises(ConfigError, match="give all three or none"):
        found(home, wishes, PASSPHRASE)


def test_evaluation_data_without_a_sample_is_refused(home: AggregatorHome, tmp_path: Path) -> None:
    (tmp_path / "parity.py").write_text(OWN_TASK.replace("16 if", "0 if"))
    with pytest.raises(DataError, match=r"'all' \(--evaluation\).*not one sample"):
        found(home, Wishes(task=f"{tmp_path / 'parity.py'}:Parity", evaluation="all", root="few"), PASSPHRASE)
    assert not home.founding_file.exists()


def test_a_root_set_without_a_class_that_is_evaluated_is_refused_then_and_later(home: AggregatorHome, tmp_path: Path) -> None:
    own = OWN_TASK.replace("numbers % 2", "(numbers % 2) * (numbers > (3 if source == 'few' else 0))")
    (tmp_path / "parity.py").write_text(own)
    task = f"{tmp_path / 'parity.py'}:Parity"
    with pytest.raises(DataError, match=r"the root set has no sample of class 1, .* by --root"):
        found(home, Wishes(task=task, evaluation="all", root="few"), PASSPHRASE)
    assert not home.founding_file.exists()
    founded = found(home, Wishes(task=task, evaluation="all", root="all"), PASSPHRASE)
    kept = home.settings_file.read_text()
    with pytest.raises(DataError, match="no sample of class 1"):
        found(home, Wishes(root="few"), PASSPHRASE)
    assert (home.settings_file.read_text(), read_founding(home.founding_file)) == (kept, founded.file)
    found(home, Wishes(evaluation="few"), PASSPHRASE)  # a class that is not evaluated may well be in the root set
