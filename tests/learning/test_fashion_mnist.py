import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from learning.calls import load_data
from learning.data import Data
from learning.errors import DataError, UnknownSourceError
from learning.loading import load_task
from learning.parameters import initial_parameters
from learning.recipe import Recipe
from learning.source import read_task_source
from learning.task import Task
from learning.tasks.fashion_mnist import FOLDER
from learning.training import train, try_out

Write = Callable[[bytes], bytes]
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@pytest.fixture(scope="module", params=["fashion-mnist", "learning.tasks.fashion_mnist:FashionMnistCnn"])
def task(request: pytest.FixtureRequest) -> Task:
    return load_task(read_task_source(request.param))


def idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + b"".join(size.to_bytes(4) for size in array.shape) + array.astype(np.uint8).tobytes()


def write(folder: Path, packed: bool = False, training: int = 200, test: int = 100) -> Path:
    """Images whose first two pixels are their number, labels that go round the ten classes."""
    folder.mkdir(exist_ok=True)
    for part, count in (("train", training), ("t10k", test)):
        images = np.zeros((count, 28, 28))
        images[:, 0, 0], images[:, 0, 1] = np.arange(count) % 256, np.arange(count) // 256
        for name, array in (("images-idx3", images), ("labels-idx1", np.arange(count) % 10)):
            path = folder / f"{part}-{name}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    return folder


def numbers(data: Data) -> list[int]:
    pixels = (data.features * 128 + 64).round().long()
    return (pixels[:, 0, 0, 0] + 256 * pixels[:, 0, 0, 1]).tolist()


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_every_image_is_in_one_part_with_its_own_label(task: Task, tmp_path: Path, packed: bool) -> None:
    folder = write(tmp_path, packed)
    parts = {name: task.load(f"{folder}:{name}") for name in ("evaluation", "root", "test", "training")}
    assert {name: len(part) for name, part in parts.items()} == {"evaluation": 20, "root": 10, "test": 70, "training": 200}
    assert sorted(number for name in ("evaluation", "root", "test") for number in numbers(parts[name])) == list(range(100))
    assert numbers(parts["training"]) == list(range(200))
    for name, part in parts.items():
        assert part.features.shape[1:] == (1, 28, 28)
        assert [number % 10 for number in numbers(part)] == part.targets.tolist()
        assert np.bincount(part.targets).tolist() == [len(part) // 10] * 10, name


@pytest.mark.parametrize("suffix", ["", " iid"])
def test_shares_are_the_training_images_each_once(task: Task, tmp_path: Path, suffix: str) -> None:
    folder = write(tmp_path)
    shares = [task.load(f"{folder}:{number}/4{suffix}") for number in range(1, 5)]
    assert sorted(number for share in shares for number in numbers(share)) == list(range(200))


def test_pixels_are_multiples_of_a_power_of_two(task: Task, tmp_path: Path) -> None:
    features = task.load(f"{write(tmp_path)}:training").features * 128
    assert torch.equal(features, features.round())
    assert (features.min().item(), features.max().item()) == (-64, 199 - 64)


def test_it_can_be_trained_and_scored(task: Task, tmp_path: Path) -> None:
    data, recipe = task.load(f"{write(tmp_path)}:evaluation"), Recipe("sgd", 0.05, batch_size=8, epochs=1)
    base = initial_parameters(task, seed=1)
    try_out(task, base, data, recipe)
    assert any(np.abs(update).max() > 0 for update in train(task, base, data, recipe, seed=1).values())


def test_the_models_have_the_promised_sizes() -> None:
    sizes = {
        name: sum(array.size for array in initial_parameters(load_task(read_task_source(name)), seed=1).values())
        for name in ("fashion-mnist", "learning.tasks.fashion_mnist:FashionMnistCnn")
    }
    assert list(sizes.values()) == [101_770, 105_866]


@pytest.mark.parametrize("source", [None, "", "3/2", "evaluation ", "somewhere:everything"])
def test_any_other_source_is_refused_with_the_ones_there_are(task: Task, source: str | None) -> None:
    with pytest.raises(UnknownSourceError, match="evaluation, root, test, training, a share such as 3/8"):
        load_data(task, source)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_and_where_to_get_it(task: Task, tmp_path: Path, name: str) -> None:
    (write(tmp_path) / name).unlink()
    source = "training" if name.startswith("train") else "root"
    with pytest.raises(DataError, match=rf"neither {name} nor {name}.gz is in .*apt install dataset-fashion-mnist"):
        load_data(task, f"{tmp_path}:{source}")


@pytest.mark.parametrize(
    ("name", "spoil", "told"),
    [
        ("train-images-idx3-ubyte", lambda content: content[:-1], "should hold 156816 bytes"),
        ("train-images-idx3-ubyte", lambda content: content + b"x", "should hold 156816 bytes"),
        ("train-images-idx3-ubyte", lambda content: b"", "is not an IDX file"),
        ("train-images-idx3-ubyte", lambda content: b"\0\0\x0d\3" + content[4:], "begins 00000d03"),
        ("train-labels-idx1-ubyte", lambda content: b"\0\0\x08\1\0", "is not an IDX file"),
        ("train-labels-idx1-ubyte", lambda content: gzip.compress(content)[:-9], "is damaged"),
        ("train-labels-idx1-ubyte", lambda content: gzip.compress(content)[:20] + b"\0" * 30, "is damaged"),
        ("train-labels-idx1-ubyte", lambda content: content[:-1] + b"\x0a", "labels up to 10"),
        ("train-labels-idx1-ubyte", lambda content: idx(np.zeros(199)), "and 199 labels"),
        ("train-images-idx3-ubyte", lambda content: idx(np.zeros((200, 27, 28))), r"images \(200, 27, 28\)"),
    ],
)
def test_a_damaged_file_is_told(task: Task, tmp_path: Path, name: str, spoil: Write, told: str) -> None:
    path = write(tmp_path) / name
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match=told):
        load_data(task, f"{tmp_path}:training")


def test_no_images_are_no_data(task: Task, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not one sample"):
        load_data(task, f"{write(tmp_path, training=0)}:training")


@pytest.mark.skipif(not FOLDER.exists(), reason=f"the real images are not installed in {FOLDER}")
def test_the_real_images_are_there_and_in_proportion(task: Task) -> None:
    root = task.load("root")
    assert len(root) == 1000
    assert np.bincount(root.targets).tolist() == [100] * 10
