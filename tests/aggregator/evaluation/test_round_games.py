"""Whole rounds on tasks whose game is known: Shapley values from theory at the far end, and hostile updates at the near one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.evaluation.evidence import build_evidence
from aggregator.evaluation.round import RoundInputs, RoundOutcome, evaluate_round
from aggregator.scorer.replay import replay
from learning.errors import TaskError
from learning.evaluator import SCORE_UNIT
from protocol.parameters import encode_parameters, model_hash
from protocol.verdicts import Reason
from tests.aggregator.evaluation.tasks import Rooted, Saturated, ShareTask, Voting, federation, samples, unit
from tests.aggregator.evaluation.test_round import check_laws
from tests.support.rounds import Sent, contributions, make_round

LARGEST = float(np.finfo(np.float32).max)


def on(task: ShareTask, *sent: Sent, base: float = 0) -> RoundInputs:
    start = {"shares": np.full(task.nodes, base, np.float32)}
    return make_round(federation(task, start), list(sent))


def test_shares_of_an_additive_game_are_the_sample_counts() -> None:
    counts = (1, 2, 5, 8)
    outcome = evaluate_round(on(ShareTask(4), *(unit(k, 4, n) for k, n in enumerate(counts))))
    check_laws(outcome)
    assert contributions(outcome) == {k: outcome.denominator * SCORE_UNIT * n // 16 for k, n in enumerate(counts)}
    assert outcome.scores == (625_000, 1_250_000, 3_125_000, 5_000_000)


def test_the_council_of_1958_votes_through_a_whole_round() -> None:
    votes = (4, 4, 4, 2, 2, 1)
    task = Voting(6, sum(votes), quota=12)
    outcome = evaluate_round(on(task, *(unit(k, 6, n) for k, n in enumerate(votes))))
    check_laws(outcome)
    won = 6 * SCORE_UNIT * outcome.denominator  # six samples, all won or all lost
    assert contributions(outcome) == {k: won * index // 60 for k, index in enumerate((14, 14, 14, 9, 9, 0))}
    assert outcome.scores == (2_333_334, 2_333_333, 2_333_333, 1_500_000, 1_500_000, 0)
    assert [node.standard_error for node in outcome.nodes] == [0] * 6


def test_shards_of_unequal_size_add_their_sums_and_not_their_means() -> None:
    rows = np.eye(2, dtype=np.float32)
    shards = (samples(rows[[0]]), samples(rows[[1, 1, 1]]))
    outcome = evaluate_round(make_round(federation(ShareTask(2), shards=shards), [unit(0, 2), unit(1, 2)]))
    half = outcome.denominator * SCORE_UNIT // 2
    assert contributions(outcome) == {0: half, 1: 3 * half}
    assert list(outcome.published.contributions.utilities) == [(mask, shard) for mask in range(4) for shard in (0, 1)]


def test_the_tolerance_of_a_gain_is_counted_once_for_every_shard() -> None:
    rows, gain = np.eye(2, dtype=np.float32), SCORE_UNIT  # each shard gains half
    for shards, paid_up_to in (((rows,), gain // 2 - 1), ((rows[[0]], rows[[1]]), gain // 4 - 1)):
        for tolerance, paid in ((paid_up_to, True), (paid_up_to + 1, False)):
            one = federation(ShareTask(2), shards=tuple(samples(targets) for targets in shards))
            inputs = make_round(one, [unit(0, 2), unit(1, 2)])
            section = inputs.config.tolerance.model_copy(update={"utility": tolerance})
            strict = replace(inputs, config=inputs.config.model_copy(update={"tolerance": section}))
            assert any(evaluate_round(strict).scores) is paid


def test_a_merged_model_that_cannot_be_scored_does_not_become_the_base() -> None:
    # One node out of three, finite and of the usual norm, but the square root of its model does not exist. Had it been merged,
    # no later round could have scored its base.
    inputs = on(Rooted(3), unit(0, 3, samples=2, value=-1), unit(1, 3), unit(2, 3))
    outcome = evaluate_round(inputs)
    check_laws(outcome)
    assert (outcome.utility_all, any(outcome.scores)) == (0, False)
    assert (outcome.model_hash, model_hash(outcome.merged)) == (inputs.bound.base_model, inputs.bound.base_model)
    assert contributions(outcome)[0] < 0
    assert replay(inputs, build_evidence(inputs, outcome))[0].model_hash == outcome.model_hash
    following = make_round(federation(Rooted(3), outcome.merged), [unit(0, 3), unit(1, 3)])
    assert any(evaluate_round(following).scores)


def test_an_infinite_model_is_not_paid_for_even_if_its_score_is_the_best() -> None:
    inputs = on(Saturated(1), unit(0, 1, value=LARGEST), base=LARGEST)
    outcome = evaluate_round(inputs)
    assert (outcome.utility_empty, outcome.utility_all, outcome.scores) == (SCORE_UNIT, 0, (0,))
    assert outcome.model_hash == inputs.bound.base_model


def test_a_base_that_cannot_be_scored_is_the_tasks_fault() -> None:
    with pytest.raises(TaskError, match=r"Rooted\.score"):
        evaluate_round(on(Rooted(1), unit(0, 1), base=-1))


def test_the_largest_sample_counts_are_exact() -> None:
    most = 2**32 - 1
    sent = [replace(unit(k, 2), samples=n, max_samples=most) for k, n in enumerate((most, most - 2))]
    outcome = evaluate_round(on(ShareTask(2), *sent))
    check_laws(outcome)
    assert outcome.scores == (5_000_000, 5_000_000)
    assert [node.samples for node in outcome.nodes] == [most, most - 2]


NODES = 5
BODIES = st.one_of(
    st.none(),
    st.binary(max_size=60),
    st.just(b""),
    st.lists(st.floats(width=32), min_size=NODES, max_size=NODES).map(
        lambda values: encode_parameters({"shares": np.array(values, np.float32)})
    ),
    st.sampled_from([unit(k, NODES, value=value).encoded for k in range(NODES) for value in (1, -1, 0, LARGEST, 1e-45)]),
)
SENT = st.builds(Sent, BODIES, samples=st.integers(0, 2**32 - 1), max_samples=st.integers(2**20, 2**32 - 1))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.integers(0, 8190), SENT, max_size=5), st.sampled_from([ShareTask, Rooted, Saturated]))
def test_whatever_nodes_send_a_round_ends_by_its_laws_and_replays(sent: dict[int, Sent], task: type[ShareTask]) -> None:
    class Clamped(task):  # type: ignore[valid-type,misc] # a class that is known at run time only; scores must be in [0, 1] whatever the shares
        def worth(self, shares, targets):
            return super().worth(shares, targets).clamp(0, 1)

    inputs = make_round(federation(Clamped(NODES)), sent)
    outcome = evaluate_round(inputs)
    check_laws(outcome)
    evidence = build_evidence(inputs, outcome)
    evidence.check_roots()
    assert outcome_of(replay(inputs, evidence)[0]) == outcome_of(outcome)
    assert all(node.reason is not Reason.NO_CHANGE or not node.contribution for node in outcome.nodes)


def outcome_of(outcome: RoundOutcome) -> tuple[object, ...]:
    return outcome.nodes, outcome.scores, outcome.model_hash, outcome.denominator, outcome.utility_all
