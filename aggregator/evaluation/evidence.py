"""A round's outcome as evidence: every leaf of the protocol's table, and the header that the chain remembers."""

from aggregator.evaluation.contributions.contribute import ContributionFigures, Errors
from aggregator.evaluation.contributions.estimate import SOLVE_DENOMINATOR, Estimator, Outcome, Stage
from aggregator.evaluation.contributions.kriging import LENGTH_SCALES
from aggregator.evaluation.gate.statistics import Statistic, Statistics
from aggregator.evaluation.round import Measurements, RoundInputs, RoundOutcome
from protocol.errors import EvidenceError
from protocol.evidence import Evidence, Header, Input, Kind, Leaf, subtree_roots, update_leaf
from protocol.shares import gain_tolerance
from protocol.update import body_hash
from protocol.version import CODE_VERSION


def build_evidence(inputs: RoundInputs, outcome: RoundOutcome) -> Evidence:
    """All leaves and the header of a round."""
    leaves = (*_input_leaves(inputs), *_submission_leaves(inputs, outcome), *_outcome_leaves(outcome))
    roots, total = subtree_roots(inputs.domain.separator, leaves)
    utilities = (outcome.utility_empty, outcome.utility_all)
    return Evidence(header_of(inputs, roots, total, utilities, outcome.denominator), leaves)


def header_of(
    inputs: RoundInputs, roots: tuple[bytes, ...], total_basis: int, utilities: tuple[int, int], denominator: int
) -> Header:
    """The header of a round with these subtrees; `utilities` are U(∅) and U(N)."""
    tolerance = inputs.config.tolerance
    return Header(
        federation=inputs.domain.separator,
        round=inputs.round,
        inputs=inputs.bound.digest(),
        seed=inputs.seed,
        roots=roots,
        total_basis=total_basis,
        utility_empty=utilities[0],
        utility_all=utilities[1],
        z_thousandths=inputs.config.pay.z,
        denominator=denominator,
        tolerances=(
            tolerance.statistics,
            tolerance.utility,
            tolerance.standard_error,
            tolerance.contribution,
            gain_tolerance(len(inputs.shards), tolerance.utility),
        ),
        code_version=CODE_VERSION,
    )


def published_measurements(evidence: Evidence) -> Measurements:
    """The toleranced figures that a round's evidence publishes, for a verifier to derive everything else from.

    Raises `EvidenceError` if a STATISTICS leaf does not hold exactly one value per `Statistic`, or an ESTIMATE leaf names what
    this version does not know.
    """
    by_kind = evidence.by_kind
    statistics: dict[int, Statistics] = {node: leaf.get("values") for node, leaf in by_kind[Kind.STATISTICS].items()}
    for node, values in statistics.items():
        if len(values) != len(Statistic):
            raise EvidenceError(f"the STATISTICS leaf of node {node} has {len(values)} values, this version has {len(Statistic)}")
    utilities = {
        (int.from_bytes(leaf.get("coalition"), "little"), leaf.get("shard")): leaf.get("utility")
        for leaf in by_kind[Kind.UTILITY].values()
    }
    contributions = by_kind[Kind.CONTRIBUTION].items()
    errors = {node: Errors(leaf.get("sampling_error"), leaf.get("estimation_error")) for node, leaf in contributions}
    is_solved = evidence.header.denominator == SOLVE_DENOMINATOR
    solved = {node: leaf.get("contribution") for node, leaf in contributions} if is_solved else {}
    stages = [leaf for _, leaf in sorted(by_kind[Kind.ESTIMATE].items())]
    evaluator = stages[-1].get("evaluator") if stages else 0
    figures = ContributionFigures(utilities, errors, tuple(map(_stage, stages)), solved, evaluator)
    return Measurements(statistics, figures)


def _stage(leaf: Leaf) -> Stage:
    try:
        estimator, outcome = Estimator(leaf.get("estimator")), Outcome(leaf.get("outcome"))
    except ValueError as error:
        raise EvidenceError(f"ESTIMATE leaf {leaf.position}: {error}") from error
    stage = Stage(estimator, outcome, leaf.get("evaluations"), leaf.get("residual"), leaf.get("spread"), leaf.get("misses"))
    if len(stage.misses) not in (0, len(LENGTH_SCALES)):
        raise EvidenceError(f"ESTIMATE leaf {leaf.position} has {len(stage.misses)} length scales, not {len(LENGTH_SCALES)}")
    return stage


def _input_leaves(inputs: RoundInputs) -> list[Leaf]:
    bound = inputs.bound
    named = {
        Input.CONFIG: bound.config_hash,
        Input.TASK_SOURCE: bound.task_hash,
        Input.BASE_MODEL: bound.base_model,
        Input.PARENT_EVIDENCE: bound.parent_evidence,
        Input.ROOT_SET: bound.root_set,
        Input.REPUTATION: inputs.parent_reputation,
        **{Input.FIRST_SHARD + k: shard for k, shard in enumerate(bound.shards)},
    }
    leaves = [Leaf(Kind.INPUT, position, (value,)) for position, value in named.items()]
    return leaves + [Leaf(Kind.ROSTER, entry.node, (entry.signer, entry.max_samples)) for entry in inputs.roster]


def _submission_leaves(inputs: RoundInputs, outcome: RoundOutcome) -> list[Leaf]:
    leaves = []
    for submission in inputs.submissions:
        update = submission.update
        leaves.append(update_leaf(update, submission.signature))
        if submission.receipt is not None:
            leaves.append(Leaf(Kind.RECEIPT, update.node, (submission.receipt,)))
        if submission.body is not None:
            fingerprint = outcome.inspections[update.node].fingerprint
            leaves.append(Leaf(Kind.BODY, update.node, (body_hash(submission.body), submission.salt, fingerprint)))
    return leaves


def _outcome_leaves(outcome: RoundOutcome) -> list[Leaf]:
    figures = outcome.published
    leaves = [Leaf(Kind.STATISTICS, node, (values,)) for node, values in sorted(figures.statistics.items())]
    for position, ((coalition, shard), utility) in enumerate(figures.contributions.utilities.items()):
        mask = coalition.to_bytes((coalition.bit_length() + 7) // 8, "little")
        leaves.append(Leaf(Kind.UTILITY, position, (mask, shard, utility)))
    for position, stage in enumerate(figures.contributions.stages):
        leaves.append(Leaf(Kind.ESTIMATE, position, (figures.contributions.evaluator, *stage)))
    for node in outcome.nodes:
        leaves.append(Leaf(Kind.VERDICT, node.node, (node.verdict, node.reason, node.weight)))
        if node.weight:
            contribution = (node.node, node.contribution, node.standard_error, *node.errors, node.basis)
            leaves.append(Leaf(Kind.CONTRIBUTION, node.node, contribution))
        leaves.append(Leaf(Kind.SCORE, node.node, (node.score,)))
    leaves += [Leaf(Kind.REPUTATION, node, (value,)) for node, value in sorted(outcome.reputation.items())]
    return [*leaves, Leaf(Kind.MODEL, 0, (outcome.model_hash,))]
