"""The samples of one holder, and the bytes that stand for them: a shard or a root set is named by their SHA-256."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import numpy as tensor_file
from torch import Tensor

from learning.errors import DataError

_DTYPES = (torch.float32, torch.int64)


@dataclass(frozen=True, eq=False)
class Data:
    """Samples and what they should be mapped to.

    `features`: float32 or int64, shape (samples, ...). `targets`: int64 (classes) or float32, shape (samples, ...).
    Both on the CPU, of the same length, never empty, every float finite.

    Raises `DataError` if anything of this does not hold.
    """

    features: Tensor
    targets: Tensor

    def __post_init__(self) -> None:
        for name, tensor in (("features", self.features), ("targets", self.targets)):
            _check(name, tensor)
        if len(self.features) != len(self.targets):
            raise DataError(f"{len(self.features)} samples but {len(self.targets)} targets: give every sample exactly one target")

    def __len__(self) -> int:
        return len(self.features)

    @property
    def labels(self) -> frozenset[int]:
        """The classes that there are samples of; empty if the targets are not one class a sample."""
        is_class = self.targets.dtype == torch.int64 and self.targets.ndim == 1
        return frozenset(self.targets.tolist()) if is_class else frozenset()

    def take(self, indices: NDArray[np.int64]) -> "Data":
        """The samples at `indices`, in that order. Raises `DataError` if there are none."""
        chosen = torch.from_numpy(np.array(indices, dtype=np.int64))
        return Data(self.features[chosen], self.targets[chosen])


def _check(name: str, tensor: Tensor) -> None:
    if not isinstance(tensor, Tensor):
        raise DataError(f"{name} is a {type(tensor).__name__}, not a torch tensor: convert it with torch.tensor(...)")
    if tensor.dtype not in _DTYPES:
        raise DataError(f"{name} has dtype {tensor.dtype}: convert it with .float() or .long()")
    if tensor.layout != torch.strided or tensor.device.type != "cpu":
        raise DataError(f"{name} is {tensor.layout} on {tensor.device}: convert it with .to_dense() or .cpu()")
    if tensor.ndim == 0 or tensor.numel() == 0:
        raise DataError(
            f"{name} has shape {tuple(tensor.shape)}: there is not one sample in it: name another source, or check the file"
        )
    if tensor.is_floating_point():
        bad = (~torch.isfinite(tensor)).flatten(1).any(1) if tensor.ndim > 1 else ~torch.isfinite(tensor)
        if bool(bad.any()):
            first = int(bad.nonzero()[0])
            raise DataError(f"{name} of {int(bad.sum())} samples are not finite, sample {first} first: drop or impute them")


def encode_data(data: Data) -> bytes:
    """The canonical bytes of `data`: a safetensors file of `features` and `targets`, equal data giving equal bytes."""
    arrays = {"features": data.features, "targets": data.targets}
    return tensor_file.save({name: np.ascontiguousarray(tensor.detach().numpy()) for name, tensor in arrays.items()})


def decode_data(encoded: bytes) -> Data:
    """Inverse of `encode_data`. Raises `DataError` for anything that `encode_data` cannot have written."""
    try:
        arrays = tensor_file.load(encoded)
    except (SafetensorError, KeyError, ValueError) as error:  # the last two: dtypes and shapes unknown to numpy
        raise DataError(f"not a complete safetensors file of samples: {error}") from error
    if set(arrays) != {"features", "targets"}:
        raise DataError(f"a file of samples holds features and targets, this one holds {sorted(arrays)}")
    if any(array.dtype not in (np.float32, np.int64) for array in arrays.values()):
        raise DataError("a file of samples holds float32 or int64 only")
    data = Data(torch.from_numpy(arrays["features"]), torch.from_numpy(arrays["targets"]))
    if encode_data(data) != encoded:
        # Otherwise one set of samples had many names.
        raise DataError("the samples are not in their canonical encoding: write them with encode_data")
    return data
