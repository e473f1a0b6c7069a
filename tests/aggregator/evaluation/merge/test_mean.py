from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aggregator.evaluation.merge.mean import WeightedMean
from protocol.parameters import Parameters, model_hash

SHAPES = {"weight": (2, 3), "scalar": (), "bias": (3,)}
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
WEIGHTS = st.integers(1, 1 << 48)
MODELS = st.fixed_dictionaries({name: arrays(np.float32, shape, elements=FINITE) for name, shape in SHAPES.items()})


def slowly(base: Parameters, updates: list[Parameters], weights: list[int], coalition: list[int]) -> dict[str, list[float]]:
    """The law of the merge, number by number: Python's floats are IEEE doubles and do one operation at a time."""
    if not coalition:
        return {name: array.ravel().tolist() for name, array in base.items()}
    merged: dict[str, list[float]] = {}
    for name, array in base.items():
        merged[name] = []
        for at, start in enumerate(array.ravel().tolist()):
            accumulated = 0.0
            for member in sorted(coalition):
                accumulated = accumulated + float(weights[member]) * float(updates[member][name].ravel()[at])
            accumulated = accumulated / float(sum(weights)) + start
            with np.errstate(over="ignore"):
                merged[name].append(float(np.float32(accumulated)))
    return merged


@given(
    base=MODELS,
    sent=st.lists(st.tuples(MODELS, WEIGHTS), min_size=1, max_size=5),
    coalition=st.sets(st.integers(0, 4)),
)
def test_the_merge_is_the_law_to_the_bit(base: Parameters, sent: list[tuple[Parameters, int]], coalition: set[int]) -> None:
    updates, weights = [update for update, _ in sent], [weight for _, weight in sent]
    members = sorted(coalition & set(range(len(sent))))
    found = WeightedMean(base, updates, weights).of(members)
    expected = slowly(base, updates, weights, members)
    assert list(found) == list(base)
    for name, array in found.items():
        assert (array.shape, array.dtype) == (SHAPES[name], np.dtype(np.float32))
        assert array.tobytes() == np.array(expected[name], np.float32).tobytes()


def model(*values: float) -> Parameters:
    return {"w": np.array(values, np.float32)}


def test_the_order_of_the_updates_is_part_of_the_law() -> None:
    sent = [(model(1e30), 1), (model(-1e30), 1), (model(1), 1)]
    results = {
        float(WeightedMean(model(0), [u for u, _ in order], [w for _, w in order]).of_all()["w"][0])
        for order in permutations(sent)
    }
    assert results == {0.0, float(np.float32(1 / 3))}
    # Within one round the order is that of the indices, however the coalition is written down.
    mean = WeightedMean(model(0), [u for u, _ in sent], [w for _, w in sent])
    assert len({model_hash(mean.of(members)) for members in permutations(range(3))}) == 1


def test_weights_are_fixed_over_all_updates_whatever_the_coalition() -> None:
    mean = WeightedMean(model(1), [model(4), model(8), model(16)], [1, 2, 1])
    assert [float(mean.of(coalition)["w"][0]) for coalition in ([0], [1], [2], [0, 2])] == [2, 5, 5, 6]
    assert float(mean.of_all()["w"][0]) == 1 + 1 + 4 + 4


def test_nobody_leaves_the_base_as_it_is() -> None:
    base = model(-0.0, 1e-45, 3)
    for mean in (WeightedMean(base, [], []), WeightedMean(base, [model(1, 1, 1)], [1])):
        assert model_hash(mean.of(())) == model_hash(base)
    assert model_hash(WeightedMean(base, [], []).of_all()) == model_hash(base)


def test_an_update_of_zeros_changes_no_model() -> None:
    mean = WeightedMean(model(1.5, -2, 1e-45), [model(0.1, 7, 1e-45), model(0, -0.0, 0), model(3, 3, 3)], [5, 1 << 40, 7])
    for others in ((), (0,), (2,), (0, 2)):
        assert model_hash(mean.of((*others, 1))) == model_hash(mean.of(others))


def test_what_float32_cannot_hold_becomes_infinite_without_a_warning() -> None:
    largest = float(np.finfo(np.float32).max)
    mean = WeightedMean(model(largest, -largest), [model(largest, -largest)], [1])
    assert mean.of_all()["w"].tolist() == [np.inf, -np.inf]


def test_the_inputs_stay_as_they_were() -> None:
    base, update = model(1), model(2)
    WeightedMean(base, [update], [3]).of_all()["w"][:] = 9
    assert (float(base["w"][0]), float(update["w"][0])) == (1, 2)


def test_weights_above_53_bits_are_rounded_once_in_the_sum() -> None:
    weights = [1 << 48] * 33 + [1]
    mean = WeightedMean(model(0), [model(1)] * 34, weights)
    assert mean.of([33])["w"].tobytes() == np.float32(1.0 / float(33 << 48)).tobytes()


def test_every_update_has_a_weight() -> None:
    with pytest.raises(ValueError, match="1 updates with 2 weights"):
        WeightedMean(model(0), [model(1)], [1, 2])
