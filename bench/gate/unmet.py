"""`python -m bench.gate.unmet`: attacks that are neither in the suite nor in the fit.

Whoever tunes a gate on a suite learns the suite; weights and thresholds were fitted without any of these. Fashion-MNIST,
Dirichlet 0.3, 30 % malicious, two seeds; the oracle merges the 14 honest nodes only, also where colluders take turns. Every case
is kept as a piece, so it can be stopped and goes on.
"""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch
from rich.progress import track

from aggregator.calibration.rates import pooled
from aggregator.simulation.attacks import ATTACKS
from aggregator.simulation.attacks.attack import Attack, Sent, View
from aggregator.simulation.federation import draw_malicious
from bench.gate.cells import Cell, federation
from bench.gate.figures import Figures, average, figures
from bench.gate.play import GATE, ORACLE, Played, accuracy, under_gate
from bench.gate.report import beside_honesty
from bench.gate.results import played, restored, version_of
from bench.pieces import piece, source_hash
from bench.report import Goal, Row, publish, row
from learning.data import Data

_SEEDS = range(2)
_LAST_LAYER = 650
"""Its weights and biases, which come last in an update."""


def _against_trimming(view: View) -> Sent:
    """Every coordinate just beyond the honest extreme, against the way that the mean goes."""
    low, high = view.honest.min(0), view.honest.max(0)
    far = view.random.uniform(1, 2, view.own.shape).astype(np.float32)
    up, down = high + (far - 1) * np.abs(high), low - (far - 1) * np.abs(low)
    return list(np.where(view.mean > 0, down, up).astype(np.float32))


def _orthogonal(view: View) -> Sent:
    """The honest mean, and as much again at right angles to it."""
    mean = view.mean.astype(np.float64)
    aside = view.random.standard_normal(view.own.shape)
    aside -= np.outer(aside @ mean / (mean @ mean), mean)
    aside *= np.linalg.norm(mean) / np.linalg.norm(aside, axis=1, keepdims=True)
    return list((mean + aside).astype(np.float32))


def _half_flipped(view: View) -> Sent:
    """Own update with the sign of half its coordinates turned round, drawn anew by each node."""
    signs = view.random.choice(np.array([-1, 1], np.float32), view.own.shape)
    return list(view.own * signs)


def _last_layer_flipped(view: View) -> Sent:
    """Honest features, and the last layer turned round."""
    sent = view.own.copy()
    sent[:, -_LAST_LAYER:] *= -1
    return list(sent)


def _permuted(view: View) -> Sent:
    """Own update with its coordinates in another order: the right length and the right histogram."""
    return [view.random.permutation(own) for own in view.own]


def _tiny(view: View) -> Sent:
    """A twentieth of an honest update."""
    return list(view.own / np.float32(20))


class _Stale:
    """What was trained in the first round, sent for ever, each time under a little noise."""

    def __init__(self) -> None:
        self._first: Any = None

    def __call__(self, view: View) -> Sent:
        if view.round == 1:
            self._first = view.own.copy()
        noise = view.random.standard_normal(view.own.shape)
        noise *= 0.1 * np.linalg.norm(self._first, axis=1, keepdims=True) / np.linalg.norm(noise, axis=1, keepdims=True)
        return list((self._first + noise).astype(np.float32))


def _in_turn(view: View) -> frozenset[int]:
    """The two whose turn it is."""
    return frozenset({view.round % view.malicious, (view.round + 1) % view.malicious})


def _flip_in_turn(view: View) -> Sent:
    """Two of them turn their update round, each round another two; the others behave."""
    attacking = _in_turn(view)
    return [-own if k in attacking else own for k, own in enumerate(view.own)]


