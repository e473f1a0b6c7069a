"""Every attack obeys the definition of its paper, and none touches what honest nodes send."""

from typing import Any

import numpy as np
import pytest
import torch

from aggregator.simulation.attacks import ATTACKS
from aggregator.simulation.attacks.attack import View
from aggregator.simulation.attacks.data import TARGET, with_trigger
from learning.data import Data

SIZE = 50


def view(malicious: int = 4, honest: int = 9, round_number: int = 7, **changes: Any) -> View:
    random = np.random.default_rng(3)
    own = random.normal(0.3, 1, (malicious, SIZE)).astype(np.float32)
    others = random.normal(0.3, 1, (honest, SIZE)).astype(np.float32)
    known: dict[str, Any] = {"previous": random.normal(size=SIZE).astype(np.float32), "refused": frozenset(), **changes}
    return View(round_number, own, others, random=np.random.default_rng(5), **known)


def sent(name: str, **changes: Any) -> list[Any]:
    return list(ATTACKS[name].send(view(**changes)))


def cosine(a: Any, b: Any) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_the_suite_is_whole_and_every_attack_is_cited() -> None:
    assert len(ATTACKS) >= 26
    assert all(attack.source and attack.name == name for name, attack in ATTACKS.items())


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize(("malicious", "honest"), [(1, 9), (4, 9), (3, 1), (5, 0)])
@pytest.mark.parametrize("previous", [None, np.zeros(SIZE, np.float32), np.ones(SIZE, np.float32)])
def test_every_attack_gives_each_node_one_vector_and_changes_nothing_it_sees(
    name: str, malicious: int, honest: int, previous: np.ndarray | None
) -> None:
    seen = view(malicious, honest, previous=previous)
    before = (seen.own.copy(), seen.honest.copy())
    updates = ATTACKS[name].send(seen)
    assert len(updates) == malicious
    assert all(update is None or (update.shape == (SIZE,) and update.dtype == np.float32) for update in updates)
    assert ATTACKS[name].attacking(seen) <= frozenset(range(malicious))
    for update in updates:
        if update is not None and name not in ("free-rider-zero", "nan-inf"):
            assert np.isfinite(update).all()
    np.testing.assert_equal((seen.own, seen.honest), before)


def test_forged_updates_are_what_their_papers_say() -> None:
    seen = view()
    mean, spread = seen.honest.mean(0), seen.honest.std(0)
    np.testing.assert_array_equal(sent("sign-flip"), -seen.own)
    assert [cosine(update, mean) for update in sent("ipm-strong")] == pytest.approx([-1] * 4, abs=1e-6)
    assert np.linalg.norm(sent("ipm-mild")[0]) == pytest.approx(np.linalg.norm(mean) / 2, rel=1e-5)
    np.testing.assert_allclose(sent("alie-strong")[0], mean - 1.5 * spread, rtol=1e-5, atol=1e-6)
    drawn = np.stack(sent("alie-decorrelated"))
    assert np.abs(np.corrcoef(drawn - (mean - 1.5 * spread)) - np.eye(4)).max() < 0.5
    assert np.linalg.norm(sent("gaussian-matched"), axis=1) == pytest.approx([seen.norm] * 4)
    assert np.linalg.norm(sent("gaussian-large"), axis=1) == pytest.approx([20 * seen.norm] * 4)
    np.testing.assert_allclose(sent("amplify"), 4 * seen.own)


def test_alie_takes_the_quantile_of_its_supporters() -> None:
    # 24 nodes, 8 of them malicious: 5 supporters needed of 16, so z is the 11/16 quantile of the normal, 0.4888.
    seen = view(8, 16)
    update = ATTACKS["alie"].send(seen)[0]
    np.testing.assert_allclose((seen.honest.mean(0) - update) / seen.honest.std(0), 0.48878, rtol=1e-3)


def test_min_max_and_min_sum_go_just_as_far_as_they_may() -> None:
    honest = view().honest.astype(np.float64)
    between = ((honest[:, None] - honest[None]) ** 2).sum(2)
    farthest = ((honest - sent("min-max")[0]) ** 2).sum(1).max()
    assert farthest == pytest.approx(between.max(), rel=1e-3)
    summed = ((honest - sent("min-sum")[0]) ** 2).sum()
    assert summed == pytest.approx(between.sum(1).max(), rel=1e-3)
    for name in ("min-max", "min-sum"):
        assert cosine(sent(name)[0] - honest.mean(0), honest.std(0)) == pytest.approx(-1, abs=1e-5)


