"""`python -m bench.gate.unusual`: what the gate costs honest nodes whose data no Dirichlet draw resembles.

Two of twenty nodes of a federation of Fashion-MNIST hold such data; nobody attacks. Once more with the kinds that the gate takes
for strange in a quarter of the aggregator's root set. Every case is kept as a piece, so it can be stopped and goes on.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from rich.progress import track
from torch import Tensor
from torch.nn import functional

from aggregator.simulation.federation import UNPAID, Federation, simulate
from bench.gate.cells import ROUNDS, federation
from bench.gate.play import GATE
from bench.gate.results import version_of
from bench.gate.tasks import FashionMlp
from bench.pieces import piece, source_hash
from bench.report import Goal, Row, publish, row
from learning.data import Data
from protocol.verdicts import Reason

_SEED = 7
_ODD = (5, 11)
_SAMPLES = 400
_IN_ROOT_SET = 0.25

Change = Callable[[Tensor], Tensor]


def _warped(degrees: float = 0.0, scale: float = 1.0) -> Change:
    """Turned about the middle, and `scale` times as large."""
    turn = math.radians(degrees)
    matrix = torch.tensor([[math.cos(turn), -math.sin(turn), 0], [math.sin(turn), math.cos(turn), 0]]) / scale

    def change(images: Tensor) -> Tensor:
        grid = functional.affine_grid(matrix.repeat(len(images), 1, 1), list(images.shape), align_corners=False)
        return functional.grid_sample(images, grid, align_corners=False)

    return change


def _noisy(images: Tensor) -> Tensor:
    return (images + 0.3 * torch.randn(images.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)


CHANGES: Mapping[str, Change] = {
    "dimmed by half": lambda images: images * 0.5,
    "blurred over 3 x 3": lambda images: functional.avg_pool2d(images, 3, 1, padding=1),
    "brighter by 0.2": lambda images: (images + 0.2).clamp(0, 1),
    "noise of 0.3": _noisy,
    "contrast 0.4": lambda images: (images - 0.5) * 0.4 + 0.5,
    "brightness x 1.5, cut off": lambda images: (images * 1.5).clamp(0, 1),
    "brightness x 2": lambda images: images * 2,
    "moved by one pixel": lambda images: images.roll((1, 1), (2, 3)),
    "turned by 10 degrees": _warped(degrees=10),
    "a tenth smaller": _warped(scale=0.9),
    "a fifth larger": _warped(scale=1.2),
    "turned by 20 degrees": _warped(degrees=20),
    "mirrored": lambda images: images.flip(3),
    "moved by two pixels": lambda images: images.roll((2, 2), (2, 3)),
    "upside down": lambda images: images.flip((2, 3)),
    "negatives": lambda images: 1 - images,
}
"""What inputs of another kind are, on images with values from 0 to 1."""

STRANGE = ("mirrored", "moved by two pixels", "upside down", "negatives")


def main() -> None:
    """Play what is not played yet and publish everything."""
    torch.set_num_threads(1)
    version = source_hash("bench/gate/unusual.py") + version_of(GATE)
    found: list[Row] = []
    for name, whole in track(list(_cases()), "playing"):
        lost, others, expellable = piece(f"unusual={name}", version, partial(_counts, whole))
        found += [
            row(name, f"rounds lost by the two, of {len(_ODD) * ROUNDS}", lost, "rounds"),
            row(name, f"rounds lost by the others, of {(len(whole.nodes) - len(_ODD)) * ROUNDS}", others, "rounds"),
            row(name, "honest nodes that could be expelled", expellable, "nodes", Goal(at_most=0)),
        ]
    publish("gate-unusual", found)


def _cases() -> Iterator[tuple[str, Federation]]:
    whole, _ = federation("fashion-mlp", 0.3, _SEED)
    training = FashionMlp().load("train")
    kinds = training.targets.numpy()
    for kind in range(10):
        yield f"class {kind} alone", _with(whole, training.take(np.flatnonzero(kinds == kind)[-2 * _SAMPLES :]))
    mixed = np.random.RandomState(5).permutation(len(training))
    yield "five samples", _with(whole, training.take(mixed[:10]))
    data = training.take(mixed[: 2 * _SAMPLES])
    for name, change in CHANGES.items():
        changed = _with(whole, _changed(data, change))
        yield name, changed
        if name in STRANGE:
            root_set = whole.root_set
            some = int(_IN_ROOT_SET * len(root_set))
            features = torch.cat([change(root_set.features[:some]), root_set.features[some:]])
            yield f"{name}, as a quarter of the root set", replace(changed, root_set=Data(features, root_set.targets))


def _changed(data: Data, change: Change) -> Data:
    return Data(change(data.features).contiguous(), data.targets)


def _with(whole: Federation, data: Data) -> Federation:
    """The two odd nodes hold a half of `data` each."""
    half = len(data) // 2
    nodes = list(whole.nodes)
    nodes[_ODD[0]], nodes[_ODD[1]] = data.take(np.arange(half)), data.take(np.arange(half, 2 * half))
    return replace(whole, nodes=tuple(nodes))


def _counts(whole: Federation) -> tuple[int, int, int]:
    """Rounds that the odd nodes lost, that the others lost, and how many nodes ever came to where they can be expelled."""
    lost, others, expellable = 0, 0, set()
    for one in simulate(whole, None, frozenset(), ROUNDS, _SEED):
        for node in one.outcome.nodes:
            lost += node.verdict in UNPAID and node.node in _ODD
            others += node.verdict in UNPAID and node.node not in _ODD
            expellable |= {node.node} if node.reason is Reason.EXPELLABLE else set()
    return lost, others, len(expellable)


if __name__ == "__main__":
    main()
