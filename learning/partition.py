"""Dividing samples: a fixed order whose every prefix is stratified, and shares that are even or label-skewed.

Everything is drawn from numpy's `RandomState`, whose streams are frozen for ever (NEP 19): a share named in a README or a
config today is the same share under any later numpy. Seeds are 0 … 2^32 - 1.
"""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learning.errors import DataError

Indices = NDArray[np.int64]


class Share(NamedTuple):
    """One of several shares of the same samples; `number` counts from 1."""

    number: int
    parts: int
    even: bool


def parse_share(text: str) -> Share | None:
    """Read "3/8" (third of eight label-skewed shares) or "3/8 iid" (of eight even ones); None for anything else."""
    match = re.fullmatch(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,8})( iid)?", text)
    if match is None or int(match[1]) > int(match[2]):
        return None
    return Share(int(match[1]), int(match[2]), match[3] is not None)


def stratified_order(targets: Indices, seed: int) -> Indices:
    """A permutation in which every prefix holds each class in its overall proportion.

    `targets`: (samples,) class indices. A class of n of N samples, one of L classes, is off by at most 1/2 + L·n / (2·N)
    samples in any prefix: one sample where the classes are equally large.
    """
    random = np.random.RandomState(seed)
    position = np.empty(len(targets))
    for label in np.unique(targets):
        members = random.permutation(np.flatnonzero(targets == label))
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.lexsort((np.arange(len(targets)), targets, position))


def even_shares(samples: int, parts: int, seed: int) -> tuple[Indices, ...]:
    """Shuffled shares of equal size, give or take one sample. Raises `DataError` for more parts than samples."""
    _check_parts(samples, parts)
    order = np.random.RandomState(seed).permutation(samples)
    return tuple(np.sort(share) for share in np.array_split(order, parts))


def dirichlet_shares(targets: Indices, parts: int, alpha: float, seed: int, minimum: int = 1) -> tuple[Indices, ...]:
    """Label-skewed shares: each class is divided among the parts by proportions drawn from Dirichlet(`alpha`).

    The usual model of non-IID nodes (Hsu, Qi, Brown 2019, arXiv 1909.06335); a smaller `alpha` is more skewed. `targets`:
    (samples,) class indices. A share below `minimum` samples is filled up from the largest ones, which draws again would
    not do for many parts. Returns disjoint, covering index arrays, each ascending and at least `minimum` long.

    Raises `DataError` if there are not `parts` × `minimum` samples, or `alpha` is not a positive number.
    """
    _check_parts(len(targets), parts, minimum)
    if not 0 < alpha < float("inf"):
        raise DataError(f"alpha is {alpha}: it must be a positive number")
    random = np.random.RandomState(seed)
    owner = np.empty(len(targets), dtype=np.int64)
    for label in np.unique(targets):
        members = random.permutation(np.flatnonzero(targets == label))
        bounds = np.floor(np.cumsum(_proportions(random, alpha, parts)) * len(members))
        owner[members] = np.minimum(np.searchsorted(bounds, np.arange(len(members)), side="right"), parts - 1)
    _fill_up(owner, parts, minimum, random)
    return tuple(np.flatnonzero(owner == part) for part in range(parts))


def _proportions(random: np.random.RandomState, alpha: float, parts: int) -> NDArray[np.float64]:
    drawn = random.standard_gamma(alpha, parts)
    if not drawn.any():
        # A tiny alpha underflows every gamma; its limit gives the class to one part.
        drawn[random.randint(parts)] = 1.0
    proportions: NDArray[np.float64] = drawn / drawn.sum()
    return proportions


def _fill_up(owner: Indices, parts: int, minimum: int, random: np.random.RandomState) -> None:
    sizes = np.bincount(owner, minlength=parts)
    for part in np.flatnonzero(sizes < minimum):
        while sizes[part] < minimum:
            largest = int(sizes.argmax())
            owner[random.choice(np.flatnonzero(owner == largest))] = part
            sizes[largest] -= 1
            sizes[part] += 1


def _check_parts(samples: int, parts: int, minimum: int = 1) -> None:
    if parts < 1 or minimum < 1 or samples < parts * minimum:
        raise DataError(f"{samples} samples cannot be divided into {parts} shares of at least {minimum}: ask for fewer")
