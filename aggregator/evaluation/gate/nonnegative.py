"""Non-negative least squares from a Gram matrix, for many targets at once.

Coordinate descent (Franc, Hlaváč, Navara: Sequential coordinate-wise algorithm for the non-negative least squares problem, CAIP
2005): a fixed number of sweeps, so that the result moves continuously with its inputs, which an active set does not promise.
"""

import numpy as np
from numpy.typing import NDArray

_SWEEPS = 60
_RIDGE = 1e-3


def nonnegative_coefficients(gram: NDArray[np.float64], products: NDArray[np.float64]) -> NDArray[np.float64]:
    """argmin_{x ≥ 0} ½·xᵀ(G + 10⁻³·I)x − xᵀb for every row b of `products`; shapes (k, k), (n, k) → (n, k)."""
    system = gram + _RIDGE * np.eye(len(gram))
    solution = np.zeros_like(products)
    for _ in range(_SWEEPS):
        for k in range(len(system)):
            slope = products[:, k] - solution @ system[:, k]
            solution[:, k] = np.maximum(0, solution[:, k] + slope / system[k, k])
    return solution
