"""Exact Shapley values by an implementation of its own: the plain loop that anybody would write, and the definition.

The loop is also what CPU times are compared with.
"""

from math import comb

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.contributions.rounds import METRICS, Played
from learning.evaluator import SCORE_UNIT

_CHECKED = 128
_ROUNDING = 1e-5


class PlainLoop:
    """One coalition after another: sum the members' weighted updates, load the state, one forward pass over all samples."""

    def __init__(self, played: Played) -> None:
        self._base = {name: torch.from_numpy(np.array(array)) for name, array in played.base.items()}
        self._updates = [{name: torch.from_numpy(array) for name, array in one.items()} for one in played.updates]
        self._weights = played.weights.tolist()
        self._features, self._targets = played.evaluation.features, played.evaluation.targets
        self._module = played.setting.architecture.model().eval()

    def outputs(self, coalition: int) -> Tensor:
        """The logits of the coalition's model, (samples, classes)."""
        members = [player for player in range(len(self._updates)) if coalition >> player & 1]
        state = {
            name: tensor + sum((self._weights[player] * self._updates[player][name] for player in members), torch.zeros(()))
            for name, tensor in self._base.items()
        }
        self._module.load_state_dict(state)
        with torch.no_grad():
            logits: Tensor = self._module(self._features)
        return logits

    def utility(self, coalition: int, metric: str) -> float:
        """Mean score per sample."""
        return float(METRICS[metric](self.outputs(coalition), self._targets).double().mean())


def enumerate_utilities(played: Played, metric: str) -> NDArray[np.float64]:
    """The utility of every coalition, by mask: shape (2^players,).

    By fairshare's evaluator, as the plain loop would take hours over 65,536 coalitions; the loop takes every so manieth one, and
    `AssertionError` says if the two differ by more than rounding.
    """
    players, samples = len(played.updates), len(played.evaluation)
    full = (1 << players) - 1
    table = np.empty(1 << players)
    pairs = (one for half in range(1 << players - 1) for one in (half, full ^ half))
    for worth in played.game(metric).play(list(pairs)):
        table[worth.coalition] = worth.utility / (SCORE_UNIT * samples)
    loop = PlainLoop(played)
    checked = range(0, 1 << players, max(1, (1 << players) // _CHECKED) | 1)
    differences = [abs(loop.utility(one, metric) - table[one]) for one in checked]
    assert max(differences) < _ROUNDING, f"a utility is off by {max(differences)}"
    return table


def exact_shapley(utilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """φ_i = Σ_S (U(S ∪ {i}) − U(S)) / (n · C(n − 1, |S|)) over all S without i (Shapley, 1953); `utilities` by mask."""
    players = len(utilities).bit_length() - 1
    masks = np.arange(len(utilities))
    sizes = sum((masks >> player & 1) for player in range(players))
    weights = np.array([1 / (players * comb(players - 1, size)) for size in range(players)])
    values = np.empty(players)
    for player in range(players):
        without = masks[masks >> player & 1 == 0]
        marginals = utilities[without | 1 << player] - utilities[without]
        values[player] = (weights[np.asarray(sizes)[without]] * marginals).sum()
    return values


def relative_error(found: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    """‖found − true‖ / ‖true‖, Euclidean."""
    return float(np.linalg.norm(found - true) / np.linalg.norm(true))