def _mixed(view: View) -> Sent:
    """Every colluder does something else: sign flip, noise, four times its update, inner product, half of it; then sign flips."""
    noise = view.random.standard_normal(view.own.shape)[0]
    noise *= view.norm / np.linalg.norm(noise)
    half = view.own[4 % view.malicious].copy()
    half[: len(half) // 2] = 0
    kinds = (-view.own[0], noise, 4 * view.own[2 % view.malicious], -0.5 * view.mean, half)
    return [np.asarray(kinds[k % 5] if k < 5 else -view.own[k], np.float32) for k in range(view.malicious)]


def _random_labels(data: Data, classes: int, random: np.random.Generator) -> Data:
    """Labels drawn at random."""
    return Data(data.features, torch.from_numpy(random.integers(0, classes, len(data))))


def _one_label(data: Data, classes: int, random: np.random.Generator) -> Data:
    """All samples called class 0."""
    return Data(data.features, data.targets * 0)


def _next_label(data: Data, classes: int, random: np.random.Generator) -> Data:
    """Every class called the next one, for four samples of ten."""
    wrong = torch.from_numpy(random.random(len(data)) < 0.4)
    return Data(data.features, torch.where(wrong, (data.targets + 1) % classes, data.targets))


def _noise_images(data: Data, classes: int, random: np.random.Generator) -> Data:
    """True labels on images of noise: data made up to be paid for."""
    pixels = random.random(data.features.shape, dtype=np.float32)
    return Data(torch.from_numpy(pixels), data.targets)


def _scrambled(data: Data, classes: int, random: np.random.Generator) -> Data:
    """True labels on images whose pixels are in another order."""
    flat = data.features.reshape(len(data), -1)[:, torch.from_numpy(np.random.RandomState(3).permutation(784))]
    return Data(flat.reshape(data.features.shape).contiguous(), data.targets)


def _unmet() -> list[Attack]:
    return [
        Attack("against trimming", "Fang et al., USENIX Security 2020, section 4.3", _against_trimming),
        Attack("orthogonal to the mean", "after Ozfatura et al., arXiv 2208.08085", _orthogonal),
        Attack("half the signs flipped", "after Li et al., RSA, AAAI 2019", _half_flipped),
        Attack("last layer flipped", "after Li et al., RSA, AAAI 2019", _last_layer_flipped),
        Attack("coordinates permuted", "after Blanchard et al., NeurIPS 2017", _permuted),
        Attack("a twentieth of the update", "free rider", _tiny),
        Attack("first update for ever", "after Fraboni et al., AISTATS 2021", _Stale()),
        Attack("sign flip in turn", "Sybils that take turns", _flip_in_turn, attacking=_in_turn),
        Attack("each something else", "colluders without a plan", _mixed),
        Attack("random labels", "after Tolpegin et al., ESORICS 2020", poison=_random_labels),
        Attack("one label for all", "after Tolpegin et al., ESORICS 2020", poison=_one_label),
        Attack("four labels of ten wrong", "after Tolpegin et al., ESORICS 2020", poison=_next_label),
        Attack("images of noise", "made-up data", poison=_noise_images),
        Attack("pixels scrambled", "made-up data", poison=_scrambled),
    ]


def main() -> None:
    """Play what is not played yet and publish everything."""
    torch.set_num_threads(1)
    found: list[Row] = []
    version = source_hash("bench/gate/unmet.py") + version_of(GATE)
    for attack in track(_unmet(), "playing"):
        assert attack.name not in ATTACKS
        results, clean, oracle = [], [], []
        for seed in _SEEDS:
            cell = Cell("fashion-mlp", 0.3, 0.3, attack.name, seed)
            kept = piece(f"unmet={attack.name}={seed}", version, partial(_play, cell, attack))
            results.append(figures(cell, restored(kept)))
            honest = Cell("fashion-mlp", 0.3, 0.0, "none", seed)
            clean.append(figures(honest, played(honest, GATE)))
            oracle.append(played(Cell("fashion-mlp", 0.3, 0.3, "backdoor", seed), ORACLE).accuracy)
        found += [*_rows(attack.name, results, oracle), *beside_honesty(attack.name, results, clean)]
    publish("gate-unmet", found)


def _play(cell: Cell, attack: Attack) -> dict[str, Any]:
    whole, tested = federation(cell.task, cell.alpha, cell.seed)
    malicious = draw_malicious(len(whole.nodes), cell.share, cell.seed)
    rounds, model = [], whole.base
    for merged, one in under_gate(whole, attack, malicious, cell.seed):
        model = merged
        rounds.append(one)
    samples = [len(own) for own in whole.nodes]
    return asdict(Played(accuracy(whole.task, model, tested), None, samples, sorted(malicious), rounds))


def _rows(name: str, results: Sequence[Figures], oracle: Sequence[float]) -> list[Row]:
    recall = pooled(one.recall for one in results)
    settled = pooled(one.settled_recall for one in results)
    alarms = pooled(one.false_positives for one in results)
    behind = 100 * float(np.mean([best - one.accuracy for best, one in zip(oracle, results, strict=True)]))
    tokens = average(one.tokens for one in results)
    return [
        row(name, "recall", recall.value, f"share of {recall.trials} node-rounds"),
        row(name, "recall from round 6 on", settled.value, f"share of {settled.trials} node-rounds"),
        row(name, "false positives", alarms.value, f"share of {alarms.trials} node-rounds", Goal(at_most=0.005)),
        row(name, "tokens per sample against honest ones', from round 6 on", tokens or 0.0, "share", Goal(at_most=0.1)),
        row(name, "accuracy behind the honest-only oracle", behind, "points", Goal(at_most=1)),
        row(name, "honest nodes expelled", sum(one.expelled_honest for one in results), "nodes", Goal(at_most=0)),
    ]


if __name__ == "__main__":
    main()
