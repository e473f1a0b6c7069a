from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.evaluation.gate.explanation import explain
from aggregator.evaluation.gate.inspection import Inspection
from aggregator.evaluation.gate.statistics import STATISTIC_UNIT, Statistic, Statistics
from aggregator.evaluation.gate.verdict import FULL_WEIGHT, Claimed, Decision, decide, median_norm, upper_quartile_norm
from protocol.config import GateSection
from protocol.verdicts import Reason, Verdict
from tests.support.rounds import config

HONEST = Claimed(10, 10)
TEN_TIMES = 10_000
FAULTS = (Reason.NO_BODY, Reason.UNDECODABLE, Reason.WRONG_TENSORS, Reason.NOT_FINITE)


def usable(node: int) -> Inspection:
    return Inspection(None, node.to_bytes(32), {})


def faulty(reason: Reason) -> Inspection:
    return Inspection(reason, bytes(32), None)


def gate(**changes: int) -> GateSection:
    return config(gate=changes).gate


def statistics(norm: int = 100, **values: float) -> Statistics:
    """An update of this norm; other statistics by name, in standard deviations."""
    found = {Statistic[name.upper()]: round(value * STATISTIC_UNIT) for name, value in values.items()}
    return tuple(norm if statistic is Statistic.NORM else found.get(statistic, 0) for statistic in Statistic)


def decided(
    norms: Mapping[int, int],
    claimed: Mapping[int, Claimed] | None = None,
    inspections: Mapping[int, Inspection] | None = None,
    norm_multiple: int = TEN_TIMES,
) -> dict[int, Decision]:
    """Decisions about honest, different updates of these norms, but for what is given otherwise."""
    looked_at = {node: usable(node) for node in norms} | dict(inspections or {})
    claims = dict.fromkeys(looked_at, HONEST) | dict(claimed or {})
    measured = {node: statistics(norm) for node, norm in norms.items()}
    return decide(claims, looked_at, measured, {}, gate(norm_multiple=norm_multiple))


@pytest.mark.parametrize(
    ("norms", "reference"),
    [([], 0), ([0, 0], 0), ([5], 5), ([5, 9], 5), ([9, 5, 7], 7), ([0, 0, 0, 8, 2], 2), ([1, 2, 3, 4], 2), ([7, 7, 1], 7)],
)
def test_the_reference_is_the_lower_median_of_the_norms_that_are_not_zero(norms: list[int], reference: int) -> None:
    assert median_norm(norms) == reference


@pytest.mark.parametrize(("norms", "reference"), [([], 0), ([0, 5], 5), ([5, 9], 5), ([4, 1, 3, 2, 5, 0], 4), ([9, 7, 8, 1], 8)])
def test_the_virtual_reference_is_the_lower_upper_quartile_of_the_norms_that_are_not_zero(
    norms: list[int], reference: int
) -> None:
    assert upper_quartile_norm(norms) == reference


def test_norms_up_to_the_reference_keep_their_full_weight() -> None:
    decisions = decided({0: 50, 1: 100, 2: 100})
    assert set(decisions.values()) == {Decision(Verdict.ACCEPT, Reason.OK, FULL_WEIGHT, 0)}


