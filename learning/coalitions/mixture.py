"""base + Σ s_i · w_i · update_i for many rows of shares s at once, reading each update once per call."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protocol.parameters import Parameters

_FLOAT = 4


class Mixture:
    """The models of a round's coalitions.

    `weights` are the updates' fixed integer weights, so that w_i = weights_i / Σ weights; `memory` in bytes bounds what is held
    of the updates at a time, which may be larger than that (arrays mapped from files are read slice by slice).
    """

    def __init__(self, base: Parameters, updates: Sequence[Parameters], weights: Sequence[int], memory: int) -> None:
        if len(updates) != len(weights):
            raise ValueError(f"{len(updates)} updates with {len(weights)} weights")
        self.base = base
        self.updates = tuple(updates)
        total = sum(weights)
        self.weights: NDArray[np.float64] = np.array([weight / total for weight in weights], np.float64)
        self.size = sum(array.size for array in base.values())
        """Parameters of one model."""
        self._memory = memory
        self._kept: dict[str, Tensor] | None = None
        if self.size * len(updates) * _FLOAT <= memory // 2:
            self._kept = {name: self._stacked(name, 0, array.size) for name, array in base.items()}

    @property
    def players(self) -> int:
        """Number of updates."""
        return len(self.updates)

    def coefficients(self, shares: NDArray[np.floating]) -> Tensor:
        """Shares times weights as float32, shape (rows, players)."""
        return torch.from_numpy((shares * self.weights).astype(np.float32))

    def parameters(self, shares: NDArray[np.floating], names: Sequence[str] | None = None) -> dict[str, Tensor]:
        """The models of these rows of shares, shape (rows, players): each tensor as (rows, *its shape), float32.

        `names` leaves out all tensors but these.
        """
        coefficients = self.coefficients(shares)
        return {name: self._mix(name, coefficients) for name in (self.base if names is None else names)}

    def stacked(self, name: str) -> Tensor:
        """One tensor of the base and of every update, unweighted: (1 + players, *its shape)."""
        base = _flat(self.base[name], 0, None)[None]
        rows = torch.cat([base, self._slice(name, 0, base.shape[1])])
        return rows.view(-1, *self.base[name].shape)

    def gram(self) -> NDArray[np.float64]:
        """Inner products of the weighted updates, ⟨w_i · update_i, w_j · update_j⟩ in float64, shape (players, players)."""
        total = torch.zeros(self.players, self.players, dtype=torch.float64)
        for name, array in self.base.items():
            for start, end in self._slices(array.size, 2 * self.players):
                rows = self._slice(name, start, end).double()
                total += rows @ rows.T
        gram: NDArray[np.float64] = total.numpy() * self.weights[:, None] * self.weights[None, :]
        return gram

    def along(self, gradients: Mapping[str, Tensor]) -> NDArray[np.float64]:
        """⟨gradient, w_i · update_i⟩ over these tensors, in float64: shape (players,)."""
        total = torch.zeros(self.players, dtype=torch.float64)
        for name, gradient in gradients.items():
            for start, end in self._slices(gradient.numel(), 2 * self.players):
                total += self._slice(name, start, end).double() @ gradient.reshape(-1)[start:end].double()
        inner: NDArray[np.float64] = total.numpy() * self.weights
        return inner

    def magnitude(self) -> float:
        """A bound on every number in every coalition's model: max |base| + Σ w_i · max |update_i|. NaN or ∞ if one is."""
        largest = [max((float(np.abs(array).max(initial=0)) for array in one.values()), default=0.0) for one in self.updates]
        base = max((float(np.abs(array).max(initial=0)) for array in self.base.values()), default=0.0)
        return base + float(np.dot(self.weights, np.array(largest, np.float64)))

    def _mix(self, name: str, coefficients: Tensor) -> Tensor:
        shape, size, rows = self.base[name].shape, self.base[name].size, len(coefficients)
        if not self.players:
            return _flat(self.base[name], 0, size).expand(rows, size).reshape(rows, *shape).clone()
        mixed = torch.empty(rows, size)
        for start, end in self._slices(size, self.players):
            base = _flat(self.base[name], start, end)
            torch.addmm(base, coefficients, self._slice(name, start, end), out=mixed[:, start:end])
        return mixed.view(rows, *shape)

    def _slices(self, size: int, rows: int) -> Iterator[tuple[int, int]]:
        step = size if self._kept is not None else max(1, self._memory // (4 * _FLOAT * max(rows, 1)))
        return ((start, min(start + step, size)) for start in range(0, size, max(step, 1)))

    def _slice(self, name: str, start: int, end: int) -> Tensor:
        return self._stacked(name, start, end) if self._kept is None else self._kept[name][:, start:end]

    def _stacked(self, name: str, start: int, end: int) -> Tensor:
        if not self.updates:
            return torch.empty(0, end - start)
        return torch.stack([_flat(update[name], start, end) for update in self.updates])


def _flat(array: NDArray[np.float32], start: int, end: int | None) -> Tensor:
    # reshape of a mapped file reads nothing; the copy reads the slice alone, and what torch gets may be written to.
    return torch.from_numpy(np.array(array.reshape(-1)[start:end], np.float32))
