"""The exact weighted mean: the default merge, and the model of every coalition in the game.

Source: federated averaging (McMahan et al., AISTATS 2017), with weights that stay fixed over all coalitions of a round.
"""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from protocol.parameters import Parameters


class WeightedMean:
    """base + Σ_{i∈S} w_i · update_i with w_i = weight_i / Σ_j weight_j over **all** updates, whatever the coalition S.

    Law (an exact leaf): per parameter in float64, in the order of `updates`, acc += float64(weight_i) · float64(update_i);
    one division by the sum of all weights; base added; one rounding to float32. No other order of operations gives the same
    bits, so this one is part of the protocol.
    """

    def __init__(self, base: Parameters, updates: Sequence[Parameters], weights: Sequence[int]) -> None:
        if len(updates) != len(weights):
            raise ValueError(f"{len(updates)} updates with {len(weights)} weights")
        self._base, self._updates, self._weights = base, updates, weights
        self._total = float(sum(weights))

    def of(self, coalition: Collection[int]) -> dict[str, NDArray[np.float32]]:
        """The model of the updates at these positions; of nobody it is the base model itself."""
        members = sorted(coalition)
        if not members:
            return dict(self._base)
        return {name: self._merge(name, base, members) for name, base in self._base.items()}

    def of_all(self) -> dict[str, NDArray[np.float32]]:
        """The merged model of the round."""
        return self.of(range(len(self._updates)))

    def _merge(self, name: str, base: NDArray[np.float32], members: list[int]) -> NDArray[np.float32]:
        accumulated = np.zeros(base.shape, np.float64)
        for position in members:
            accumulated += np.float64(self._weights[position]) * self._updates[position][name].astype(np.float64)
        accumulated /= self._total
        accumulated += base.astype(np.float64)
        with np.errstate(over="ignore"):  # beyond float32 it becomes infinite, which the caller must look for
            return accumulated.astype(np.float32)