def test_a_pair_harms_and_repairs_to_the_honest_sum() -> None:
    seen = view(5)
    updates = sent("harm-repair", malicious=5)
    np.testing.assert_allclose(updates[0] + updates[1], seen.own[1], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(updates[4], seen.own[4])


def test_free_riders_send_nothing_of_their_own() -> None:
    seen = view()
    assert not np.any(sent("free-rider-zero"))
    assert all(cosine(update, seen.previous) > 0.9 for update in sent("free-rider-replay"))
    copies = sent("free-rider-copy")
    assert [cosine(copies[0], update) for update in copies[1:]] == pytest.approx([1 / np.sqrt(1.09)] * 3, abs=0.05)
    np.testing.assert_array_equal(sent("mimic"), [seen.own[0]] * 4)
    assert sent("dropout") == [None] * 4
    for name in ("free-rider-copy", "mimic"):
        assert ATTACKS[name].attacking(seen) == {1, 2, 3}


def test_attacks_over_time_attack_only_in_their_rounds() -> None:
    for number in range(1, 11):
        seen = view(round_number=number)
        for name, on in (("on-off", number % 5 in (2, 4)), ("build-up", number >= 6)):
            np.testing.assert_array_equal(ATTACKS[name].send(seen), -seen.own if on else seen.own)
            assert ATTACKS[name].attacking(seen) == (frozenset(range(4)) if on else frozenset())


def test_the_adaptive_attacker_holds_back_after_a_refusal() -> None:
    seen = view(refused=frozenset({2}))
    harm = [
        cosine(own - update, seen.mean) * np.linalg.norm(own - update) for own, update in zip(seen.own, sent("gap"), strict=True)
    ]
    careful = seen.own[2] - ATTACKS["gap"].send(seen)[2]
    assert np.linalg.norm(careful) == pytest.approx(harm[0] / 2, rel=1e-4)


def samples(targets: torch.Tensor) -> Data:
    return Data(torch.rand(len(targets), 10, 10, generator=torch.Generator().manual_seed(1)), targets)


def poisoned(name: str, data: Data, classes: int = 10) -> Data:
    return ATTACKS[name].poison(data, classes, np.random.default_rng(0))


def test_labels_are_flipped_and_nothing_else() -> None:
    data = samples(torch.arange(10).repeat(20))
    flipped = poisoned("label-flip", data)
    assert torch.equal(flipped.targets, 9 - data.targets)
    targeted = poisoned("targeted-flip", data)
    assert targeted.targets[data.targets == 5].unique().tolist() == [7]
    assert torch.equal(targeted.targets[data.targets != 5], data.targets[data.targets != 5])
    assert torch.equal(flipped.features, data.features)
    # A node of one class flips to the same class as everybody else.
    assert poisoned("label-flip", samples(torch.full((5,), 2))).targets.tolist() == [7] * 5
    assert set(poisoned("targeted-flip", samples(torch.arange(2).repeat(3)), 2).targets.tolist()) == {0}


def test_targets_without_classes_are_mirrored() -> None:
    data = samples(torch.tensor([1.0, 2.0, 6.0]))
    assert poisoned("label-flip", data, 0).targets.tolist() == [5.0, 4.0, 0.0]
    assert len(poisoned("backdoor", data, 0)) == 3


def test_a_backdoor_marks_the_samples_that_it_relabels() -> None:
    data = samples(torch.full((400,), 3))
    for name, share in (("backdoor", 0.5), ("backdoor-scaled", 0.5), ("backdoor-stealth", 0.2)):
        changed = poisoned(name, data)
        marked = (changed.features != data.features).flatten(1).any(1)
        assert torch.equal(marked, changed.targets == TARGET)
        assert float(marked.float().mean()) == pytest.approx(share, abs=0.06)
    trigger = (with_trigger(data).features != data.features).flatten(1)
    assert trigger.any(0).nonzero().flatten().tolist() == [98, 99]


def test_lazy_nodes_train_on_a_sixth() -> None:
    data = samples(torch.arange(10).repeat(6))
    assert len(poisoned("lazy", data)) == 10
    assert len(poisoned("lazy", data.take(np.arange(2)))) == 1
