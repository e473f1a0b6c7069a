"""Does an update repeat the parent round's delta, instead of training?

Statistic: cosine to the parent's delta, less the cosine to the virtual nodes of what is left when that delta is projected out.
An honest node goes on in a similar direction, but it also learns something new. Null: the same of virtual nodes.
"""

import numpy as np

from aggregator.evaluation.gate.geometry import Geometry, Raw


def replay(geometry: Geometry) -> Raw | None:
    """Repeated minus fresh; None if there is no parent delta."""
    repeated = geometry.to_parent
    if repeated is None:
        return None
    found = []
    for number in (0, 1):
        basis = geometry.fold(number)
        # Gram matrix of what is left after the delta is projected out of every row.
        to_mean = (geometry.cosines[:, basis] - np.outer(repeated, repeated[basis])).mean(axis=1)
        own = np.sqrt(np.maximum(1 - np.square(repeated), 0))
        mean = np.sqrt(max(to_mean[basis].mean(), 1e-12))
        found.append(repeated - to_mean / (own * mean + 1e-2))
    return geometry.crossed(found)
