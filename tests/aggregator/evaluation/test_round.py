"""Whole rounds on the real digits: who plays, who is paid, and what cheating brings."""

from dataclasses import replace
from fractions import Fraction
from itertools import permutations
from math import lcm
from typing import Any

import numpy as np
import pytest

from aggregator.evaluation.contributions.estimate import SOLVE_DENOMINATOR, Estimator, Outcome
from aggregator.evaluation.evidence import build_evidence
from aggregator.evaluation.gate.verdict import FULL_WEIGHT
from aggregator.evaluation.round import NodeOutcome, RoundInputs, RoundOutcome, evaluate_round
from aggregator.scorer.replay import replay
from learning.evaluator import Evaluator
from learning.training import evaluate
from protocol.parameters import model_hash
from protocol.shares import SCORE_TOTAL
from protocol.verdicts import Reason, Verdict
from tests.support.rounds import Sent, config, contributions, digits, digits_round, filled, honest, make_round, scaled

HONEST = [honest(part) for part in range(1, 6)]


def check_laws(outcome: RoundOutcome) -> None:
    """What holds in every round, whoever sent whatever."""
    nodes = outcome.nodes
    assert [node.node for node in nodes] == sorted(node.node for node in nodes)
    assert sum(outcome.scores) == (SCORE_TOTAL if outcome.total_basis else 0)
    assert sum(node.contribution for node in nodes) == outcome.denominator * (outcome.utility_all - outcome.utility_empty)
    played = {
        node
        for coalition, _ in outcome.published.contributions.utilities
        for node in range(coalition.bit_length())
        if coalition >> node & 1
    }
    accepted = {node.node for node in nodes if node.weight}
    assert accepted == {n.node for n in nodes if n.verdict in (Verdict.ACCEPT, Verdict.DOWN_WEIGHT, Verdict.QUARANTINE)}
    # Who changes nothing may be left out of the coalitions.
    assert played <= accepted
    assert not any(node.contribution for node in nodes if node.node not in played)
    for node in nodes:
        if not node.weight:
            assert (node.contribution, node.standard_error, node.basis, node.score) == (0, 0, 0, 0)


def by_node(outcome: RoundOutcome) -> dict[int, NodeOutcome]:
    check_laws(outcome)
    return {node.node: node for node in outcome.nodes}


def run(sent: Any, **settings: Any) -> dict[int, NodeOutcome]:
    return by_node(evaluate_round(digits_round(sent, **settings)))


def test_contributions_are_shapley_values_of_the_merged_models() -> None:
    # Nothing of the core is used here but its verdicts: weights, models, utilities and values are worked out anew.
    sent = [honest(1), honest(4), Sent(filled(0.001)), honest(6)]
    inputs = digits_round(sent)
    outcome = evaluate_round(inputs)
    evaluator = Evaluator(inputs.task, inputs.shards[0])
    bodies: list[Any] = [one.body for one in sent]
    norms = [np.sqrt(sum(np.square(a, dtype=np.float64).sum() for a in body.values())) for body in bodies]
    reference = sorted(norm for norm in norms if norm)[1]
    shrunk = [FULL_WEIGHT if norm <= reference else int(FULL_WEIGHT * (reference / norm)) for norm in norms]
    weights = [one.samples * d for one, d in zip(sent, shrunk, strict=True)]

    def utility(coalition: frozenset[int]) -> int:
        model = {}
        for name, base in inputs.base.items():
            total = sum((weights[i] * bodies[i][name].astype(np.float64) for i in sorted(coalition)), np.zeros(base.shape))
            model[name] = (total / sum(weights) + base).astype(np.float32)
        return int(evaluator.scores(model).sum())

    orders = list(permutations(range(4)))
    expected = [Fraction(0)] * 4
    for order in orders:
        for k, node in enumerate(order):
            expected[node] += Fraction(utility(frozenset(order[: k + 1])) - utility(frozenset(order[:k])), len(orders))
    assert [node.weight for node in outcome.nodes] == shrunk
    assert outcome.denominator == lcm(1, 2, 3, 4)
    found = [Fraction(node.contribution, outcome.denominator) for node in outcome.nodes]
    # Floats in another order of operations: some units of a score per sample at most.
    assert all(abs(ours - exact) < 4 * 360 for ours, exact in zip(found, expected, strict=True))


