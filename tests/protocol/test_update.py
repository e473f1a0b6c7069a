import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import CommitmentError
from protocol.update import body_hash, check_opening, commitment, new_salt

hashes = st.binary(min_size=32, max_size=32)
openings = st.tuples(hashes, st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 32) - 1), hashes, hashes)


@given(openings)
def test_a_commitment_opens_with_what_it_was_made_of(opening):
    check_opening(commitment(*opening), *opening)


@given(openings, openings, st.integers(0, 4))
def test_it_opens_with_nothing_else(opening, other, position):
    changed = (*opening[:position], other[position], *opening[position + 1 :])
    if changed != opening:
        with pytest.raises(CommitmentError):
            check_opening(commitment(*opening), *changed)


def test_a_copied_commitment_does_not_open_for_the_copier():
    federation, salt, hashed = b"f" * 32, b"s" * 32, body_hash(b"body")
    victims = commitment(federation, 1, 4, salt, hashed)
    with pytest.raises(CommitmentError, match="node 5 signed for round 1: send the body that was trained"):
        check_opening(victims, federation, 1, 5, salt, hashed)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_salt_has_32_bytes_even_if_the_hash_fits(length: int):
    federation, hashed = b"f" * 32, body_hash(b"body")
    committed = commitment(federation, 1, 4, bytes(length), hashed)
    with pytest.raises(CommitmentError):
        check_opening(committed, federation, 1, 4, bytes(length), hashed)


def test_salts_do_not_repeat():
    salts = {new_salt() for _ in range(100)}
    assert len(salts) == 100
    assert {len(salt) for salt in salts} == {32}
