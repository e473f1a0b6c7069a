import pytest

from learning.errors import RecipeError
from learning.recipe import Recipe
from protocol.config import RecipeSection

GOOD = {"optimizer": "sgd", "learning_rate": 0.1, "batch_size": 32, "epochs": 1, "momentum": 0.9, "weight_decay": 1e-4}


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        ("optimizer", ["SGD", "lbfgs", ""]),
        ("learning_rate", [0.0, -0.1, float("nan"), float("inf")]),
        ("momentum", [-0.1, 1.0, float("nan")]),
        ("weight_decay", [-1e-9, float("nan"), float("inf")]),
        ("batch_size", [0, -1]),
        ("epochs", [0, -1]),
    ],
)
def test_a_setting_out_of_range_is_named(setting: str, values: list[object]) -> None:
    Recipe(**GOOD)  # type: ignore[arg-type]
    for value in values:
        with pytest.raises(RecipeError, match=setting):
            Recipe(**{**GOOD, setting: value})  # type: ignore[arg-type]


def test_adam_has_no_momentum() -> None:
    with pytest.raises(RecipeError, match="adam has none"):
        Recipe("adam", learning_rate=0.01, batch_size=8, epochs=1, momentum=0.5)


def test_the_decimals_of_the_config_are_the_nearest_floats() -> None:
    strings = {"learning_rate": "0.1", "momentum": "0.9", "weight_decay": "0.0001"}
    section = RecipeSection.model_validate({**GOOD, **strings})
    assert Recipe.from_config(section) == Recipe(**GOOD)  # type: ignore[arg-type]
