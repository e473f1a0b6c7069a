"""Per-sample scores in [0, 1]: what contributions are paid on.

Bounded, so that one sample or one bad node cannot carry the round (an unclipped log-likelihood let one node carry 90 %
of all contributions); smooth, so that small contributions stand out of the quantum (accuracy moves in steps of 1/samples).
A task's `score` calls one of these, or computes its own.
"""

import torch
from torch import Tensor
from torch.nn import functional

LOG_LIKELIHOOD_FLOOR = -8.0
"""Natural logarithm of the smallest true-class probability that still counts; below it a sample scores 0."""

MARGIN_BOUND = 8.0
"""Margin in logits at which a sample scores 1, and -MARGIN_BOUND at which it scores 0."""


def soft_accuracy(logits: Tensor, targets: Tensor) -> Tensor:
    """The probability given to the true class.

    `logits`: (samples, classes), `targets`: (samples,) class indices. Returns (samples,) in [0, 1].
    """
    return torch.softmax(logits, dim=1).gather(1, targets[:, None])[:, 0]


def clipped_log_likelihood(logits: Tensor, targets: Tensor, floor: float = LOG_LIKELIHOOD_FLOOR) -> Tensor:
    """`1 - max(log p, floor) / floor` for the true class's probability p: 1 for certainty, 0 at `floor` (< 0) and below.

    `logits`: (samples, classes), `targets`: (samples,) class indices. Returns (samples,) in [0, 1].
    """
    log_likelihood = -functional.cross_entropy(logits, targets, reduction="none")
    return 1 - log_likelihood.clamp(floor, 0.0) / floor


def clipped_margin(logits: Tensor, targets: Tensor, bound: float = MARGIN_BOUND) -> Tensor:
    """The true class's logit minus the best other one, clipped to ±`bound` and mapped linearly to [0, 1]; 0.5 is a tie.

    `logits`: (samples, at least 2 classes), `targets`: (samples,) class indices. Returns (samples,) in [0, 1].
    """
    true_class = targets[:, None]
    best_other = logits.scatter(1, true_class, -torch.inf).amax(1)
    margin = logits.gather(1, true_class)[:, 0] - best_other
    return (margin.clamp(-bound, bound) + bound) / (2 * bound)