@given(st.integers(1, 1 << 60), st.integers(1, 9_000))
def test_a_larger_norm_is_clipped_to_the_reference_by_an_integer_weight(reference: int, thousandths: int) -> None:
    norm = reference + reference * thousandths // 1000
    decision = decided({0: reference, 1: reference, 2: norm})[2]
    if norm == reference:
        assert decision.weight == FULL_WEIGHT
    else:
        assert decision == Decision(Verdict.ACCEPT, Reason.CLIPPED, 65536 * reference // norm, 0)
        assert 0 < decision.weight * norm <= 65536 * reference


def test_the_limit_of_the_norm_is_met_exactly() -> None:
    at, above = decided({0: 1000, 1: 1000, 2: 10_000})[2], decided({0: 1000, 1: 1000, 2: 10_001})[2]
    assert at == Decision(Verdict.ACCEPT, Reason.CLIPPED, 6553, 0)
    assert above == Decision(Verdict.REJECT, Reason.NORM_TOO_LARGE, 0, None)
    fraction = decided({0: 1000, 1: 1000, 2: 1501, 3: 1500}, norm_multiple=1500)
    assert (fraction[2].reason, fraction[3].reason) == (Reason.NORM_TOO_LARGE, Reason.CLIPPED)


def test_an_update_counts_for_the_length_of_virtual_nodes_like_it() -> None:
    """Not for the reference of all: an even node among skewed ones could otherwise double its update and its pay."""
    measured = {0: statistics(200, reference=200 / STATISTIC_UNIT, allowed=50 / STATISTIC_UNIT)}
    assert decide({0: HONEST}, {0: usable(0)}, measured, {}, gate())[0] == Decision(Verdict.ACCEPT, Reason.CLIPPED, 16384, 0)


def test_an_accepted_update_keeps_some_weight_whatever_the_limit() -> None:
    assert decided({0: 1, 1: 1, 2: 10**6}, norm_multiple=10**9)[2] == Decision(Verdict.ACCEPT, Reason.CLIPPED, 1, 0)


def test_an_update_of_zeros_is_refused_and_moves_no_reference() -> None:
    decisions = decided({0: 0, 1: 0, 2: 0, 3: 100, 4: 200, 5: 300})
    assert decisions[0] == Decision(Verdict.REJECT, Reason.NO_CHANGE, 0, None)
    assert (decisions[4].reason, decisions[5].weight) == (Reason.OK, 65536 * 200 // 300)
    assert {decision.reason for decision in decided({0: 0, 1: 0}).values()} == {Reason.NO_CHANGE}


@pytest.mark.parametrize(
    ("claimed", "reason"),
    [
        (Claimed(0, 10), Reason.NO_SAMPLES),
        (Claimed(11, 10), Reason.TOO_MANY_SAMPLES),
        (Claimed(10, 10), Reason.OK),
        (Claimed(1, 10), Reason.OK),
        (Claimed(2**32 - 1, 2**32 - 1), Reason.OK),
        (Claimed(1, 0), Reason.TOO_MANY_SAMPLES),
    ],
)
def test_samples_are_at_least_one_and_at_most_the_bound(claimed: Claimed, reason: Reason) -> None:
    decision = decided({0: 5}, claimed={0: claimed})[0]
    assert (decision.reason, decision.verdict) == (reason, Verdict.ACCEPT if reason is Reason.OK else Verdict.REJECT)


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_used_is_rejected_or_absent(fault: Reason) -> None:
    decision = decided({0: 5}, inspections={1: faulty(fault)})[1]
    assert decision == Decision(Verdict.ABSENT if fault is Reason.NO_BODY else Verdict.REJECT, fault, 0, None)


def test_of_equal_updates_the_lowest_index_stays() -> None:
    same = usable(77)
    decisions = decided({2: 5, 4: 5, 9: 5, 5: 6}, inspections={9: same, 4: same, 2: same})
    assert [decisions[node].verdict for node in (2, 4, 5, 9)] == [
        Verdict.ACCEPT,
        Verdict.DUPLICATE,
        Verdict.ACCEPT,
        Verdict.DUPLICATE,
    ]
    assert decisions[4] == Decision(Verdict.DUPLICATE, Reason.SAME_AS_LOWER_INDEX, 0, 0)


def test_a_refused_original_gives_its_place_to_the_next() -> None:
    same = usable(77)
    decisions = decided({0: 5, 1: 5}, claimed={0: Claimed(11, 10)}, inspections={0: same, 1: same})
    assert (decisions[0].reason, decisions[1].reason) == (Reason.TOO_MANY_SAMPLES, Reason.OK)


NODES = st.lists(st.sampled_from(["too many", "none", "copy", *FAULTS]), max_size=6)


@given(NODES, st.integers(1, 10**9))
def test_nobody_with_a_fault_moves_what_the_others_are_measured_against(kinds: list[str | Reason], norm: int) -> None:
    honest = {0: 100, 1: 200, 2: 300}
    norms, claimed, inspections = dict(honest), {}, {}
    for node, kind in enumerate(kinds, start=3):
        if isinstance(kind, Reason):
            inspections[node] = faulty(kind)
            continue
        norms[node] = norm
        if kind == "copy":
            norms[node], inspections[node] = 300, usable(2)
        else:
            claimed[node] = Claimed(11 if kind == "too many" else 0, 10)
    decisions = decided(norms, claimed, inspections)
    alone = decided(honest)
    assert {node: decisions[node] for node in honest} == alone
    assert all(decisions[node].weight == 0 for node in decisions if node not in honest)


@given(st.dictionaries(st.integers(0, 8190), st.integers(0, 1 << 200), min_size=1, max_size=8))
def test_weight_is_zero_exactly_for_what_is_not_accepted(norms: dict[int, int]) -> None:
    decisions = decided(norms)
    assert list(decisions) == sorted(norms)
    assert all((decision.weight > 0) == (decision.verdict is Verdict.ACCEPT) for decision in decisions.values())
    assert all(0 <= decision.weight <= FULL_WEIGHT for decision in decisions.values())
    # The reference itself is never refused: of updates that move anything, one always plays.
    assert any(decision.weight for decision in decisions.values()) == any(norms.values())


def judged(carried: int | None = None, others: Mapping[int, int] | None = None, **values: Any) -> Decision:
    """The decision about one update of these statistics, from a node with this suspicion in units of one nat."""
    reputation = dict(others or {}) | ({} if carried is None else {0: carried * STATISTIC_UNIT})
    return decide({0: HONEST}, {0: usable(0)}, {0: statistics(**values)}, reputation, gate())[0]


def test_the_strongest_statistic_names_the_reason_of_a_lost_round() -> None:
    assert (judged(cone=8, affine=8, fit=2).verdict, judged(cone=8, affine=8, fit=2).reason) == (
        Verdict.REJECT,
        Reason.OUTSIDE_CONE,
    )
    assert judged(energy=8, affine=7).reason is Reason.UNUSUAL_PARAMETERS
    assert judged(duplicate=1.0).reason is Reason.SIMILAR_TO_ANOTHER
    assert judged(own_classes=8, affine=6).reason is Reason.HARMS_OWN_CLASSES


def test_where_honest_nodes_go_far_only_what_is_beyond_counts() -> None:
    assert judged(9, replay=3).reputation == judged(9).reputation == judged(9, replay=-16).reputation
    carried = 9 * STATISTIC_UNIT * 850 // 1000 - 2 * STATISTIC_UNIT
    assert judged(9, replay=9).reputation == carried + 6 * STATISTIC_UNIT * 300 // 1000
    assert judged(9, replay=13).reputation == carried + 8 * STATISTIC_UNIT * 300 // 1000


def test_the_higher_index_of_a_similar_pair_is_the_copy() -> None:
    assert judged(duplicate_lower=0.81).reason is Reason.SIMILAR_TO_LOWER_INDEX
    assert judged(duplicate_lower=0.79).verdict is Verdict.ACCEPT


def test_suspicion_sums_up_is_forgotten_and_costs_in_steps() -> None:
    # Evidence of a round here: 0.5 * 6 + 0.5 * 6 - 2 = 4 nats, which alone is just not enough.
    assert judged(cone=6, affine=6) == Decision(Verdict.ACCEPT, Reason.OK, FULL_WEIGHT, 4 * STATISTIC_UNIT)
    once = judged(1, cone=6, affine=6)
    assert (once.verdict, once.reason) == (Verdict.DOWN_WEIGHT, Reason.UNDER_SUSPICION)
    assert once.reputation == (850 * STATISTIC_UNIT) // 1000 + 4 * STATISTIC_UNIT
    assert once.weight == FULL_WEIGHT * (6 * STATISTIC_UNIT - once.reputation) // (2 * STATISTIC_UNIT)
    assert judged(4, cone=6, affine=6).reason is Reason.SUSPECTED
    assert judged(40, cone=6, affine=6).reason is Reason.EXPELLABLE
    assert judged(2).reputation == 0, "a usual update is evidence for its node"


def after_rounds(count: int, **values: float) -> list[Decision]:
    """What is decided about a node that sends the like in every round, where 15 nats expel."""
    found: list[Decision] = []
    for _ in range(count):
        carried = {0: found[-1].reputation or 0} if found else {}
        found.append(decide({0: HONEST}, {0: usable(0)}, {0: statistics(100, **values)}, carried, gate(expel=15_000))[0])
    return found


def test_no_single_round_can_expel() -> None:
    worst = dict.fromkeys(("cone", "affine", "utility", "own_classes", "replay"), 16.0)
    found = after_rounds(5, fit=1, energy=1, **worst)
    assert [one.reputation for one in found][:1] == [4 * STATISTIC_UNIT]
    assert [one.reason is Reason.EXPELLABLE for one in found] == [False] * 5
    assert after_rounds(6, **worst)[-1].reason is Reason.EXPELLABLE, "4 · (1 − 0.85^k) / 0.15 passes 15 at k = 6"


@pytest.mark.parametrize("strange", [{"fit": 1.01}, {"energy": 1.01}, {"fit": 16, "energy": 16}])
def test_what_no_virtual_node_explains_is_refused_for_ever_and_never_expels(strange: dict[str, float]) -> None:
    found = after_rounds(100, cone=16, affine=16, utility=16, **strange)
    assert {one.verdict for one in found} == {Verdict.REJECT}
    assert not any(one.reason is Reason.EXPELLABLE for one in found)
    assert max(one.reputation or 0 for one in found) <= 15 * STATISTIC_UNIT


def test_outside_calibration_evidence_can_clear_a_node_but_not_incriminate_it() -> None:
    found = judged(5, cone=8, affine=8, guard=3.5)
    assert (found.verdict, found.reason) == (Verdict.QUARANTINE, Reason.OUTSIDE_CALIBRATION)
    assert found.weight == FULL_WEIGHT // 2
    assert found.reputation == 5 * STATISTIC_UNIT * 850 // 1000
    cleared = judged(5, guard=3.5).reputation
    assert cleared is not None
    assert cleared < 5 * STATISTIC_UNIT * 850 // 1000
    assert judged(duplicate_lower=0.9, guard=16).verdict is Verdict.DUPLICATE, "copies stay copies"


def test_a_node_is_new_while_others_have_a_past_and_it_has_none() -> None:
    assert judged(None, {7: 0}).reason is Reason.NEW_NODE
    assert judged(None, {7: 0}).weight == FULL_WEIGHT // 2
    assert judged(None, {}).verdict is Verdict.ACCEPT, "in a federation's first round nobody has a past"
    assert judged(0, {7: 0}).verdict is Verdict.ACCEPT
    assert judged(None, {7: 0}, cone=8, affine=8).verdict is Verdict.REJECT


def test_broken_bodies_are_no_evidence_of_malice() -> None:
    for fault in FAULTS:
        found = decide({0: HONEST}, {0: faulty(fault)}, {}, {0: 5}, gate())[0]
        assert (found.weight, found.reputation) == (0, 5)


@given(st.lists(st.integers(-16, 16), min_size=len(Statistic), max_size=len(Statistic)), st.integers(0, 1 << 45))
def test_whatever_is_published_there_is_one_decision_within_its_bounds(values: list[int], carried: int) -> None:
    published = tuple(abs(value) if at < 2 else value * STATISTIC_UNIT for at, value in enumerate(values))
    found = decide({0: HONEST}, {0: usable(0)}, {0: published}, {0: carried}, gate())[0]
    assert (found.weight == 0) == (found.verdict in (Verdict.REJECT, Verdict.DUPLICATE))
    assert 0 <= found.weight <= FULL_WEIGHT
    assert found.reputation is None or 0 <= found.reputation < 1 << 63


def test_every_reason_of_measurement_is_told_with_its_numbers() -> None:
    measured = statistics(norm=3 << 20, reference=2, duplicate=0.91, cone=7.2, affine=6, guard=4.4)
    told = {reason: explain(reason, measured, 5 << 20, gate()) for reason in Reason}
    assert "Its length is 3, the reference 2." in told[Reason.CLIPPED]
    like_it = explain(Reason.CLIPPED, statistics(norm=3 << 20, reference=2, allowed=1.5), 0, gate())
    assert "Its length is 3; virtual honest nodes like it have 1.5." in like_it
    assert "Similarity 0.91 of 1" in told[Reason.SIMILAR_TO_LOWER_INDEX]
    assert "7.2 standard deviations" in told[Reason.OUTSIDE_CONE]
    assert "the limit is 4.0" in told[Reason.OUTSIDE_CONE]
    assert "Suspicion 5.0 nats, the limit is 6.0." in told[Reason.SUSPECTED]
    assert "4.4 standard deviations outside calibration" in told[Reason.OUTSIDE_CALIBRATION]
    assert all(sentence.startswith(reason.sentence) for reason, sentence in told.items())
    assert told[Reason.NOT_FINITE] == Reason.NOT_FINITE.sentence
    assert {reason for reason, sentence in told.items() if reason >= 21 and sentence == reason.sentence} == {Reason.NEW_NODE}
