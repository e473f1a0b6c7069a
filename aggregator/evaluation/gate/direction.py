"""Where an update points: into the cone of honest directions, along the virtual nodes, and how much of it they explain.

Null: the same of virtual nodes against the other fold. Sources: cosine to a root update, FLTrust (Cao et al., NDSS 2021),
widened here from one direction to the cone that label-skewed virtual nodes span.
"""

import numpy as np

from aggregator.evaluation.gate.geometry import Geometry, Raw, Values

_RIDGE = 0.1


def cone(geometry: Geometry) -> Raw:
    """1 − cosine between an update and its projection into the cone (non-negative least squares)."""
    found = []
    for number, coefficients in enumerate(geometry.coefficients):
        basis = geometry.fold(number)
        inside = (coefficients * geometry.cosines[:, basis]).sum(axis=1)
        length = np.sqrt(np.einsum("nk,kl,nl->n", coefficients, geometry.cosines[np.ix_(basis, basis)], coefficients))
        found.append(1 - inside / np.maximum(length, 1e-3))
    return geometry.crossed(found)


def affine(geometry: Geometry) -> Raw:
    """1 − the sum of ridge coefficients on the virtual nodes: near 0 trained, near 1 not trained at all, near 2 flipped."""
    return geometry.crossed([1 - coefficients.sum(axis=1) for coefficients, _ in map(_ridge, (geometry,) * 2, (0, 1))])


def fit(geometry: Geometry) -> Raw:
    """The part of the update's square that the virtual nodes leave unexplained (1 − R² of the same ridge regression)."""
    return geometry.crossed([1 - explained for _, explained in map(_ridge, (geometry,) * 2, (0, 1))])


def _ridge(geometry: Geometry, number: int) -> tuple[Values, Values]:
    basis = geometry.fold(number)
    products = geometry.cosines[:, basis]
    system = geometry.cosines[np.ix_(basis, basis)] + _RIDGE * np.eye(len(basis))
    coefficients: Values = np.linalg.solve(system, products.T).T.astype(np.float64)
    explained: Values = (coefficients * products).sum(axis=1)
    return coefficients, explained
