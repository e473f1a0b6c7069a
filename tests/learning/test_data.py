import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import save

from learning.data import Data, decode_data, encode_data
from learning.errors import DataError

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def data(draw: st.DrawFn) -> Data:
    samples = draw(st.integers(1, 6))
    tail = draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3))
    features = draw(hnp.arrays(np.float32, (samples, *tail), elements=FLOATS) | hnp.arrays(np.int64, (samples, *tail)))
    targets = draw(hnp.arrays(np.int64, (samples,)) | hnp.arrays(np.float32, (samples, 1), elements=FLOATS))
    return Data(torch.from_numpy(features), torch.from_numpy(targets))


@given(data())
def test_the_encoding_gives_back_the_data_bit_for_bit(original: Data) -> None:
    decoded = decode_data(encode_data(original))
    for before, after in ((original.features, decoded.features), (original.targets, decoded.targets)):
        assert before.dtype == after.dtype
        assert before.numpy().tobytes() == after.numpy().tobytes()
        assert before.shape == after.shape


@given(data())
def test_the_encoding_does_not_depend_on_memory_layout(original: Data) -> None:
    strided = torch.stack([original.features, original.features], dim=-1)[..., 0]
    assert encode_data(Data(strided, original.targets)) == encode_data(original)


@given(data(), st.data())
def test_no_changed_byte_decodes_to_the_same_data(original: Data, choice: st.DataObject) -> None:
    encoded = bytearray(encode_data(original))
    encoded[choice.draw(st.integers(0, len(encoded) - 1))] ^= choice.draw(st.integers(1, 255))
    try:
        decoded = decode_data(bytes(encoded))
    except DataError:
        return
    assert encode_data(decoded) == bytes(encoded)


@given(st.binary(max_size=200))
def test_garbage_is_a_data_error(garbage: bytes) -> None:
    with pytest.raises(DataError):
        decode_data(garbage)


def test_the_bytes_are_the_published_ones() -> None:
    small = Data(torch.tensor([[0.5, -1.0], [2.0, 0.0]]), torch.tensor([3, 0]))
    digest = "9c62b5657a3389e7f7bd9af56907d822500e5f7584ff5e3cfa007fa18b13bfd1"
    assert hashlib.sha256(encode_data(small)).hexdigest() == digest


@pytest.mark.parametrize(
    "tensors",
    [
        {"features": np.ones((2, 1), np.float32)},
        {"features": np.ones((2, 1), np.float32), "targets": np.ones(2, np.int64), "more": np.ones(2, np.int64)},
        {"features": np.ones((2, 1), np.float64), "targets": np.ones(2, np.int64)},
        {"features": np.ones((2, 1), np.float32), "targets": np.ones(3, np.int64)},
        {"features": np.full((2, 1), np.nan, np.float32), "targets": np.ones(2, np.int64)},
    ],
    ids=["missing", "extra", "float64", "lengths", "nan"],
)
def test_a_file_of_other_tensors_is_refused(tensors: dict[str, np.ndarray]) -> None:
    with pytest.raises(DataError):
        decode_data(save(tensors))


def test_a_second_encoding_of_the_same_samples_is_refused() -> None:
    tensors: dict[str, np.ndarray] = {"features": np.ones((2, 1), np.float32), "targets": np.ones(2, np.int64)}
    with pytest.raises(DataError, match="canonical"):
        decode_data(save(tensors, metadata={"note": "same samples, other bytes"}))


@pytest.mark.parametrize(
    ("features", "targets", "message"),
    [
        (torch.ones(3, 2), torch.ones(2, dtype=torch.int64), "3 samples but 2 targets"),
        (torch.ones(0, 2), torch.ones(0, dtype=torch.int64), "not one sample"),
        (torch.tensor(1.0), torch.ones(1), "not one sample"),
        (torch.ones(2, 2).double(), torch.ones(2), r"\.float\(\)"),
        (torch.ones(2, 2), torch.ones(2, dtype=torch.int32), "targets has dtype"),
        (torch.tensor([[1.0], [torch.inf], [torch.nan]]), torch.ones(3), "of 2 samples are not finite, sample 1 first"),
        (torch.ones(2, 2), torch.tensor([1.0, torch.nan]), "targets of 1 samples"),
        (torch.ones(2, 2).to_sparse(), torch.ones(2), "to_dense"),
        ([[1.0]], torch.ones(1), "list, not a torch tensor"),
    ],
)
def test_unusable_samples_say_what_is_wrong(features: torch.Tensor, targets: torch.Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Data(features, targets)


def test_take_keeps_the_asked_order() -> None:
    whole = Data(torch.arange(5.0)[:, None], torch.arange(5))
    assert whole.take(np.array([4, 0, 4])).targets.tolist() == [4, 0, 4]
    with pytest.raises(DataError, match="not one sample"):
        whole.take(np.array([], dtype=np.int64))
