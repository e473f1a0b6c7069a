"""Who the virtual honest nodes are: each class alone among them, and each kind of inputs where the root set has several."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from aggregator.evaluation.gate import cohort
from aggregator.evaluation.gate.cohort import Cohort, virtual_cohort
from aggregator.evaluation.gate.strata import Strata
from learning.data import Data
from learning.recipe import Recipe
from tests.support.rounds import config, digits

RECIPE = Recipe.from_config(config().recipe)
COUNT = 40


def made(root_set: Data, seed: bytes = bytes(32)) -> Cohort:
    whole = digits()
    found = virtual_cohort(whole.task, whole.base, root_set, Strata(root_set, whole.shards), RECIPE, [50, 96, 120], COUNT, seed)
    assert found is not None
    return found


def test_every_fold_holds_a_node_of_each_class_alone_one_of_all_and_others() -> None:
    found = made(digits().root_set)
    for fold in (0, 1):
        mixes = found.mixes[found.folds == fold]
        assert {int(mix.argmax()) for mix in mixes if mix.max() == 1} == set(range(10))
        assert sum(mix.max() < 0.3 for mix in mixes) >= 1
        assert sum(0.3 <= mix.max() < 1 for mix in mixes) >= 4


def test_half_of_them_see_inputs_of_one_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Data] = []
    trained = getattr(cohort, "train_many")  # noqa: B009 - what the module imports, not what it exports

    def remembering(task: Any, base: Any, datas: Sequence[Data], *others: Any) -> Any:
        given.extend(datas)
        return trained(task, base, datas, *others)

    monkeypatch.setattr(cohort, "train_many", remembering)
    training = digits().task.load("training").take(np.arange(400))
    negative = np.arange(400) % 2 == 0  # classes come in no order
    features = training.features.clone()
    features[negative] = 1 - features[negative]
    made(Data(features, training.targets))
    shares = np.array([float((own.features.mean(dim=1) > 0.5).float().mean()) for own in given]).reshape(2, -1)
    assert (np.abs(shares[:, 1::2] - 0.5) > 0.4).mean() >= 0.9, "every other one has seen one kind, or hardly any of the other"
    assert (shares[:, 1::2] > 0.9).any()
    assert (shares[:, 1::2] < 0.1).any()
    assert np.abs(shares[:, 0] - 0.5).max() < 0.2, "those of all samples have seen both"


def test_the_seed_draws_them() -> None:
    first, again, other = made(digits().root_set), made(digits().root_set), made(digits().root_set, b"\1" * 32)
    assert all(
        np.array_equal(one[name], two[name]) for one, two in zip(first.updates, again.updates, strict=True) for name in one
    )
    assert not np.array_equal(first.mixes, other.mixes)


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7])
def test_any_number_of_virtual_nodes_can_be_asked_for(count: int) -> None:
    whole = digits()
    root_set = whole.root_set
    found = virtual_cohort(whole.task, whole.base, root_set, Strata(root_set, whole.shards), RECIPE, [50], count, bytes(32))
    assert (found is None) == (count < 6), "three in each fold, or none"
