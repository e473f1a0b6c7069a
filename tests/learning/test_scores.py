from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from learning.scores import clipped_log_likelihood, clipped_margin, soft_accuracy

Score = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
SCORES = [soft_accuracy, clipped_log_likelihood, clipped_margin]
LOGITS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6),
    elements=st.floats(-1e6, 1e6, width=32),
)


@pytest.mark.parametrize("score", SCORES)
@given(LOGITS, st.data())
def test_every_score_is_bounded_and_one_per_sample(score: Score, logits: np.ndarray, choice: st.DataObject) -> None:
    samples, classes = logits.shape
    targets = torch.tensor(choice.draw(st.lists(st.integers(0, classes - 1), min_size=samples, max_size=samples)))
    scores = score(torch.from_numpy(logits), targets)
    assert scores.shape == (samples,)
    assert bool(((scores >= -1e-6) & (scores <= 1 + 1e-6)).all())


@pytest.mark.parametrize("score", SCORES)
@given(st.floats(-20, 20), st.floats(0.01, 5))
def test_more_for_the_true_class_never_scores_less(score: Score, logit: float, more: float) -> None:
    logits = torch.tensor([[logit, 0.0, 1.0], [logit + more, 0.0, 1.0]])
    lower, higher = score(logits, torch.tensor([0, 0])).tolist()
    assert higher >= lower - 1e-7


@pytest.mark.parametrize("score", SCORES)
def test_nan_is_not_hidden(score: Score) -> None:
    assert bool(torch.isnan(score(torch.tensor([[torch.nan, 0.0]]), torch.tensor([0]))).all())


def test_known_values() -> None:
    logits = torch.tensor([[0.0, 0.0], [100.0, 0.0], [0.0, 100.0], [3.0, 1.0]])
    targets = torch.tensor([0, 0, 0, 0])
    sigmoid = 1 / (1 + np.exp(-2))
    assert soft_accuracy(logits, targets).tolist() == pytest.approx([0.5, 1, 0, sigmoid])
    expected = [1 - np.log(2) / 8, 1, 0, 1 + np.log(sigmoid) / 8]
    assert clipped_log_likelihood(logits, targets).tolist() == pytest.approx(expected)
    assert clipped_margin(logits, targets).tolist() == pytest.approx([0.5, 1, 0, 10 / 16])
    assert clipped_margin(logits, targets, bound=4.0).tolist() == pytest.approx([0.5, 1, 0, 6 / 8])
    assert clipped_log_likelihood(logits, targets, floor=-1.0).tolist() == pytest.approx(
        [1 - np.log(2), 1, 0, 1 + np.log(sigmoid)]
    )
