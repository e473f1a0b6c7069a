import hashlib

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from learning.calls import load_data
from learning.data import Data, encode_data
from learning.errors import DataError, UnknownSourceError
from learning.task import Task


def _rows(*parts: Data) -> list[bytes]:
    return sorted(row.numpy().tobytes() for part in parts for row in part.features)


def test_evaluation_root_and_training_are_all_samples_each_once(digits: Task) -> None:
    parts = [digits.load(source) for source in ("evaluation", "root", "training")]
    assert [len(part) for part in parts] == [360, 90, 1347]
    original = Data(torch.from_numpy((load_digits().data / 16).astype(np.float32)), torch.zeros(1797))
    assert _rows(*parts) == _rows(original)


def test_every_part_holds_every_digit_in_proportion(digits: Task) -> None:
    for source, samples in (("evaluation", 360), ("root", 90)):
        counts = np.bincount(digits.load(source).targets.numpy(), minlength=10)
        assert (abs(counts - samples / 10) <= 1.5).all(), source


def test_the_samples_keep_their_labels(digits: Task) -> None:
    labels = {row.tobytes(): label for row, label in zip(load_digits().data, load_digits().target, strict=True)}
    part = digits.load("4/5")
    for pixels, label in zip((part.features * 16).double().numpy(), part.targets.tolist(), strict=True):
        assert labels[pixels.tobytes()] == label


@pytest.mark.parametrize("suffix", ["", " iid"])
@pytest.mark.parametrize("parts", [1, 2, 8, 33, 64])
def test_shares_are_the_training_data_each_once_and_never_small(digits: Task, parts: int, suffix: str) -> None:
    shares = [digits.load(f"{number}/{parts}{suffix}") for number in range(1, parts + 1)]
    assert _rows(*shares) == _rows(digits.load("training"))
    assert min(map(len, shares)) >= min(20, 1347 // (2 * parts))


def test_the_eight_shares_are_skewed_and_the_even_ones_are_not(digits: Task) -> None:
    def largest_class(suffix: str) -> float:
        shares = [digits.load(f"{number}/8{suffix}").targets.numpy() for number in range(1, 9)]
        return float(np.mean([np.bincount(share).max() / len(share) for share in shares]))

    assert largest_class("") > 0.3
    assert largest_class(" iid") < 0.2


def test_the_shards_have_the_published_hashes(digits: Task) -> None:
    hashes = {
        source: hashlib.sha256(encode_data(digits.load(source))).hexdigest()[:16] for source in ("evaluation", "root", "3/8")
    }
    assert hashes == {"evaluation": "39bb89118a8e4de1", "root": "341ea7a32a66e875", "3/8": "1423680fd85f943a"}


@pytest.mark.parametrize("source", [None, "", "test", "0/8", "9/8", "evaluation ", "../root"])
def test_any_other_source_is_refused_with_the_ones_there_are(digits: Task, source: str | None) -> None:
    with pytest.raises(UnknownSourceError, match="evaluation, root, training, a share such as 3/8, 3/8 iid") as caught:
        load_data(digits, source)
    assert caught.value.source == source


def test_more_shares_than_samples_are_refused(digits: Task) -> None:
    with pytest.raises(DataError, match="1347 samples cannot be divided into 1348"):
        load_data(digits, "1/1348")
