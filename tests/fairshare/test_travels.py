"""The page about what leaves a machine says of a model's tensors, and of who sees which evidence, what the code does."""

import re
from pathlib import Path

import pytest
import torch

from learning.errors import UnsupportedStateError
from learning.parameters import to_parameters
from protocol.evidence import LEAF_KINDS, Access
from protocol.parameters import encode_parameters

PAGE = (Path(__file__).parents[2] / "docs" / "travels.md").read_text()


class Everything(torch.nn.Module):
    """A model with each kind of tensor that the page has a row for."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(3)
        self.register_buffer("positions", torch.arange(3))
        self.register_buffer("mask", torch.ones(3, dtype=torch.bool))


def test_what_of_a_model_travels() -> None:
    travels = to_parameters(Everything())
    assert set(travels) == {"norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"}
    rows = dict(re.findall(r"^\| (.*?) \| (yes|no|refused) \|", PAGE, re.MULTILINE))
    assert sorted(rows.values()) == ["no", "refused", "yes", "yes"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.bfloat16])
def test_other_floats_are_refused_with_the_next_step(dtype: torch.dtype) -> None:
    with pytest.raises(UnsupportedStateError, match=r"\.float\(\)"):
        to_parameters(torch.nn.Linear(1, 1).to(dtype))


def test_a_body_has_four_bytes_per_parameter() -> None:
    body = encode_parameters(to_parameters(torch.nn.Linear(999, 100)))
    assert 400_000 <= len(body) < 400_500
    assert "400 kB for 100,000 parameters" in PAGE


def test_updates_are_for_scorers_alone() -> None:
    assert [kind.name for kind, spec in LEAF_KINDS.items() if spec.access is Access.SCORERS] == ["BODY"]
    members = {kind.name for kind, spec in LEAF_KINDS.items() if spec.access is Access.MEMBERS}
    assert members == {"STATISTICS", "UTILITY", "REPUTATION", "ESTIMATE"}
