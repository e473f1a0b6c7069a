import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from protocol.errors import BodyError, FormatError
from protocol.parameters import (
    TensorLayout,
    decode_tensors,
    encode_parameters,
    layout_difference,
    layout_of,
    model_hash,
    read_parameters,
)

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).filter(lambda name: name != "__metadata__")
# Every bit pattern is drawn: NaNs with payloads, infinities and negative zero travel and are hashed like any other.
arrays = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4).flatmap(
    lambda shape: hnp.arrays("<u4", shape).map(lambda bits: bits.view("<f4"))
)
models = st.dictionaries(names, arrays, max_size=5)
solid_models = models.filter(lambda model: any(array.size for array in model.values()))


def file_of(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(shape: list[int], start: int, end: int, dtype: str = "F32") -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@given(models)
def test_a_model_survives_its_file_to_the_bit_and_in_order(model):
    read = read_parameters(encode_parameters(model), layout_of(model))
    assert list(read) == list(model)
    assert layout_of(read) == layout_of(model)
    assert {name: array.tobytes() for name, array in read.items()} == {name: array.tobytes() for name, array in model.items()}
    assert model_hash(read) == model_hash(model)
    assert all(array.flags.writeable and array.dtype == np.float32 for array in read.values())


@given(models)
def test_the_file_is_the_same_each_time_and_in_any_order(model):
    assert encode_parameters(model) == encode_parameters(dict(reversed(model.items())))


@given(solid_models, st.data())
def test_any_bit_changes_the_hash(model, data):
    name = data.draw(st.sampled_from([name for name, array in model.items() if array.size]))
    flat = bytearray(model[name].tobytes())
    flat[data.draw(st.integers(0, len(flat) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    changed = {**model, name: np.frombuffer(bytes(flat), "<f4").reshape(model[name].shape)}
    assert model_hash(changed) != model_hash(model)


@given(models.filter(bool), names, st.data())
def test_any_name_changes_the_hash(model, new_name, data):
    old_name = data.draw(st.sampled_from(sorted(model)))
    if new_name not in model:
        renamed = {new_name if name == old_name else name: array for name, array in model.items()}
        assert model_hash(renamed) != model_hash(model)


@given(models, names, arrays)
def test_one_more_tensor_changes_the_hash(model, name, array):
    if name not in model:
        assert model_hash({**model, name: array}) != model_hash(model)


@given(models.filter(lambda model: len(model) > 1))
def test_the_order_changes_the_hash(model):
    assert model_hash(dict(reversed(model.items()))) != model_hash(model)


@pytest.mark.parametrize("shape", [(6,), (2, 3), (6, 1), (1, 6), (1, 2, 3)])
def test_the_shape_changes_the_hash(shape: tuple[int, ...]):
    values = np.arange(6, dtype=np.float32)
    others = {model_hash({"w": values.reshape(other)}) for other in [(6,), (2, 3), (6, 1), (1, 6), (1, 2, 3)] if other != shape}
    assert model_hash({"w": values.reshape(shape)}) not in others


def test_memory_layout_does_not_change_hash_or_file():
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    for same in (np.asfortranarray(values), np.ascontiguousarray(values.T).T, np.repeat(values, 2, axis=0)[::2]):
        assert model_hash({"w": same}) == model_hash({"w": values})
        assert encode_parameters({"w": same}) == encode_parameters({"w": values})


@pytest.mark.parametrize("dtype", ["float64", "float16", "int32", ">f4"])
def test_a_model_holds_float32_only(dtype: str):
    model = {"w": np.zeros(2, dtype=dtype)}
    for refuse in (model_hash, encode_parameters):
        with pytest.raises(FormatError, match=r"'w' is .*float32 only"):
            refuse(model)


def test_the_name_that_safetensors_reserves_is_refused():
    model = {"__metadata__": np.zeros(1, np.float32)}
    for refuse in (model_hash, encode_parameters):
        with pytest.raises(FormatError, match="rename"):
            refuse(model)


@given(st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_BodyError(data):
    with contextlib.suppress(BodyError):
        decode_tensors(data)


@given(models, st.data())
def test_damaged_files_raise_nothing_but_BodyError(model, data):
    file = bytearray(encode_parameters(model))
    for _ in range(data.draw(st.integers(1, 3))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BodyError):
        decode_tensors(bytes(file))


@given(models, st.data())
def test_no_part_of_a_file_is_a_file(model, data):
    file = encode_parameters(model)
    with pytest.raises(BodyError, match="not a complete safetensors file"):
        decode_tensors(file[: data.draw(st.integers(0, len(file) - 1))])


@given(models, st.binary(min_size=1, max_size=9))
def test_nothing_may_follow_a_file(model, more):
    with pytest.raises(BodyError):
        decode_tensors(encode_parameters(model) + more)


@pytest.mark.parametrize(
    "file",
    [
        b"",
        bytes(8),
        b"\xff" * 8,
        (1 << 40).to_bytes(8, "little") + b"{}",
        (10**8 + 1).to_bytes(8, "little") + b"{}",
        file_of(b"[" * 100_000),
        file_of(b'{"\xff": 3}'),
        file_of({"w": entry([1], 0, 4)}),
        file_of({"w": entry([1], 4, 8)}, bytes(8)),
        file_of({"w": entry([1], 0, 4)}, bytes(8)),
        file_of({"w": entry([2], 0, 4)}, bytes(4)),
        file_of({"w": entry([-1], 0, 4)}, bytes(4)),
        file_of({"w": entry([1 << 62, 4], 0, 0)}),
        file_of({"w": entry([1], 0, 4, "F33")}, bytes(4)),
        file_of({"v": entry([1], 0, 4), "w": entry([1], 0, 4)}, bytes(4)),
        file_of({"v": entry([2], 0, 8), "w": entry([1], 4, 8)}, bytes(8)),
        b"PK\x03\x04" + bytes(100),
        b"\x80\x02}q\x00." + bytes(100),
    ],
    ids=[
        "empty", "no-header", "endless-header", "huge-header", "header-above-limit", "nested", "not-utf8", "no-data", "hole",
        "more-data", "too-little-data", "negative", "overflow", "unknown-dtype", "same-data-twice", "overlap", "zip", "pickle",
    ],
)  # fmt: skip
def test_what_is_not_a_safetensors_file_is_a_BodyError(file: bytes):
    with pytest.raises(BodyError, match="not a complete safetensors file"):
        decode_tensors(file)


def test_a_header_that_names_a_tensor_twice_is_read_one_way():
    one, two = json.dumps(entry([1], 0, 4)), json.dumps(entry([1], 0, 4))
    tensors = decode_tensors(file_of(f'{{"w":{one},"w":{two}}}'.encode(), np.float32(7).tobytes()))
    assert {name: tensor.data for name, tensor in tensors.items()} == {"w": np.float32(7).tobytes()}


def test_other_dtypes_decode_and_are_then_refused_by_the_layout():
    file = file_of({"w": entry([2], 0, 4, "F16")}, bytes(4))
    assert decode_tensors(file)["w"].layout == TensorLayout("w", "F16", (2,))
    with pytest.raises(FormatError, match="'w' has dtype F16, expected F32"):
        read_parameters(file, (TensorLayout("w", "F32", (2,)),))


def test_the_first_difference_from_the_layout_is_named():
    model = {"b": np.zeros((2, 3), np.float32), "a": np.zeros((), np.float32)}
    layout, tensors = layout_of(model), decode_tensors(encode_parameters(model))
    assert layout_difference(tensors, layout) is None
    assert layout_difference({"b": tensors["b"]}, layout) == "tensor 'a' is missing"
    assert layout_difference(tensors, layout[:1]) == "tensor 'a' is not part of the model"
    moved = (TensorLayout("b", "F32", (3, 2)), layout[1])
    assert layout_difference(tensors, moved) == "tensor 'b' has shape (2, 3), expected (3, 2)"
    with pytest.raises(FormatError, match="'b' has shape"):
        read_parameters(encode_parameters(model), moved)


def test_a_body_that_fails_the_layout_is_told_from_one_that_is_no_file():
    with pytest.raises(FormatError) as caught:
        read_parameters(encode_parameters({}), (TensorLayout("w", "F32", (1,)),))
    assert not isinstance(caught.value, BodyError)
