"""Label gradients are what a change of the weights does to the loss, to first order."""

import numpy as np
import pytest
import torch

from learning.errors import TaskError
from learning.evaluator import Evaluator
from learning.gradients import label_gradients, trained_names
from learning.parameters import initial_parameters
from tests.support.rounds import digits


def test_a_small_step_along_the_gradient_lowers_that_labels_loss_by_its_square() -> None:
    task = digits().task
    base, data = initial_parameters(task, 3), task.load("root")
    names = trained_names(task)
    assert list(names) == list(base)
    rows = label_gradients(task, base, data.features, torch.tensor([4, 7]), names)
    assert rows.shape == (2, sum(array.size for array in base.values()))
    evaluator = Evaluator(task, data)
    outputs = torch.nn.functional.cross_entropy
    for row, label in zip(rows, (4, 7), strict=True):
        losses = []
        for step in (-1e-3, 1e-3):
            at, moved = 0, {}
            for name, array in base.items():
                moved[name] = (array + step * row[at : at + array.size].reshape(array.shape)).astype(np.float32)
                at += array.size
            evaluator.scores(moved)  # writes the weights into the evaluator's module
            with torch.no_grad():
                logits = evaluator._module(data.features).double()
            losses.append(float(outputs(logits, torch.full((len(data),), label))))
        assert (losses[0] - losses[1]) / 2e-3 == pytest.approx(float(np.square(row.astype(np.float64)).sum()), rel=0.02)


def test_a_label_that_the_loss_cannot_take_is_an_error_of_the_task() -> None:
    task = digits().task
    base = initial_parameters(task, 3)
    with pytest.raises(TaskError, match="loss"):
        label_gradients(task, base, task.load("root").features, torch.tensor([99]), trained_names(task))