def test_training_pays_and_moves_the_model() -> None:
    inputs = digits_round(HONEST)
    outcome = evaluate_round(inputs)
    found = by_node(outcome)
    assert all(node.reason in (Reason.OK, Reason.CLIPPED) for node in found.values())
    assert sum(node.score for node in found.values()) == SCORE_TOTAL
    assert all(node.standard_error > 0 for node in found.values())
    assert outcome.model_hash == model_hash(outcome.merged) != model_hash(inputs.base)
    better = evaluate(inputs.task, outcome.merged, inputs.shards[0])
    # The digits are counted in integers, on grids that are finer than a 2^-14 of a score.
    assert abs(better.score - outcome.utility_all) < 360 * 2**6
    assert outcome.utility_all > outcome.utility_empty


def test_the_same_inputs_give_the_same_outcome_to_the_bit() -> None:
    inputs = digits_round(HONEST)
    roots = {build_evidence(inputs, evaluate_round(inputs)).header.root() for _ in range(2)}
    assert len(roots) == 1


def test_a_free_rider_gets_exactly_nothing() -> None:
    rider = run([*HONEST, Sent(filled(0), samples=10_000)])[5]
    assert (rider.verdict, rider.reason, rider.weight) == (Verdict.REJECT, Reason.NO_CHANGE, 0)
    assert (rider.contribution, rider.standard_error, rider.basis, rider.score) == (0, 0, 0, 0)


@pytest.mark.parametrize("count", [2, 3])
def test_free_riders_cannot_gain_by_being_many(count: int) -> None:
    riders = [Sent(filled(0) | {"0.bias": np.full(32, sign * 0.0, np.float32)}) for sign in (1, -1, 1)][:count]
    found = run([*HONEST, *riders])
    assert [found[5 + k].score for k in range(count)] == [0] * count
    assert [found[5 + k].contribution for k in range(count)] == [0] * count


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (Sent(filled(np.nan)), Reason.NOT_FINITE),
        (Sent(filled(-np.inf)), Reason.NOT_FINITE),
        (Sent(None), Reason.NO_BODY),
        (Sent(b"\x00" * 500), Reason.UNDECODABLE),
        (Sent(b""), Reason.UNDECODABLE),
        (Sent({"0.weight": filled(0)["0.weight"]}), Reason.WRONG_TENSORS),
        (Sent(filled(3e38)), Reason.NORM_TOO_LARGE),
        (replace(honest(6), samples=0), Reason.NO_SAMPLES),
        (replace(honest(6), max_samples=10), Reason.TOO_MANY_SAMPLES),
        (HONEST[0], Reason.SAME_AS_LOWER_INDEX),
    ],
    ids=lambda value: value.code if isinstance(value, Reason) else "",
)
def test_a_bad_update_changes_nothing_for_the_others(sent: Sent, reason: Reason) -> None:
    alone, found = run(HONEST), run([*HONEST, sent])
    assert (found[5].reason, found[5].weight) == (reason, 0)
    if reason is Reason.NORM_TOO_LARGE:  # it is a valid update for the median, so clipping may shift by one node
        assert all(found[node].weight >= alone[node].weight for node in alone)
    else:
        assert {node: found[node] for node in alone} == alone


def test_a_label_flipper_earns_less_than_it_would_by_honesty() -> None:
    def outcome(flipped: bool) -> dict[int, NodeOutcome]:
        return run([*(honest(part) for part in range(1, 8)), honest(8, flipped=flipped)])

    bad, good = outcome(True), outcome(False)
    assert bad[7].contribution < good[7].contribution / 4
    rates = {node: one.contribution / one.samples for node, one in bad.items()}
    assert min(rates, key=lambda node: rates[node]) == 7


