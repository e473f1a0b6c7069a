"""A lie in any leaf or header field is found and named; an honest difference within the tolerances is not one."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from aggregator.evaluation.contributions.round_game import EVALUATORS
from aggregator.evaluation.evidence import build_evidence, published_measurements
from aggregator.evaluation.round import RoundInputs, Submission, evaluate_round
from aggregator.scorer.errors import ReplayDifference
from aggregator.scorer.replay import replay
from learning.scores import soft_accuracy
from learning.tasks.digits import Digits
from protocol.errors import CommitmentError, EvidenceError, SignatureError
from protocol.evidence import LEAF_KINDS, Evidence, Header, Kind, Leaf
from protocol.typed_data import Domain
from protocol.verdicts import Reason, Verdict
from tests.support.lies import altered, rehashed
from tests.support.rounds import DOMAIN, Sent, config, digits_round, filled, honest, node_key

TOLERANCES = {"statistics": 16, "utility": 64, "standard_error": 100}
LAST = 6


@pytest.fixture(scope="module")
def inputs() -> RoundInputs:
    sent = [honest(1), honest(2), honest(3), honest(4), honest(5), Sent(filled(0.05)), Sent(filled(np.nan))]
    rounds = digits_round(sent, config=config(tolerance=TOLERANCES, pay={"z": 10}), reputation={1: 4})
    return replace(rounds, task=FloatDigits())


class FloatDigits(Digits):
    """Scores by a method of its own, so that it is evaluated in floats, which have a tolerance."""

    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return soft_accuracy(outputs, targets)


@pytest.fixture(scope="module")
def evidence(inputs: RoundInputs) -> Evidence:
    return build_evidence(inputs, evaluate_round(inputs))


def other(value: object) -> Any:
    """A value of the same type that is not the same."""
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:] if value else b"\x01"
    if isinstance(value, str):
        return node_key(77).address
    if isinstance(value, tuple):
        return (value[0] + 17, *value[1:])
    assert isinstance(value, int)
    return value + 1


def test_honest_evidence_replays(inputs: RoundInputs, evidence: Evidence) -> None:
    outcome, margins = replay(inputs, evidence)
    assert build_evidence(inputs, outcome) == evidence
    assert {name: margin.largest for name, margin in margins.items()} == dict.fromkeys(
        ("statistics", "utility", "contribution", "standard_error"), 0
    )


def test_the_order_of_the_leaves_in_the_bundle_means_nothing(inputs: RoundInputs, evidence: Evidence) -> None:
    assert replay(inputs, rehashed(evidence, evidence.leaves[::-1]))[0].nodes == replay(inputs, evidence)[0].nodes


EXACT_AND_DERIVED = [
    (Kind.INPUT, 2, "hash"),
    (Kind.INPUT, 16, "hash"),
    (Kind.ROSTER, 3, "signer"),
    (Kind.ROSTER, 3, "max_samples"),
    *((Kind.UPDATE, 3, name) for name in ("round", "inputs", "node", "base_model", "parameters", "samples", "signature")),
    *((Kind.BODY, 3, name) for name in ("body_hash", "salt", "fingerprint")),
    *((Kind.VERDICT, 3, name) for name in ("verdict", "reason", "weight")),
    *((Kind.CONTRIBUTION, 3, name) for name in ("node", "contribution", "standard_error", "basis")),
    *((Kind.ESTIMATE, 0, name) for name in ("evaluator", "estimator", "outcome", "evaluations")),
    (Kind.SCORE, 3, "score"),
    (Kind.SCORE, LAST, "score"),
    (Kind.REPUTATION, 1, "reputation"),
    (Kind.REPUTATION, 2, "reputation"),
    (Kind.MODEL, 0, "hash"),
    (Kind.RECEIPT, 3, "signature"),
    (Kind.INPUT, 5, "hash"),
]


@pytest.mark.parametrize(("kind", "position", "name"), EXACT_AND_DERIVED)
def test_a_lie_in_an_exact_or_derived_leaf_is_named(
    inputs: RoundInputs, evidence: Evidence, kind: Kind, position: int, name: str
) -> None:
    lie = altered(evidence, kind, position, lambda values: {name: other(values[name])})
    with pytest.raises(ReplayDifference) as caught:
        replay(inputs, lie)
    assert caught.value.where == f"{kind.name} leaf {position}"
    assert caught.value.published != caught.value.own


def test_the_table_of_lies_above_and_below_covers_every_field() -> None:
    toleranced = {(Kind.STATISTICS, "values"), (Kind.CONTRIBUTION, "sampling_error"), (Kind.CONTRIBUTION, "estimation_error")}
    toleranced |= {(Kind.ESTIMATE, name) for name in ("residual", "spread", "misses")}
    toleranced |= {(Kind.UTILITY, name) for name in ("coalition", "shard", "utility")}
    covered = {(kind, name) for kind, _, name in EXACT_AND_DERIVED} | toleranced
    assert covered == {(kind, name) for kind in Kind for _, name in LEAF_KINDS[kind].fields}


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.UTILITY, Kind.CONTRIBUTION, Kind.ESTIMATE)])
def test_a_leaf_left_out_is_named(inputs: RoundInputs, evidence: Evidence, kind: Kind) -> None:
    position = 0 if kind is Kind.MODEL else 3
    leaves = tuple(leaf for leaf in evidence.leaves if (leaf.kind, leaf.position) != (kind, position))
    with pytest.raises(ReplayDifference, match=f"{kind.name} leaf {position}.*no such leaf"):
        replay(inputs, rehashed(evidence, leaves))


def test_a_leaf_too_many_is_named(inputs: RoundInputs, evidence: Evidence) -> None:
    with pytest.raises(ReplayDifference, match=r"SCORE leaf 9: published \['5'\], replayed no such leaf"):
        replay(inputs, rehashed(evidence, (*evidence.leaves, Leaf(Kind.SCORE, 9, (5,)))))


def test_utilities_and_errors_are_for_exactly_the_replayed_game(inputs: RoundInputs, evidence: Evidence) -> None:
    def without(kind: Kind, position: int) -> Evidence:
        return rehashed(evidence, tuple(leaf for leaf in evidence.leaves if (leaf.kind, leaf.position) != (kind, position)))

    with pytest.raises(EvidenceError, match="utilities are not for the same leaves"):
        replay(inputs, without(Kind.UTILITY, 9))
    with pytest.raises(EvidenceError, match="0 stages of the estimation are published"):
        replay(inputs, without(Kind.ESTIMATE, 0))
    with pytest.raises(EvidenceError, match="standard errors are not for the same leaves"):
        replay(inputs, without(Kind.CONTRIBUTION, 3))
    for change in ({"coalition": b"\xff"}, {"shard": 1}):
        lie = altered(evidence, Kind.UTILITY, 9, change)
        with pytest.raises(EvidenceError, match="utilities are not for the same leaves"):
            replay(inputs, lie)
    padded = altered(evidence, Kind.UTILITY, 9, lambda values: {"coalition": bytes(values["coalition"]) + b"\0"})
    with pytest.raises(ReplayDifference, match="UTILITY leaf 9"):
        replay(inputs, padded)


def follow(inputs: RoundInputs, lie: Evidence) -> Evidence:
    """The evidence of a liar who derives everything from the changed figures, as the rules demand."""
    return build_evidence(inputs, evaluate_round(inputs, published_measurements(lie)))


@pytest.mark.parametrize("by", [-16, 16, -17, 17])
def test_a_statistic_may_differ_by_its_tolerance(inputs: RoundInputs, evidence: Evidence, by: int) -> None:
    changed = altered(evidence, Kind.STATISTICS, 3, lambda values: {"values": (values["values"][0] + by, *values["values"][1:])})
    changed = follow(inputs, changed)
    if abs(by) <= TOLERANCES["statistics"]:
        _, margins = replay(inputs, changed)
        assert margins["statistics"] == (abs(by), TOLERANCES["statistics"])
    else:
        with pytest.raises(ReplayDifference, match=r"STATISTICS leaf 3, NORM \(tolerance 16\)"):
            replay(inputs, changed)


def test_a_statistic_that_changes_who_plays_is_named_all_the_same(inputs: RoundInputs, evidence: Evidence) -> None:
    changed = altered(evidence, Kind.STATISTICS, 3, lambda values: {"values": (1 << 60, *values["values"][1:])})
    with pytest.raises(ReplayDifference, match="STATISTICS leaf 3, NORM"):
        replay(inputs, changed)


@pytest.mark.parametrize("by", [-64, 64, -65, 65])
@pytest.mark.parametrize("position", [0, 9, 31])
def test_a_utility_may_differ_by_its_tolerance(inputs: RoundInputs, evidence: Evidence, position: int, by: int) -> None:
    changed = altered(evidence, Kind.UTILITY, position, lambda values: {"utility": values["utility"] + by})
    changed = follow(inputs, changed)
    if abs(by) <= TOLERANCES["utility"]:
        outcome, margins = replay(inputs, changed)
        assert margins["utility"].largest == abs(by)
        assert sum(node.contribution for node in outcome.nodes) == outcome.denominator * (
            changed.header.utility_all - changed.header.utility_empty
        )
    else:
        with pytest.raises(ReplayDifference, match=r"UTILITY leaf of coalition .* on shard 0 \(tolerance 64\)"):
            replay(inputs, changed)


@pytest.mark.parametrize("by", [-1, 1])
def test_a_utility_of_the_integer_evaluator_has_no_tolerance(inputs: RoundInputs, by: int) -> None:
    exact = replace(inputs, task=Digits())
    evidence = build_evidence(exact, evaluate_round(exact))
    assert evidence.by_kind[Kind.ESTIMATE][0].get("evaluator") == EVALUATORS["integer"]
    replay(exact, evidence)
    changed = altered(evidence, Kind.UTILITY, 9, lambda values: {"utility": values["utility"] + by})
    with pytest.raises(ReplayDifference, match=r"UTILITY leaf of coalition .* on shard 0 \(tolerance 0\)"):
        replay(exact, follow(exact, changed))


@pytest.mark.parametrize("by", [-6000, 6000, -6001, 6001])
@pytest.mark.parametrize("name", ["sampling", "estimation"])
def test_a_standard_error_may_differ_by_its_tolerance_times_the_denominator(
    inputs: RoundInputs, evidence: Evidence, name: str, by: int
) -> None:
    assert evidence.header.denominator == 60
    if name == "estimation":  # it is zero here
        by = abs(by)
    changed = altered(evidence, Kind.CONTRIBUTION, 3, lambda values: {f"{name}_error": values[f"{name}_error"] + by})
    changed = follow(inputs, changed)
    if abs(by) <= 60 * TOLERANCES["standard_error"]:
        replay(inputs, changed)
    else:
        with pytest.raises(ReplayDifference, match=rf"CONTRIBUTION leaf 3, {name} error \(tolerance 6000\)"):
            replay(inputs, changed)


def test_figures_within_the_tolerance_must_be_followed_by_what_derives_from_them(inputs: RoundInputs, evidence: Evidence) -> None:
    one_unit = altered(evidence, Kind.UTILITY, 31, lambda values: {"utility": values["utility"] + 1})
    with pytest.raises(ReplayDifference, match="CONTRIBUTION leaf 0"):
        replay(inputs, one_unit)


@pytest.mark.parametrize("name", [field.name for field in fields(Header) if field.name not in ("roots", "total_basis")])
def test_a_lie_in_the_header_is_named(inputs: RoundInputs, evidence: Evidence, name: str) -> None:
    lie = replace(evidence, header=replace(evidence.header, **{name: other(getattr(evidence.header, name))}))
    with pytest.raises(ReplayDifference) as caught:
        replay(inputs, lie)
    assert caught.value.where == f"header, {name}"


@pytest.mark.parametrize("kind", list(Kind))
def test_leaves_that_do_not_hash_to_the_header_are_named(inputs: RoundInputs, evidence: Evidence, kind: Kind) -> None:
    roots = list(evidence.header.roots)
    roots[list(Kind).index(kind)] = bytes(32)
    with pytest.raises(ReplayDifference, match=f"root of the {kind.name} leaves"):
        replay(inputs, replace(evidence, header=replace(evidence.header, roots=tuple(roots))))


def test_bases_that_do_not_sum_to_the_header_are_found(inputs: RoundInputs, evidence: Evidence) -> None:
    lie = replace(evidence.header, total_basis=evidence.header.total_basis + 1)
    with pytest.raises(ReplayDifference, match="header, total_basis"):
        replay(inputs, replace(evidence, header=lie))


def with_submission(inputs: RoundInputs, submission: Submission) -> RoundInputs:
    others = [one for one in inputs.submissions if one.update.node != submission.update.node]
    return replace(inputs, submissions=tuple(sorted((*others, submission), key=lambda one: one.update.node)))


def test_an_update_that_its_node_did_not_sign_is_refused(inputs: RoundInputs, evidence: Evidence) -> None:
    theirs = inputs.submissions[3]
    forged = replace(theirs, signature=theirs.update.sign(DOMAIN, node_key(4)))
    with pytest.raises(SignatureError, match="Update of node 3 is signed by"):
        replay(with_submission(inputs, forged), evidence)
    stranger = replace(theirs.update, node=50)
    joined = replace(inputs, submissions=(*inputs.submissions, replace(theirs, update=stranger)))
    with pytest.raises(SignatureError, match="its key is None"):
        replay(joined, evidence)


@pytest.mark.parametrize("name", ["round", "inputs", "base_model"])
def test_an_update_for_another_round_is_refused(inputs: RoundInputs, evidence: Evidence, name: str) -> None:
    theirs = inputs.submissions[3]
    elsewhere = replace(theirs.update, **{name: other(getattr(theirs.update, name))})
    signed = replace(theirs, update=elsewhere, signature=elsewhere.sign(DOMAIN, node_key(3)))
    with pytest.raises(ReplayDifference, match="UPDATE of node 3"):
        replay(with_submission(inputs, signed), evidence)


@pytest.mark.parametrize("change", [{"salt": bytes(32)}, {"salt": None}, {"body": b"another"}])
def test_a_body_that_does_not_open_its_commitment_is_refused(
    inputs: RoundInputs, evidence: Evidence, change: dict[str, Any]
) -> None:
    with pytest.raises(CommitmentError, match="node 3"):
        replay(with_submission(inputs, replace(inputs.submissions[3], **change)), evidence)


def test_a_round_of_another_federation_does_not_replay_here(inputs: RoundInputs, evidence: Evidence) -> None:
    elsewhere = replace(inputs, domain=Domain(1, DOMAIN.ledger))
    with pytest.raises(ReplayDifference, match="header, federation"):
        replay(elsewhere, evidence)


def test_another_seed_only_matters_in_the_header_while_everything_is_enumerated(inputs: RoundInputs, evidence: Evidence) -> None:
    with pytest.raises(ReplayDifference, match="header, seed"):
        replay(replace(inputs, seed=bytes(32)), evidence)


def test_a_body_kept_back_is_found(inputs: RoundInputs, evidence: Evidence) -> None:
    absent = with_submission(inputs, replace(inputs.submissions[3], body=None, salt=None))
    lie = build_evidence(absent, evaluate_round(absent))
    assert lie.by_kind[Kind.VERDICT][3].values == (Verdict.ABSENT, Reason.NO_BODY, 0)
    with pytest.raises(ReplayDifference, match="STATISTICS leaf 3"):
        replay(inputs, lie)
    replay(absent, lie)
