import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from aggregator.evaluation.evidence import build_evidence, published_measurements
from aggregator.evaluation.round import RoundInputs, RoundOutcome, evaluate_round
from protocol.errors import EvidenceError
from protocol.evidence import LEAF_KINDS, Access, Evidence, Input, Kind, Leaf
from protocol.evidence_json import evidence_from_json, evidence_to_json
from protocol.parameters import model_hash
from protocol.trees import SumNode, root_from_proof, sum_root_from_proof, sum_tree_proof, tree_proof
from protocol.update import body_hash
from protocol.verdicts import Reason, Verdict
from tests.support.rounds import SEED, Sent, digits_round, filled, honest, node_key, trained


@pytest.fixture(scope="module")
def inputs() -> RoundInputs:
    sent = {
        0: honest(1),
        2: honest(4),
        5: Sent(filled(0.001)),
        6: Sent(filled(np.nan)),
        7: Sent(None),
        9: honest(1),
        11: Sent(b"?"),
    }
    return digits_round(sent, shards=2, reputation={2: 5, 40: 3})


@pytest.fixture(scope="module")
def outcome(inputs: RoundInputs) -> RoundOutcome:
    return evaluate_round(inputs)


@pytest.fixture(scope="module")
def evidence(inputs: RoundInputs, outcome: RoundOutcome) -> Evidence:
    return build_evidence(inputs, outcome)


def test_a_gain_is_judged_by_what_all_shards_may_be_off_by(inputs: RoundInputs, evidence: Evidence) -> None:
    assert len(inputs.shards) == 2
    assert evidence.header.tolerances[4] == 2 * 2 * inputs.config.tolerance.utility


def test_every_kind_of_leaf_is_there(evidence: Evidence) -> None:
    found = Counter(leaf.kind for leaf in evidence.leaves)
    assert found == {
        Kind.INPUT: 6 + 2,
        Kind.ROSTER: 7,
        Kind.UPDATE: 7,
        Kind.BODY: 6,
        Kind.STATISTICS: 4,
        Kind.VERDICT: 7,
        Kind.UTILITY: 8 * 2,
        Kind.CONTRIBUTION: 3,
        Kind.SCORE: 7,
        Kind.REPUTATION: 5,  # of the four that were measured, and of one that is away
        Kind.MODEL: 1,
        Kind.ESTIMATE: 1,
        Kind.RECEIPT: 7,
    }


def test_the_leaves_say_what_was_bound_sent_and_decided(inputs: RoundInputs, outcome: RoundOutcome, evidence: Evidence) -> None:
    at = evidence.by_kind
    assert at[Kind.INPUT][Input.BASE_MODEL].values == (model_hash(inputs.base),)
    assert [at[Kind.INPUT][Input.FIRST_SHARD + k].get("hash") for k in (0, 1)] == list(inputs.bound.shards)
    assert at[Kind.ROSTER][11].values == (node_key(11).address, 1_000_000)
    first = inputs.submissions[0]
    assert first.body is not None
    assert at[Kind.BODY][0].values[:2] == (body_hash(first.body), first.salt)
    update, _ = trained(1)
    assert at[Kind.BODY][0].get("fingerprint") == at[Kind.BODY][9].get("fingerprint") == model_hash(update)
    assert at[Kind.BODY][11].get("fingerprint") == bytes(32)
    assert 7 not in at[Kind.BODY]
    assert at[Kind.UPDATE][2].get("samples") == inputs.submissions[1].update.samples
    assert at[Kind.VERDICT][6].values == (Verdict.REJECT, Reason.NOT_FINITE, 0)
    assert at[Kind.VERDICT][9].values == (Verdict.DUPLICATE, Reason.SAME_AS_LOWER_INDEX, 0)
    assert at[Kind.CONTRIBUTION][5].get("node") == 5
    assert at[Kind.VERDICT][2].values[:2] == (Verdict.ACCEPT, Reason.CLIPPED)
    assert at[Kind.VERDICT][0].values[:2] == (Verdict.QUARANTINE, Reason.NEW_NODE)
    assert [leaf.get("score") for leaf in at[Kind.SCORE].values()] == [node.score for node in outcome.nodes]
    assert at[Kind.REPUTATION][2].get("reputation") == 0
    assert at[Kind.REPUTATION][40].get("reputation") == 3
    assert at[Kind.REPUTATION][0].get("reputation") == 0
    assert at[Kind.MODEL][0].values == (outcome.model_hash,)


