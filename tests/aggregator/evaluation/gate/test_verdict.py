from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.evaluation.gate.inspection import Inspection
from aggregator.evaluation.gate.verdict import FULL_WEIGHT, Claimed, Decision, decide, reference_norm
from protocol.verdicts import Reason, Verdict

HONEST = Claimed(10, 10)
TEN_TIMES = 10_000
FAULTS = (Reason.NO_BODY, Reason.UNDECODABLE, Reason.WRONG_TENSORS, Reason.NOT_FINITE)


def usable(node: int) -> Inspection:
    return Inspection(None, node.to_bytes(32), {})


def faulty(reason: Reason) -> Inspection:
    return Inspection(reason, bytes(32), None)


def decided(
    norms: Mapping[int, int],
    claimed: Mapping[int, Claimed] | None = None,
    inspections: Mapping[int, Inspection] | None = None,
    norm_multiple: int = TEN_TIMES,
) -> dict[int, Decision]:
    """Decisions about honest, different updates of these norms, but for what is given otherwise."""
    looked_at = {node: usable(node) for node in norms} | dict(inspections or {})
    claims = dict.fromkeys(looked_at, HONEST) | dict(claimed or {})
    return decide(claims, looked_at, {node: (norm,) for node, norm in norms.items()}, norm_multiple)


@pytest.mark.parametrize(
    ("norms", "reference"),
    [([], 0), ([0, 0], 0), ([5], 5), ([5, 9], 5), ([9, 5, 7], 7), ([0, 0, 0, 8, 2], 2), ([1, 2, 3, 4], 2), ([7, 7, 1], 7)],
)
def test_the_reference_is_the_lower_median_of_the_norms_that_are_not_zero(norms: list[int], reference: int) -> None:
    assert reference_norm(norms) == reference


def test_norms_up_to_the_reference_keep_their_full_weight() -> None:
    decisions = decided({0: 50, 1: 100, 2: 100})
    assert set(decisions.values()) == {Decision(Verdict.ACCEPT, Reason.OK, FULL_WEIGHT)}


@given(st.integers(1, 1 << 60), st.integers(1, 9_000))
def test_a_larger_norm_is_clipped_to_the_reference_by_an_integer_weight(reference: int, thousandths: int) -> None:
    norm = reference + reference * thousandths // 1000
    decision = decided({0: reference, 1: reference, 2: norm})[2]
    if norm == reference:
        assert decision.weight == FULL_WEIGHT
    else:
        assert decision == Decision(Verdict.ACCEPT, Reason.CLIPPED, 65536 * reference // norm)
        assert 0 < decision.weight * norm <= 65536 * reference


def test_the_limit_of_the_norm_is_met_exactly() -> None:
    at, above = decided({0: 1000, 1: 1000, 2: 10_000})[2], decided({0: 1000, 1: 1000, 2: 10_001})[2]
    assert at == Decision(Verdict.ACCEPT, Reason.CLIPPED, 6553)
    assert above == Decision(Verdict.REJECT, Reason.NORM_TOO_LARGE, 0)
    fraction = decided({0: 1000, 1: 1000, 2: 1501, 3: 1500}, norm_multiple=1500)
    assert (fraction[2].reason, fraction[3].reason) == (Reason.NORM_TOO_LARGE, Reason.CLIPPED)


def test_an_accepted_update_keeps_some_weight_whatever_the_limit() -> None:
    assert decided({0: 1, 1: 1, 2: 10**6}, norm_multiple=10**9)[2] == Decision(Verdict.ACCEPT, Reason.CLIPPED, 1)


def test_an_update_of_zeros_is_accepted_and_moves_no_reference() -> None:
    decisions = decided({0: 0, 1: 0, 2: 0, 3: 100, 4: 200, 5: 300})
    assert decisions[0] == Decision(Verdict.ACCEPT, Reason.NO_CHANGE, FULL_WEIGHT)
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
    assert decision == Decision(Verdict.ABSENT if fault is Reason.NO_BODY else Verdict.REJECT, fault, 0)


def test_of_equal_updates_the_lowest_index_stays() -> None:
    same = usable(77)
    decisions = decided({2: 5, 4: 5, 9: 5, 5: 6}, inspections={9: same, 4: same, 2: same})
    assert [decisions[node].verdict for node in (2, 4, 5, 9)] == [
        Verdict.ACCEPT,
        Verdict.DUPLICATE,
        Verdict.ACCEPT,
        Verdict.DUPLICATE,
    ]
    assert decisions[4] == Decision(Verdict.DUPLICATE, Reason.SAME_AS_LOWER_INDEX, 0)


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
    # The reference itself is never refused: somebody always plays.
    assert any(decision.weight for decision in decisions.values())
