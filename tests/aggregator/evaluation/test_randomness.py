import hashlib
from collections import Counter
from itertools import islice, permutations

import pytest

from aggregator.evaluation.randomness import permutation, words

# Computed once by a script of their own from the description alone; a change means that every verifier draws differently.
WORDS = [
    0x58BCEF9C42DF2A06,
    0x0AE09F8A9DB7B9C3,
    0x2563171F8AE81AD2,
    0xCB86670E31B46639,
    0xE558954CBB5C2874,
    0xB769953154910C06,
]
PERMUTATION = (9, 2, 5, 1, 7, 0, 11, 14, 13, 3, 4, 12, 8, 10, 15, 6)

SEED = hashlib.sha256(b"fairshare").digest()


def test_the_stream_is_the_published_one() -> None:
    assert list(islice(words(SEED, "permutations"), 6)) == WORDS
    assert permutation(words(SEED, "permutations"), 16) == PERMUTATION


def test_words_are_sha256_in_counter_mode() -> None:
    blocks = b"".join(hashlib.sha256(SEED + b"purpose" + counter.to_bytes(8, "big")).digest() for counter in range(3))
    assert b"".join(word.to_bytes(8, "big") for word in islice(words(SEED, "purpose"), 12)) == blocks


def test_seed_and_purpose_both_decide() -> None:
    streams = [tuple(islice(words(seed, purpose), 4)) for seed in (SEED, bytes(32)) for purpose in ("a", "b")]
    assert len(set(streams)) == 4


@pytest.mark.parametrize("size", [0, 1, 2, 3, 40])
def test_a_permutation_holds_everything_once(size: int) -> None:
    assert sorted(permutation(words(SEED, "x"), size)) == list(range(size))


def test_all_permutations_are_equally_likely() -> None:
    stream = words(SEED, "uniform")
    counts = Counter(permutation(stream, 4) for _ in range(24 * 400))
    assert set(counts) == set(permutations(range(4)))
    chi_squared = sum((count - 400) ** 2 / 400 for count in counts.values())
    assert chi_squared < 49.7  # the 0.999 quantile for 23 degrees of freedom; the seed is fixed


def test_words_that_would_favour_low_numbers_are_thrown_away() -> None:
    # 2^64 is 1 modulo 3: the last word of all would make 0 likelier than 1 and 2.
    assert permutation(iter([2**64 - 1, 2, 0]), 3) == permutation(iter([2, 0]), 3) == (1, 0, 2)
    assert permutation(iter([2**64 - 2, 0]), 3) == (1, 0, 2)
