"""Per-sample scores in [0, 1]: what contributions are paid on.

Bounded, so that one sample or one bad node cannot carry the round (an unclipped log-likelihood let one node carry 90 %
of all contributions); smooth, so that small contributions stand out of the quantum (accuracy moves in steps of 1/samples).
A task's `score` calls one of these, or computes its own.
"""

import torch
from torch import Tensor

from learning import elementary

LOG_LIKELIHOOD_FLOOR = -8.0
"""Natural logarithm of the smallest true-class probability that still counts; below it a sample scores 0."""

MARGIN_BOUND = 8.0
"""Margin in logits at which a sample scores 1, and -MARGIN_BOUND at which it scores 0."""


SQUARED_ERROR_BOUND = 1.0
"""Mean squared error at which a sample scores 0."""


def soft_accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """The probability given to the true class.

    `outputs`: (samples, classes) logits, `targets`: (samples,) class indices. Returns (samples,) in [0, 1].
    """
    true_class, partition = _softmax_parts(outputs, targets)
    exponential = elementary.exp(true_class) if outputs.dtype == torch.float64 else true_class.exp()
    return exponential / partition


def clipped_log_likelihood(outputs: Tensor, targets: Tensor, floor: float = LOG_LIKELIHOOD_FLOOR) -> Tensor:
    """`1 - max(log p, floor) / floor` for the true class's probability p: 1 for certainty, 0 at `floor` (< 0) and below.

    `outputs`: (samples, classes) logits, `targets`: (samples,) class indices. Returns (samples,) in [0, 1].
    """
    true_class, partition = _softmax_parts(outputs, targets)
    log_partition = elementary.log(partition) if outputs.dtype == torch.float64 else partition.log()
    return 1 - (true_class - log_partition).clamp(floor, 0.0) / floor


def clipped_margin(outputs: Tensor, targets: Tensor, bound: float = MARGIN_BOUND) -> Tensor:
    """The true class's logit minus the best other one, clipped to ±`bound` and mapped linearly to [0, 1]; 0.5 is a tie.

    `outputs`: (samples, at least 2 classes) logits, `targets`: (samples,) class indices. Returns (samples,) in [0, 1].
    """
    true_class = targets[:, None]
    best_other = outputs.scatter(1, true_class, -torch.inf).amax(1)
    margin = outputs.gather(1, true_class)[:, 0] - best_other
    return (margin.clamp(-bound, bound) + bound) / (2 * bound)


def clipped_squared_error(outputs: Tensor, targets: Tensor, bound: float = SQUARED_ERROR_BOUND) -> Tensor:
    """`1 - min(e, bound) / bound` for the sample's mean squared error e: for regression, with targets in units of about 1.

    `outputs` and `targets`: (samples, …) of the same number of values. Returns (samples,) in [0, 1].
    """
    difference = outputs.reshape(len(outputs), -1) - targets.reshape(len(targets), -1)
    return 1 - difference.square().mean(1).clamp(max=bound) / bound


EXACT_SCORES = (soft_accuracy, clipped_log_likelihood, clipped_margin)
"""Scores that have the same bits on every machine for float64 logits. A task that *is* paid on one of them says so by
`score = staticmethod(soft_accuracy)`; what a method of its own does with it, nobody can know."""

_EXPONENTIAL_UNIT = float(1 << 40)


def _softmax_parts(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Per sample, for its largest logit m: the true class's logit − m, and Σ exp(logit − m).

    torch's softmax over a last dimension of few classes takes five times as long as over a first one.
    """
    by_class = logits.t().contiguous()
    largest = by_class.detach().amax(0)
    shifted = by_class - largest
    true_class = logits.gather(1, targets[:, None])[:, 0] - largest
    if logits.dtype == torch.float64:
        # Counted in units of 2^-40 the exponentials are integers, whose sum is the same in every order.
        units = (elementary.exp(shifted) * _EXPONENTIAL_UNIT).round_()
        return true_class, units.sum(0) / _EXPONENTIAL_UNIT
    return true_class, shifted.exp().sum(0)
