"""From contributions to scores: integers only, so that everybody gets the same ones.

Source: largest-remainder apportionment (Hamilton's method; Balinski and Young, Fair Representation, 1982).
"""

from collections.abc import Sequence

from eth_utils.crypto import keccak

from protocol.errors import FormatError

SCORE_TOTAL = 10_000_000
"""S: the scores of a paying round sum to exactly this. Three bytes hold any single score."""

SCORE_BYTES = 3


def score_basis(contribution: int, standard_error: int, z_thousandths: int) -> int:
    """max(0, 1000·φ − z·SE): what a node is paid in proportion to, on the round's common denominator.

    >>> score_basis(5, 2, 0), score_basis(5, 2, 1500), score_basis(-5, 2, 0)
    (5000, 2000, 0)
    """
    return max(0, 1000 * contribution - z_thousandths * standard_error)


def gain_tolerance(shards: int, utility: int) -> int:
    """What U(N) − U(∅) may be off by: two sums over the evaluation shards, each of their terms within `utility` of the truth.

    Nobody is paid for a gain that is not above it: it may be no gain at all. The header of the evidence carries it.

    >>> gain_tolerance(3, 64)
    384
    """
    return 2 * shards * utility


def largest_remainder(bases: Sequence[int], total: int = SCORE_TOTAL) -> tuple[int, ...]:
    """Apportion `total` in proportion to non-negative integer `bases`; ties go to the lower position.

    The result sums to exactly `total`, or is all zero if every basis is zero. Each share differs from its exact quota by
    less than one unit. Raises `ValueError` for a negative basis.

    >>> largest_remainder([1, 1, 1], 10)
    (4, 3, 3)
    """
    if any(basis < 0 for basis in bases):
        raise ValueError("score bases are not negative: a negative contribution has basis zero")
    whole = sum(bases)
    if whole == 0:
        return (0,) * len(bases)
    shares, remainders = zip(*(divmod(basis * total, whole) for basis in bases), strict=True)
    missing = total - sum(shares)
    lucky = set(sorted(range(len(bases)), key=lambda i: (-remainders[i], i))[:missing])
    return tuple(share + (position in lucky) for position, share in enumerate(shares))


def pack_scores(scores: Sequence[int]) -> bytes:
    """Scores by node index as big-endian uint24; all zero packs to nothing, the only encoding of a round that pays nobody.

    Raises `OverflowError` if a score does not fit 24 bits.
    """
    if not any(scores):
        return b""
    return b"".join(score.to_bytes(SCORE_BYTES) for score in scores)


def scores_hash(packed: bytes) -> bytes:
    """`Attestation.scores_hash`: keccak256 of the packed scores, as the RoundLedger computes it."""
    return keccak(packed)


def unpack_scores(packed: bytes) -> tuple[int, ...]:
    """One score per node index, the inverse of `pack_scores`; none if the round pays nobody.

    Raises `FormatError` if the bytes are not a whole number of scores.
    """
    if len(packed) % SCORE_BYTES:
        raise FormatError(f"packed scores have {SCORE_BYTES} bytes each, {len(packed)} bytes are no whole number of them")
    return tuple(int.from_bytes(packed[at : at + SCORE_BYTES]) for at in range(0, len(packed), SCORE_BYTES))
