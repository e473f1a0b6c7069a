"""What can go wrong in a round's game ends in a clear error or in a fallback that the evidence names, never in a silent zero."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from aggregator.evaluation.contributions import estimators
from aggregator.evaluation.contributions.contribute import Contributions, contribute
from aggregator.evaluation.contributions.estimate import Estimator, Outcome
from aggregator.evaluation.contributions.kriging import Kernel, SingularKernelError
from aggregator.evaluation.contributions.method import FALLBACK, estimate, first_design
from aggregator.evaluation.contributions.round_game import RoundGame
from learning.data import Data
from learning.task import Task
from protocol.parameters import Parameters
from tests.aggregator.evaluation.contributions.tables import TableGame
from tests.learning.coalitions.zoo import ZooTask, zoo_data, zoo_updates

SEED = bytes(range(32))
MANY = 13
"""Players, of whom not all coalitions are evaluated."""


def small() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 4), nn.ReLU(), nn.Linear(4, 3))


class Constant(ZooTask):
    """A metric that is the same for every model."""

    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return torch.full((len(outputs),), 0.25)


class Fragile(nn.Module):
    """Raises an error for a bias below zero, as a module with an assertion of its own may."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(36, 3)

    def forward(self, features: Tensor) -> Tensor:
        if float(self.layer.bias.detach().min()) < 0:
            raise ValueError("a bias below zero")
        return self.layer(features.flatten(1))


def played(task: Task, base: Parameters, updates: list, data: Data, evaluations: int = first_design(MANY)) -> Contributions:
    game = RoundGame(task, [data], base, updates, [1] * len(updates))
    found = contribute(range(len(updates)), game, evaluations * game.cost, SEED)
    assert sum(found.values.values()) == found.denominator * (found.utility_all - found.utility_empty)
    return found


def stages(found: Contributions) -> list[tuple[Estimator, Outcome]]:
    return [(stage.estimator, stage.outcome) for stage in found.published.stages]


@pytest.mark.parametrize("players", [3, MANY])
def test_of_a_constant_metric_everybody_gets_exactly_nothing_and_the_error_is_nothing_too(players: int) -> None:
    task = Constant(small)
    found = played(task, *zoo_updates(task, players), zoo_data("dense", 20))
    assert set(found.values.values()) == {0}
    assert set(found.published.standard_errors.values()) == {0}
    assert found.utility_empty == found.utility_all == 20 << 18
    assert stages(found)[-1][1] is Outcome.USED


@pytest.mark.parametrize("players", [2, MANY])
def test_updates_that_are_all_equal_share_equally(players: int) -> None:
    task = ZooTask(small)
    base, (update,) = zoo_updates(task, 1)
    found = played(task, base, [update] * players, zoo_data("dense", 20))
    values = list(found.values.values())
    assert found.utility_all != found.utility_empty
    assert max(values) - min(values) <= 1
    # As many models as there are sizes, and no more utilities: equal models have one.
    assert len(set(found.published.utilities.values())) <= players + 1


def test_one_node_gets_all_that_the_round_gained() -> None:
    task = ZooTask(small)
    found = played(task, *zoo_updates(task, 1), zoo_data("dense", 20))
    assert found.values == {0: found.utility_all - found.utility_empty}
    assert found.published.errors[0].estimation == 0 < found.published.errors[0].sampling


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("players", [3, MANY])
def test_fewer_samples_than_classes_are_enough(samples: int, players: int) -> None:
    task = ZooTask(small)
    found = played(task, *zoo_updates(task, players), zoo_data("dense", samples))
    assert any(found.values.values())
    assert all(error >= 0 for error in found.published.standard_errors.values())


def test_coalitions_whose_model_raises_an_error_are_worth_nothing_and_the_estimate_falls_back() -> None:
    task = ZooTask(Fragile)
    base, updates = zoo_updates(task, MANY, size=0.01)
    base = {name: np.abs(array) for name, array in base.items()}
    for player, update in enumerate(updates):  # the first one breaks every coalition that the second one does not mend
        update["layer.bias"] = np.full(3, {0: -20.0, 1: 30.0}.get(player, 0.0), np.float32)
    found = played(task, base, updates, zoo_data("dense", 10))
    assert stages(found) == [(Estimator.KRIGING, Outcome.NOT_SCORABLE), (Estimator.LEVERAGE, Outcome.USED)]
    assert found.published.utilities[1, 0] == 0 < found.published.utilities[2, 0]
    assert found.values[0] < 0 < found.values[1]


def test_logits_that_are_not_numbers_are_told_from_a_score_of_zero() -> None:
    task = ZooTask(small)
    base, updates = zoo_updates(task, MANY)
    for array in updates[4].values():
        array *= np.float32(1e25)  # finite parameters, but no finite logits
    found = played(task, base, updates, zoo_data("dense", 10))
    assert not found.scorable
    assert stages(found)[0] == (Estimator.KRIGING, Outcome.NOT_SCORABLE)


def _raise(*_: object) -> None:
    raise SingularKernelError("as if")


@pytest.mark.parametrize(
    "broken", [lambda patch: patch.setattr(estimators, "choose", _raise), lambda patch: patch.setattr(Kernel, "__call__", _flat)]
)
def test_a_kernel_without_an_inverse_is_replaced_by_leverage(
    broken: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    task = ZooTask(small)
    found = played(task, *zoo_updates(task, MANY), zoo_data("dense", 10))
    assert stages(found) == [(Estimator.KRIGING, Outcome.SINGULAR), (Estimator.LEVERAGE, Outcome.USED)]
    assert any(found.values.values())


def _flat(_: Kernel, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.full((len(one), len(other)), np.inf)


def test_the_fallback_gets_eight_evaluations_per_player_however_little_is_affordable() -> None:
    game = TableGame(20, lambda mask: (mask * 2654435761 % 1009) << 30)
    found = estimate(game, first_design(20), SEED)
    assert found.stages[-1].estimator is Estimator.LEVERAGE
    assert found.stages[-1].evaluations == FALLBACK * 20
