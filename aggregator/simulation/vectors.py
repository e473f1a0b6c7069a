"""Updates as flat vectors: what attacks and robust rules compute with."""

import numpy as np
from numpy.typing import NDArray

from protocol.parameters import Parameters

Vector = NDArray[np.float32]
"""All tensors of an update one after the other, in the model's order, shape (d,)."""


def flatten(parameters: Parameters) -> Vector:
    """The tensors one after the other, shape (d,)."""
    return np.concatenate([np.asarray(array, np.float32).ravel() for array in parameters.values()])


def unflatten(vector: Vector, like: Parameters) -> dict[str, NDArray[np.float32]]:
    """Inverse of `flatten`, for the shapes of `like`. Raises `ValueError` for a vector of another length.

    >>> unflatten(flatten({"a": np.ones((1, 2)), "b": np.zeros(1)}), {"a": np.ones((1, 2)), "b": np.zeros(1)})
    {'a': array([[1., 1.]], dtype=float32), 'b': array([0.], dtype=float32)}
    """
    if len(vector) != sum(array.size for array in like.values()):
        raise ValueError(f"{len(vector)} numbers do not fill a model of {sum(array.size for array in like.values())}")
    result, at = {}, 0
    for name, array in like.items():
        result[name] = np.array(vector[at : at + array.size], np.float32).reshape(array.shape)
        at += array.size
    return result
