"""Where the updates of a round lie relative to each other, to the virtual honest nodes and to the parent's delta."""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aggregator.evaluation.gate.cohort import Cohort
from aggregator.evaluation.gate.nonnegative import nonnegative_coefficients
from aggregator.evaluation.gram import gram_of, scaled_blocks
from protocol.parameters import Parameters

Values = NDArray[np.float64]


class Raw(NamedTuple):
    """One statistic before it is standardised: of the real nodes, shape (n,), and of the virtual ones, shape (K,)."""

    nodes: Values
    virtual: Values


class Geometry:
    """Cosines between n real updates, K virtual ones and the parent's delta, from one Gram matrix.

    Real nodes are measured against each fold of virtual ones and averaged, virtual nodes against the fold that is not theirs.
    """

    def __init__(self, updates: Sequence[Parameters], cohort: Cohort, parent_delta: Parameters | None) -> None:
        self.updates, self.cohort = updates, cohort
        self.n, self.k = len(updates), len(cohort.updates)
        parent = [] if parent_delta is None else [parent_delta]
        self._rows = (*updates, *cohort.updates, *parent)
        self._gram = gram_of(self._rows)
        self.virtual = np.arange(self.n, self.n + self.k)

    @property
    def cosines(self) -> Values:
        """Real nodes first, then virtual ones; shape (n + K, n + K)."""
        return self._gram.cosines[: self.n + self.k, : self.n + self.k]

    @property
    def norms(self) -> Raw:
        """L2 norms."""
        return Raw(self._gram.norms[: self.n], self._gram.norms[self.n : self.n + self.k])

    @property
    def to_parent(self) -> Values | None:
        """Cosine of every row to the parent's delta, shape (n + K,); None if there is no delta or it is zero."""
        at = self.n + self.k
        if len(self._rows) == at or not self._gram.norms[at]:
            return None
        return self._gram.cosines[:at, at]

    def fold(self, number: int) -> NDArray[np.int64]:
        """Row numbers of the virtual nodes of a fold."""
        rows: NDArray[np.int64] = self.virtual[self.cohort.folds == number]
        return rows

    def crossed(self, of_fold: Sequence[Values]) -> Raw:
        """`of_fold[f]`: every row's value against fold f, shape (n + K,)."""
        both = np.stack(of_fold)
        own = self.cohort.folds
        return Raw(both[:, : self.n].mean(axis=0), both[1 - own, self.virtual])

    @cached_property
    def coefficients(self) -> tuple[Values, Values]:
        """Every row's non-negative least squares coefficients on the nodes of fold 0 and of fold 1."""
        return self._project(0), self._project(1)

    def _project(self, number: int) -> Values:
        basis = self.fold(number)
        return nonnegative_coefficients(self.cosines[np.ix_(basis, basis)], self.cosines[:, basis])

    @cached_property
    def mixes(self) -> tuple[Values, Values]:
        """What each row was trained on, as far as its coefficients tell: shares of strata, (n, strata) and (K, strata).

        A node's coefficients weigh the known mixes of the virtual nodes; a row outside the cone gets their average.
        """
        found = []
        for number, coefficients in enumerate(self.coefficients):
            known = self.cohort.mixes[self.cohort.folds == number]
            weights = coefficients + 1e-3
            found.append(weights @ known / weights.sum(axis=1, keepdims=True))
        own = self.cohort.folds
        return (found[0] + found[1])[: self.n] / 2, np.stack(found)[1 - own, self.virtual]

    @cached_property
    def whitened_energy(self) -> Raw:
        """log Σ_j û_j² / (d·m_j + 0.1): û the unit row, d parameters, m_j the mean square of the fold's unit rows there."""
        rows = self._rows[: self.n + self.k]
        parameters = sum(array.size for array in rows[0].values())
        exponents = self._gram.exponents[: self.n + self.k]
        lengths = np.ldexp(self._gram.norms[: self.n + self.k], -exponents)
        inverse = np.divide(1, np.square(lengths), out=np.zeros_like(lengths), where=lengths > 0)
        # Rows of the two folds as weights of a mean square, so that unit rows need never be made.
        usual_of = np.zeros((2, len(rows)), np.float32)
        for number in (0, 1):
            usual_of[number, self.fold(number)] = parameters * inverse[self.fold(number)] / len(self.fold(number))
        sums = np.zeros((2, len(rows)))
        for block in scaled_blocks(rows, exponents):
            np.square(block, out=block)
            sums += (block @ (1 / (usual_of @ block + np.float32(0.1))).T).T
        sums *= inverse
        return self.crossed(list(np.log(sums + 1e-12)))