@pytest.mark.parametrize("node", range(5))
@pytest.mark.parametrize("scale", [4, 6])
def test_multiplying_an_update_brings_no_more_than_reaching_the_reference_norm(node: int, scale: float) -> None:
    true = run(HONEST)
    cheated = run([*HONEST[:node], honest(node + 1, scale=scale), *HONEST[node + 1 :]])
    assert cheated[node].reason is Reason.CLIPPED
    if true[node].reason is Reason.CLIPPED:
        assert cheated[node].score < 1.02 * true[node].score
    else:  # it had room up to the reference; unclipped it would have earned 2.5 to 3.5 times its share
        assert cheated[node].score < 2.5 * true[node].score


def test_an_update_far_above_the_reference_earns_nothing() -> None:
    found = run([*HONEST[:3], honest(4, scale=100), *HONEST[4:]])[3]
    assert (found.reason, found.verdict, found.score) == (Reason.NORM_TOO_LARGE, Verdict.REJECT, 0)


def test_splitting_oneself_in_two_brings_nothing() -> None:
    whole = honest(3)
    assert not isinstance(whole.body, bytes | None)
    # The halves differ in the last bit, or the second were a duplicate.
    half = replace(whole, samples=whole.samples // 2)
    other = replace(half, body=scaled(whole.body, 1 + 2**-22))
    one = contributions(evaluate_round(digits_round([*HONEST[:2], *HONEST[3:], whole])))
    two = contributions(evaluate_round(digits_round([*HONEST[:2], *HONEST[3:], half, other])))
    # On one scale: the denominators are lcm(1 … 5) = lcm(1 … 6) = 60.
    assert 0.9 * one[4] < two[4] + two[5] < 1.02 * one[4]
    assert two[4] == pytest.approx(two[5], rel=0.001)


def test_only_the_index_orders_a_round() -> None:
    inputs = digits_round(HONEST)
    turned = replace(inputs, submissions=inputs.submissions[::-1])
    assert evaluate_round(turned).nodes == evaluate_round(inputs).nodes
    assert build_evidence(turned, evaluate_round(turned)).header == build_evidence(inputs, evaluate_round(inputs)).header


def test_indices_may_have_gaps_up_to_the_last_one() -> None:
    dense, sparse = run(HONEST[:3]), evaluate_round(digits_round(dict(zip((4, 700, 8190), HONEST, strict=False))))
    assert [replace(node, node=k) for k, node in enumerate(sparse.nodes)] == list(dense.values())
    assert len(sparse.scores) == 8191
    assert [sparse.scores[node] for node in (4, 700, 8190)] == [dense[node].score for node in range(3)]
    build_evidence(digits_round(dict(zip((4, 700, 8190), HONEST, strict=False))), sparse).check_roots()


def test_a_single_node_takes_it_all() -> None:
    found = run([honest(2)])
    assert (found[0].score, found[0].weight) == (SCORE_TOTAL, FULL_WEIGHT)


@pytest.mark.parametrize(
    "sent",
    [[], [Sent(None), Sent(None)], [Sent(filled(np.nan)), None, Sent(b"?")], [Sent(filled(0))], [replace(honest(1), samples=0)]],
    ids=["nobody", "all absent", "all bad", "only zeros", "no samples"],
)
def test_without_a_usable_update_the_base_stands_and_nobody_is_paid(sent: list[Sent | None]) -> None:
    inputs = digits_round(sent, reputation={3: 7, 5: 2})
    outcome = evaluate_round(inputs)
    check_laws(outcome)
    assert not any(outcome.scores)
    assert outcome.utility_all == outcome.utility_empty > 0
    assert outcome.model_hash == model_hash(outcome.merged) == inputs.bound.base_model
    assert {node: outcome.reputation[node] for node in (3, 5)} == {3: 7, 5: 2}


def test_equal_updates_count_once() -> None:
    found = run([HONEST[2]] * 4)
    assert [node.verdict for node in found.values()] == [Verdict.ACCEPT, *[Verdict.DUPLICATE] * 3]
    assert found[0].score == SCORE_TOTAL


def test_an_update_that_harms_is_not_paid_for() -> None:
    harm = honest(3, scale=-1)
    found = run([honest(1), honest(2), harm])
    assert found[2].contribution < 0
    assert found[2].score == 0


def test_above_twelve_players_kriging_estimates_the_same_game() -> None:
    sent = [honest(part, parts=14) for part in range(1, 14)] + [Sent(filled(0))]
    inputs = digits_round(sent, config=config(contributions={"work": 60 * 2410 * 360}))
    outcome = evaluate_round(inputs)
    found = by_node(outcome)
    assert (outcome.denominator, found[13].contribution, found[13].score) == (SOLVE_DENOMINATOR, 0, 0)
    assert sum(outcome.scores) == SCORE_TOTAL
    (stage,) = outcome.published.contributions.stages
    assert (stage.estimator, stage.outcome) == (Estimator.KRIGING, Outcome.USED)
    assert stage.evaluations == len(outcome.published.contributions.utilities) < 50
    exact = evaluate_round(replace(inputs, config=config(contributions={"work": 10**12})))
    assert [one.estimator for one in exact.published.contributions.stages] == [Estimator.ENUMERATION]
    estimated, true = (np.array([node.contribution / one.denominator for node in one.nodes]) for one in (outcome, exact))
    assert np.linalg.norm(estimated - true) < 0.02 * np.linalg.norm(true)
    errors = np.array([node.errors.estimation / outcome.denominator for node in outcome.nodes[:13]])
    assert np.sqrt(np.mean(((estimated - true)[:13] / errors) ** 2)) < 2
    assert contributions(evaluate_round(replace(inputs, seed=bytes(32)))) != contributions(outcome)
    replay(inputs, build_evidence(inputs, outcome))

    instant = evaluate_round(replace(inputs, config=config(contributions={"work": 1})))
    (stage,) = instant.published.contributions.stages
    assert (stage.estimator, stage.evaluations) == (Estimator.AUMANN_SHAPLEY, 6)
    by_slopes = np.array([node.contribution / instant.denominator for node in instant.nodes])
    assert np.linalg.norm(by_slopes - true) < 0.1 * np.linalg.norm(true)
    assert all(node.errors.sampling > 0 and node.errors.estimation > 0 for node in instant.nodes[:13])
    replay(replace(inputs, config=config(contributions={"work": 1})), build_evidence(inputs, instant))


def test_contributions_to_two_shards_add_up() -> None:
    both = digits_round(HONEST[:4], shards=2)
    first, second = (evaluate_round(_on(both, k)) for k in (0, 1))
    outcome = evaluate_round(both)
    check_laws(outcome)
    assert len(outcome.published.contributions.utilities) == 2 * 16
    sums = {node: value + contributions(second)[node] for node, value in contributions(first).items()}
    assert contributions(outcome) == sums
    assert outcome.utility_empty == first.utility_empty + second.utility_empty
    build_evidence(both, outcome).check_roots()


def _on(inputs: RoundInputs, shard: int) -> RoundInputs:
    sent = {s.update.node: Sent(s.body, s.update.samples) for s in inputs.submissions}
    return make_round(replace(digits(), shards=(inputs.shards[shard],)), sent)


def test_z_shifts_pay_towards_those_who_are_sure_of_it() -> None:
    plain, careful = run(HONEST), run(HONEST, config=config(pay={"z": 1500}))
    assert [n.contribution for n in plain.values()] == [n.contribution for n in careful.values()]
    for node in careful.values():
        assert node.basis == max(0, 1000 * node.contribution - 1500 * node.standard_error)


def test_a_tolerance_above_the_gain_pays_nobody() -> None:
    outcome = evaluate_round(digits_round(HONEST))
    gain = outcome.utility_all - outcome.utility_empty
    for tolerance, paid in ((gain // 2 + 1, False), ((gain - 1) // 2, True)):
        found = evaluate_round(digits_round(HONEST, config=config(tolerance={"utility": tolerance})))
        assert any(found.scores) is paid
        # The model goes on all the same: pay is not what it is trained for.
        assert found.model_hash == outcome.model_hash