def test_utilities_name_their_coalition_by_node_indices(evidence: Evidence) -> None:
    leaves = list(evidence.by_kind[Kind.UTILITY].values())
    assert [leaf.position for leaf in leaves] == list(range(16))
    assert [leaf.get("shard") for leaf in leaves] == [0, 1] * 8
    masks = [int.from_bytes(leaf.get("coalition"), "little") for leaf in leaves[::2]]
    assert masks == [0, 1, 1 << 2, 1 | 1 << 2, 1 << 5, 1 | 1 << 5, 1 << 2 | 1 << 5, 1 | 1 << 2 | 1 << 5]


def test_the_header_binds_the_round(inputs: RoundInputs, outcome: RoundOutcome, evidence: Evidence) -> None:
    header = evidence.header
    assert (header.federation, header.round, header.seed) == (inputs.domain.separator, inputs.round, SEED)
    assert header.inputs == inputs.bound.digest()
    assert (header.denominator, header.z_thousandths) == (6, 0)
    assert header.total_basis == outcome.total_basis > 0
    assert (header.utility_empty, header.utility_all) == (outcome.utility_empty, outcome.utility_all)
    evidence.check_roots()


def test_each_leaf_opens_alone_against_the_root_of_its_kind(evidence: Evidence) -> None:
    federation = evidence.header.federation
    for kind, root in zip(Kind, evidence.header.roots, strict=True):
        leaves = evidence.by_kind[kind]
        hashes = {position: leaf.hash(federation) for position, leaf in leaves.items()}
        for position, leaf in leaves.items():
            if kind is Kind.CONTRIBUTION:
                sums = {at: SumNode(hashes[at], leaves[at].get("basis")) for at in leaves}
                opened = sum_root_from_proof(sums[position], position, sum_tree_proof(sums, position))
                assert opened == SumNode(root, evidence.header.total_basis)
            else:
                proof = tree_proof(hashes, LEAF_KINDS[kind].depth, position)
                assert root_from_proof(leaf.hash(federation), position, proof) == root


def test_it_comes_back_from_json_as_it_was(evidence: Evidence) -> None:
    back = evidence_from_json(json.loads(json.dumps(evidence_to_json(evidence))))
    assert back == evidence
    back.check_roots()


def test_nobody_but_scorers_sees_bodies_and_nobody_but_members_utilities(evidence: Evidence) -> None:
    def kinds(access: Access) -> set[Kind]:
        return {leaf.kind for leaf in evidence.visible_to(access).leaves}

    hidden = {Kind.STATISTICS, Kind.UTILITY, Kind.REPUTATION, Kind.ESTIMATE}
    assert kinds(Access.ANYONE) == set(Kind) - hidden - {Kind.BODY}
    assert kinds(Access.MEMBERS) == set(Kind) - {Kind.BODY}
    assert kinds(Access.SCORERS) == set(Kind)


def test_a_verifier_reads_the_toleranced_figures_back(outcome: RoundOutcome, evidence: Evidence) -> None:
    assert published_measurements(evidence) == outcome.measured == outcome.published


@pytest.mark.parametrize("values", [(), (1, 2)])
def test_statistics_of_another_version_are_no_statistics(evidence: Evidence, values: tuple[int, ...]) -> None:
    leaves = tuple(
        Leaf(leaf.kind, leaf.position, (values,)) if leaf.kind is Kind.STATISTICS else leaf for leaf in evidence.leaves
    )
    with pytest.raises(EvidenceError, match="STATISTICS leaf of node 0 has"):
        published_measurements(replace(evidence, leaves=leaves))


def test_a_round_without_submissions_has_evidence_too() -> None:
    inputs = digits_round([])
    evidence = build_evidence(inputs, evaluate_round(inputs))
    evidence.check_roots()
    assert [leaf.kind for leaf in evidence.leaves if leaf.kind is not Kind.INPUT] == [Kind.UTILITY, Kind.ESTIMATE, Kind.MODEL]
    assert evidence.by_kind[Kind.UTILITY][0].get("coalition") == b""
