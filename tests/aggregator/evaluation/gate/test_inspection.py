import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from aggregator.evaluation.gate.inspection import inspect
from protocol.parameters import encode_parameters, layout_of, model_hash
from protocol.verdicts import Reason

MODEL = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([1, 2], np.float32), "s": np.array(3, np.float32)}
LAYOUT = layout_of(MODEL)
BODY = encode_parameters(MODEL)


def changed(**tensors: object) -> bytes:
    found = {**MODEL, **{name: np.asarray(tensor) for name, tensor in tensors.items()}}
    return save(found)


def by_hand(header: object, data: bytes = bytes(36)) -> bytes:
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + data


def entry(shape: list[object], start: object, end: object, dtype: object = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


REST = {"b": entry([2], 24, 32), "s": entry([], 32, 36)}


def test_a_good_update_is_all_there() -> None:
    found = inspect(BODY, LAYOUT)
    assert (found.fault, found.fingerprint) == (None, model_hash(MODEL))
    assert found.parameters is not None
    assert list(found.parameters) == list(MODEL)
    assert all(np.array_equal(found.parameters[name], array) for name, array in MODEL.items())


def test_the_encoding_of_the_file_is_not_part_of_the_fingerprint() -> None:
    reordered = {"s": entry([], 0, 4), "b": entry([2], 4, 12), "w": entry([2, 3], 12, 36)}
    data = b"".join(MODEL[name].tobytes() for name in reordered)
    other = by_hand({"__metadata__": {"format": "pt"}, **reordered}, data)
    assert other != BODY
    assert inspect(other, LAYOUT).fingerprint == inspect(BODY, LAYOUT).fingerprint == model_hash(MODEL)


@pytest.mark.parametrize(
    ("reason", "body"),
    {
        "absent": (Reason.NO_BODY, None),
        "empty": (Reason.UNDECODABLE, b""),
        "no safetensors": (Reason.UNDECODABLE, b"\x80\x04K\x01." * 50),
        "cut short": (Reason.UNDECODABLE, BODY[:-1]),
        "cut in the header": (Reason.UNDECODABLE, BODY[:30]),
        "too long": (Reason.UNDECODABLE, BODY + b"\0"),
        "header of 2^64 - 1 bytes": (Reason.UNDECODABLE, b"\xff" * 8 + BODY),
        "header too deep": (Reason.UNDECODABLE, by_hand(b'{"a":' * 100_000)),
        "header of other JSON": (Reason.UNDECODABLE, by_hand([1, 2])),
        "shape that overflows": (Reason.UNDECODABLE, by_hand({"w": entry([2**62, 4, 0], 0, 24), **REST})),
        "shape of two elements fewer": (Reason.UNDECODABLE, by_hand({"w": entry([2, 2], 0, 24), **REST})),
        "negative shape": (Reason.UNDECODABLE, by_hand({"w": entry([-2, -3], 0, 24), **REST})),
        "unknown dtype": (Reason.UNDECODABLE, by_hand({"w": entry([2, 3], 0, 24, "F33"), **REST})),
        "overlapping tensors": (
            Reason.UNDECODABLE,
            by_hand({"w": entry([2, 3], 0, 24), "b": entry([2], 20, 28), "s": REST["s"]}),
        ),
        "no tensors": (Reason.WRONG_TENSORS, by_hand({}, b"")),
        "missing tensor": (Reason.WRONG_TENSORS, encode_parameters({"w": MODEL["w"], "b": MODEL["b"]})),
        "extra tensor": (Reason.WRONG_TENSORS, changed(more=np.zeros(1, np.float32))),
        "transposed": (Reason.WRONG_TENSORS, changed(w=MODEL["w"].T.copy())),
        "vector of one for a scalar": (Reason.WRONG_TENSORS, changed(s=np.ones(1, np.float32))),
        "float64": (Reason.WRONG_TENSORS, changed(b=np.array([1, 2], np.float64))),
        "integers": (Reason.WRONG_TENSORS, changed(b=np.array([1, 2], np.int32))),
        "half precision": (Reason.WRONG_TENSORS, changed(b=np.array([1, 2], np.float16))),
        "NaN": (Reason.NOT_FINITE, changed(b=np.array([1, np.nan], np.float32))),
        "infinity": (Reason.NOT_FINITE, changed(s=np.float32(np.inf))),
        "minus infinity": (Reason.NOT_FINITE, changed(s=np.float32(-np.inf))),
    }.values(),
    ids=lambda value: "" if not isinstance(value, Reason) else value.code,
)
def test_every_fault_has_its_reason(reason: Reason, body: bytes | None) -> None:
    found = inspect(body, LAYOUT)
    assert (found.fault, found.parameters) == (reason, None)
    assert any(found.fingerprint) == (reason is Reason.NOT_FINITE)


@given(st.lists(st.tuples(st.integers(0, len(BODY) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_no_damage_to_a_body_is_more_than_a_fault(damage: list[tuple[int, int]]) -> None:
    body = bytearray(BODY)
    for position, value in damage:
        body[position] = value
    found = inspect(bytes(body), LAYOUT)
    assert (found.parameters is None) == (found.fault is not None)


@given(st.binary(max_size=200))
def test_random_bytes_are_undecodable(body: bytes) -> None:
    assert inspect(body, LAYOUT).fault is Reason.UNDECODABLE


def test_negative_zero_denormals_and_the_largest_numbers_are_numbers() -> None:
    extremes = {
        "w": np.array([[-0.0, 1e-45, -1e-45], [3.4028235e38, -3.4028235e38, 0]], np.float32),
        "b": MODEL["b"],
        "s": MODEL["s"],
    }
    found = inspect(encode_parameters(extremes), LAYOUT)
    assert found.fault is None
    assert found.parameters is not None
    assert found.parameters["w"].tobytes() == extremes["w"].tobytes()
