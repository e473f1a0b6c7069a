"""Where an update points: into the cone of honest directions, along the virtual nodes, and how much of it they explain.

Null: the same of virtual nodes against the other fold. Sources: cosine to a root update, FLTrust (Cao et al., NDSS 2021),
widened here from one direction to the cone that label-skewed virtual nodes span.
"""

import numpy as np

from aggregator.evaluation.gate.geometry import Geometry, Raw

_RIDGE = 0.1
_MIX_RIDGE = 0.3


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
    """1 − the sum of coefficients on the directions of the strata: near 0 trained, near 1 not trained at all, near 2 flipped.

    The direction of a stratum is what training on it alone adds to the unit update: a ridge regression of the virtual nodes on
    their known mixes. A handful of directions averages the noise of training out, which the nodes themselves carry.
    """
    found = []
    for number in (0, 1):
        basis, mixes = geometry.fold(number), geometry.cohort.mixes[geometry.cohort.folds == number]
        count = mixes.shape[1]
        weights = np.linalg.solve(mixes.T @ mixes + _MIX_RIDGE * np.eye(count), mixes.T)
        products = geometry.cosines[:, basis] @ weights.T
        system = weights @ geometry.cosines[np.ix_(basis, basis)] @ weights.T
        system += _RIDGE * np.trace(system) / count * np.eye(count)
        found.append(1 - np.linalg.solve(system, products.T).sum(axis=0))
    return geometry.crossed(found)


def fit(geometry: Geometry) -> Raw:
    """The part of the update's square that the virtual nodes leave unexplained (1 − R² of a ridge regression on them)."""
    found = []
    for number in (0, 1):
        basis = geometry.fold(number)
        products = geometry.cosines[:, basis]
        system = geometry.cosines[np.ix_(basis, basis)] + _RIDGE * np.eye(len(basis))
        found.append(1 - (np.linalg.solve(system, products.T).T * products).sum(axis=1))
    return geometry.crossed(found)
