"""`fairshare aggregator calibrate`: from a federation directory to fitted weights and thresholds in its federation.toml."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import tomlkit

from aggregator.assembly import read_data, read_task
from aggregator.calibration.expectation import Expectation, expect
from aggregator.calibration.fit import fit
from aggregator.calibration.paths import LEFT_OUT, Path, Scenario, cheaply, scenarios, small_federation, walk
from aggregator.errors import FoundingFixed, HomeMissing
from aggregator.founding import Wishes, found
from aggregator.home import KEYS, AggregatorHome
from aggregator.simulation.attacks import ATTACKS
from aggregator.simulation.federation import Federation
from learning.loading import load_task
from learning.parameters import initial_parameters
from protocol.config import GateSection, parse_config
from protocol.errors import ConfigError
from protocol.files import write_durably
from protocol.founding import read_founding

NODES = 16
"""More than are enumerated, so that a round's pay, which nobody asks for here, is cheap."""

ROUNDS = 8
_FIRST_SEED = 1000

FITTED = ("prior", "grey", "down_weight", "reject_round", "reject", "expel")
"""Keys of [gate] that are fitted, beside the weights. All in thousandths."""


class Step(NamedTuple):
    """`done` of `total` simulated rounds are done; the last one was of this scenario."""

    done: int
    total: int
    scenario: Scenario


@dataclass(frozen=True)
class Calibration:
    """The fitted section, what can be expected of it, and on how much it stands."""

    gate: GateSection
    expectation: Expectation
    simulated: int
    evaluation_samples: int
    root_samples: int


def calibrate(home: AggregatorHome, federations: int, on_step: Callable[[Step], None]) -> Calibration:
    """Simulate, fit, and write the result into federation.toml, whose comments stay, and into what follows from it.

    Nothing is written before all is done. Raises `HomeMissing` before `init`, `FoundingFixed` after the deployment (the config's
    hash is on chain), `ConfigError` for a gate without virtual nodes, `DataError` for too few evaluation samples, and what the
    task raises.
    """
    whole = _own_federation(home)
    plan = scenarios([attack for attack in ATTACKS if attack not in LEFT_OUT], federations, _FIRST_SEED)
    paths = collect(whole, plan, NODES, ROUNDS, on_step)
    section = fit(paths, whole.config.gate)
    expectation = expect(paths, whole.config.gate)
    text = with_gate(home.federation_file.read_text(), section)
    parse_config(text)
    write_durably(home.federation_file, text.encode())
    found(home, Wishes(), passphrase="")  # the keys are there, so no passphrase is needed
    return Calibration(section, expectation, len(plan), sum(map(len, whole.shards)), len(whole.root_set))


def collect(whole: Federation, plan: list[Scenario], nodes: int, rounds: int, on_step: Callable[[Step], None]) -> list[Path]:
    """The paths of all nodes in all scenarios, simulated from the aggregator's own data."""
    measuring = cheaply(whole)
    paths: list[Path] = []
    for number, scenario in enumerate(plan):
        before, total = number * rounds, len(plan) * rounds
        told = partial(_tell, on_step, before, total, scenario)
        paths += walk(small_federation(measuring, scenario, nodes), scenario, rounds, told)
    return paths


def _tell(on_step: Callable[[Step], None], before: int, total: int, scenario: Scenario, done: int) -> None:
    on_step(Step(before + done, total, scenario))


def with_gate(text: str, gate: GateSection) -> str:
    """The text of a federation.toml with the fitted keys of [gate] replaced; comments, order and all other lines stay."""
    document = tomlkit.parse(text)
    section = document["gate"]
    for key in (*FITTED, *(f"weight_{name}" for name in gate.weights)):
        before = section[key]
        section[key] = _decimal(getattr(gate, key))
        after = section[key]
        if after.trivia.comment:  # which stays in its column
            grown = len(after.as_string()) - len(before.as_string())
            after.trivia.comment_ws = " " * max(1, len(before.trivia.comment_ws) - grown)
    return tomlkit.dumps(document)


def _own_federation(home: AggregatorHome) -> Federation:
    founding = read_founding(home.founding_file) if home.founding_file.exists() else None
    missing = [home.key(key) for key in KEYS if not home.key(key).exists()]
    if founding is None or missing:
        raise HomeMissing(home.founding_file if founding is None else missing[0])
    if home.deployments():
        raise FoundingFixed(home.path, "config hash", home.deployments()[0])
    config = parse_config(home.federation_file.read_text())
    if not config.gate.virtual_nodes:
        raise ConfigError(
            f"{home.federation_file}: gate.virtual_nodes is 0, so there are no statistics to calibrate: set it to 40"
        )
    settings, blobs = home.settings(), home.blobs()
    task = load_task(read_task(founding.task_hash, blobs))
    shards = tuple(read_data(shard, blobs) for shard in settings.shards)
    return Federation(task, config, initial_parameters(task, 0), (), shards, read_data(settings.root_set, blobs))


def _decimal(thousandths: int) -> str:
    """Thousandths as the decimal that the config is written with.

    >>> _decimal(12), _decimal(3500), _decimal(0)
    ('0.012', '3.5', '0')
    """
    whole, rest = divmod(thousandths, 1000)
    return f"{whole}.{rest:03d}".rstrip("0").rstrip(".")
