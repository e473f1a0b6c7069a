from dataclasses import replace

import pytest

from protocol.errors import FormatError
from protocol.inputs import BoundInputs, round_seed, shards_hash

BOUND = BoundInputs(3, bytes(32), b"\x01" * 32, b"\x02" * 32, b"\x03" * 32, (b"a" * 32, b"b" * 32), b"r" * 32)


@pytest.mark.parametrize(
    "change",
    [
        {"parent": 4},
        {"config_hash": b"x" * 32},
        {"task_hash": b"x" * 32},
        {"base_model": b"x" * 32},
        {"parent_evidence": b"x" * 32},
        {"root_set": b"x" * 32},
        {"shards": (b"b" * 32, b"a" * 32)},
        {"shards": (b"a" * 32,)},
        {"shards": ()},
    ],
)
def test_every_input_is_bound(change: dict):
    assert replace(BOUND, **change).digest() != BOUND.digest()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"parent": 1 << 64}, "parent = "),
        ({"parent": -1}, "parent = "),
        ({"config_hash": b"short"}, "config hash = "),
        ({"parent_evidence": b""}, "parent evidence = "),
        ({"root_set": bytes(33)}, "root set = "),
        ({"shards": (b"short",)}, "shards = "),
    ],
)
def test_short_hashes_are_refused_and_not_padded(change: dict, named: str):
    with pytest.raises(FormatError, match=named):
        replace(BOUND, **change).digest()


def test_shards_are_hashed_in_order():
    assert shards_hash((b"a" * 32, b"b" * 32)) != shards_hash((b"b" * 32, b"a" * 32))


def test_the_seed_depends_on_everything_it_is_made_of():
    one, two = b"1" * 32, b"2" * 32
    seeds = {round_seed(a, n, b, c) for a in (one, two) for n in (1, 2) for b in (one, two) for c in (one, two)}
    assert len(seeds) == 16
