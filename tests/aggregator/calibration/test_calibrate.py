"""`fairshare aggregator calibrate` on a founded directory, with tiny settings; the simulation and the gate are the real ones."""

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aggregator.calibration import calibrate as module
from aggregator.calibration.calibrate import Step, calibrate, with_gate
from aggregator.calibration.paths import scenarios, small_federation
from aggregator.cli import app
from aggregator.errors import FoundingFixed, HomeMissing
from aggregator.founding import Wishes, found
from aggregator.home import KEYS, AggregatorHome
from aggregator.simulation.attacks import ATTACKS
from aggregator.simulation.federation import Federation
from aggregator.template import federation_text
from learning.errors import DataError
from ledger.deployment import deployment_path
from ledger.wallet import Wallet
from protocol.config import parse_config
from protocol.errors import ConfigError
from protocol.founding import read_founding
from tests.support.rounds import digits


@pytest.fixture
def home(tmp_path: Path) -> AggregatorHome:
    made = AggregatorHome(tmp_path / "federation")
    for name in KEYS:
        Wallet.create(made.key(name), "correct horse", scrypt_n=2)
    found(made, Wishes("digits"), "correct horse")
    return made


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ATTACKS", {name: ATTACKS[name] for name in ("sign-flip", "gaussian-matched")})
    monkeypatch.setattr(module, "ROUNDS", 2)
    monkeypatch.setattr(module, "NODES", 6)


def commented(home: AggregatorHome) -> None:
    text = home.federation_file.read_text()
    home.federation_file.write_text(text.replace("virtual_nodes = 40", "virtual_nodes = 12    # my own note"))
    found(home, Wishes(), "")


@pytest.mark.usefixtures("tiny")
def test_the_config_is_fitted_in_place(home: AggregatorHome) -> None:
    commented(home)
    before = home.federation_file.read_text()
    ran = CliRunner().invoke(app, ["calibrate", str(home.path), "--federations", "2", "--json"])
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    after = home.federation_file.read_text()
    gate = tomllib.loads(after)["gate"]
    assert told["schema_version"] == 1
    assert {name: round(1000 * float(gate[f"weight_{name}"])) for name in told["weights"]} == told["weights"]
    assert {name: round(1000 * float(gate[name])) for name in told["gate"]} == told["gate"]
    assert set(told["detection"]) == {"sign-flip", "gaussian-matched"}
    assert 0 <= told["false_alarms"]["low"] <= told["false_alarms"]["rate"] <= told["false_alarms"]["high"] <= 1
    assert "# my own note" in after
    changed = {line.split("=")[0].strip() for line in set(after.splitlines()) ^ set(before.splitlines())}
    assert changed <= {*told["gate"], *(f"weight_{name}" for name in told["weights"])}
    assert bytes(read_founding(home.founding_file).config_hash) == parse_config(after).sha256()


@pytest.mark.usefixtures("tiny")
def test_a_stop_on_the_way_changes_nothing(home: AggregatorHome) -> None:
    commented(home)
    before = {file: file.read_bytes() for file in home.path.rglob("*") if file.is_file()}

    def stop(step: Step) -> None:
        if step.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        calibrate(home, 2, stop)
    assert {file: file.read_bytes() for file in home.path.rglob("*") if file.is_file()} == before


def test_after_the_deployment_it_is_too_late(home: AggregatorHome) -> None:
    path = deployment_path(home.path, 31337)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    with pytest.raises(FoundingFixed, match="found a new federation"):
        calibrate(home, 2, lambda step: None)
    ran = CliRunner().invoke(app, ["calibrate", str(home.path)])
    assert ran.exit_code == 14
    assert "deployed" in ran.stderr


def test_there_must_be_a_federation(tmp_path: Path) -> None:
    with pytest.raises(HomeMissing, match="aggregator init"):
        calibrate(AggregatorHome(tmp_path), 2, lambda step: None)


def test_there_must_be_something_to_calibrate(home: AggregatorHome) -> None:
    text = home.federation_file.read_text()
    home.federation_file.write_text(text.replace("virtual_nodes = 40", "virtual_nodes = 0"))
    with pytest.raises(ConfigError, match="virtual_nodes is 0"):
        calibrate(home, 2, lambda step: None)


def test_fitted_values_are_written_as_decimals_among_the_old_lines() -> None:
    text = federation_text("federation", "Digits")
    gate = parse_config(text).gate.model_copy(update={"prior": 2345, "weight_cone": 0, "expel": 123_000})
    written = with_gate(text, gate)
    assert parse_config(written).gate == gate
    assert written.count("#") == text.count("#")
    assert with_gate(written, gate) == written


def test_every_scenario_has_a_seed_of_its_own() -> None:
    plan = scenarios(["a", "b"], 4, 100)
    assert len({scenario.seed for scenario in plan}) == len(plan) == 4 * (3 + 2)
    assert sum(scenario.share == 0 for scenario in plan) == 12


def test_nodes_evaluation_and_root_have_no_sample_in_common() -> None:
    whole = digits()
    own = Federation(whole.task, parse_config(federation_text("f", "Digits")), whole.base, (), whole.shards, whole.root_set)
    made = small_federation(own, scenarios(["a"], 1, 5)[1], 16)
    rows = [tuple(row) for data in (*made.nodes, *made.shards) for row in data.features.tolist()]
    assert sorted(rows) == sorted(tuple(row) for row in whole.shards[0].features.tolist())
    with pytest.raises(DataError):
        small_federation(own, scenarios(["a"], 1, 5)[1], 300)
