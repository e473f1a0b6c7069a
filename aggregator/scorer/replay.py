"""Replay: evaluate a round again and compare every leaf with the published one.

Exact leaves must be equal to the bit. Toleranced figures may differ from this machine's own by the config's tolerance, and the
published ones are used for everything derived from them; so an honest round replays on any machine.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import NamedTuple

from aggregator.evaluation.contributions.contribute import ContributionFigures
from aggregator.evaluation.contributions.round_game import EVALUATORS
from aggregator.evaluation.evidence import build_evidence, published_measurements
from aggregator.evaluation.gate.judgement import judge
from aggregator.evaluation.gate.statistics import Statistic, Statistics
from aggregator.evaluation.round import RoundInputs, RoundOutcome, evaluate_round, gate_inputs
from aggregator.scorer.errors import ReplayDifference
from protocol.config import ToleranceSection
from protocol.errors import SignatureError
from protocol.evidence import Evidence, Header, Kind, Leaf
from protocol.update import body_hash, check_opening

MISSING = "no such leaf"
"""What stands for a leaf that is not there."""


class Margin(NamedTuple):
    """How far a published figure of some sort was from this machine's own, at most, and how far it may be."""

    largest: int
    tolerance: int


Margins = Mapping[str, Margin]
"""By the sort of figure: statistics, utility, contribution (where it was solved for), standard_error."""


def replay(inputs: RoundInputs, published: Evidence) -> tuple[RoundOutcome, Margins]:
    """Evaluate the round with the published figures: its outcome, which equals the published one, and the tolerances used.

    Raises `ReplayDifference` naming the first leaf that differs with both values, or the tree if its leaves agree and do not
    hash to the header; `SignatureError` or `CommitmentError` for a submission that its node did not sign.
    """
    if published.header.federation != inputs.domain.separator:
        raise ReplayDifference("header, federation", published.header.federation, inputs.domain.separator)
    check_submissions(inputs)
    figures, tolerance = published_measurements(published), inputs.config.tolerance
    # Before the game: a wrong statistic may change who plays, and then nothing after it could be compared.
    gate = judge(gate_inputs(inputs), figures.statistics)
    statistics = compare_statistics(figures.statistics, gate.measured, tolerance.statistics)
    outcome = evaluate_round(inputs, figures, judged=gate)
    theirs, ours = outcome.published.contributions, outcome.measured.contributions
    margins = compare_contributions(theirs, ours, outcome.denominator, len(inputs.shards), tolerance)
    compare_evidence(published, build_evidence(inputs, outcome))
    return outcome, {"statistics": statistics, **margins}


def check_submissions(inputs: RoundInputs) -> None:
    """Every Update is signed by its node's key for these inputs, and every body opens its commitment."""
    signers = {entry.node: entry.signer for entry in inputs.roster}
    for submission in inputs.submissions:
        update = submission.update
        promised = (inputs.round, inputs.bound.digest(), inputs.bound.base_model)
        if (update.round, update.inputs, update.base_model) != promised:
            raise ReplayDifference(f"UPDATE of node {update.node} (round, inputs, base model)", update, promised)
        signer = update.signer(inputs.domain, submission.signature)
        if signer != signers.get(update.node):
            raise SignatureError(f"the Update of node {update.node} is signed by {signer}, its key is {signers.get(update.node)}")
        if submission.body is not None:
            hashed, salt = body_hash(submission.body), submission.salt or b""
            check_opening(update.parameters, inputs.domain.separator, inputs.round, update.node, salt, hashed)


def compare_statistics(published: Mapping[int, Statistics], own: Mapping[int, Statistics], tolerance: int) -> Margin:
    """The same nodes, and each statistic within the tolerance."""
    largest = 0
    for node in sorted(published.keys() | own.keys()):
        if node not in published or node not in own:
            raise ReplayDifference(f"STATISTICS leaf {node}", published.get(node, MISSING), own.get(node, MISSING))
        for statistic, theirs, ours in zip(Statistic, published[node], own[node], strict=True):
            largest = max(largest, _within(f"STATISTICS leaf {node}, {statistic.name}", theirs, ours, tolerance))
    return Margin(largest, tolerance)


def compare_contributions(
    published: ContributionFigures, own: ContributionFigures, denominator: int, shards: int, tolerance: ToleranceSection
) -> dict[str, Margin]:
    """Each utility, figure of a stage, standard error and solved contribution is within its tolerance of the own one."""
    limit = utility_tolerance(own.evaluator, tolerance)
    utility, contribution, error = 0, 0, 0
    for (coalition, shard), theirs in published.utilities.items():
        where = f"UTILITY leaf of coalition {coalition:#x} on shard {shard}"
        utility = max(utility, _within(where, theirs, own.utilities[coalition, shard], limit))
    for position, (stage, mine) in enumerate(zip(published.stages, own.stages, strict=True)):
        where = f"ESTIMATE leaf {position}"
        for name in ("residual", "spread"):
            _within(f"{where}, {name}", getattr(stage, name), getattr(mine, name), shards * tolerance.utility)
        for theirs, ours in zip(stage.misses, mine.misses, strict=True):
            _within(f"{where}, misses", theirs, ours, tolerance.statistics)
    solved, bound = tolerance.contribution * denominator, tolerance.standard_error * denominator
    for node, theirs in published.solved.items():
        contribution = max(contribution, _within(f"CONTRIBUTION leaf {node}, contribution", theirs, own.solved[node], solved))
    for node, errors in published.errors.items():
        for name, theirs, ours in zip(errors._fields, errors, own.errors[node], strict=True):
            error = max(error, _within(f"CONTRIBUTION leaf {node}, {name} error", theirs, ours, bound))
    return {
        "utility": Margin(utility, limit),
        "contribution": Margin(contribution, solved),
        "standard_error": Margin(error, bound),
    }


def utility_tolerance(evaluator: int, tolerance: ToleranceSection) -> int:
    """None for utilities of the integer evaluator, which are the same on every machine; by its number in the evidence."""
    return 0 if evaluator == EVALUATORS["integer"] else tolerance.utility


def compare_evidence(published: Evidence, own: Evidence) -> None:
    """Leaf by leaf, in the order of the kinds, then the header."""
    for kind in Kind:
        theirs, ours = published.by_kind[kind], own.by_kind[kind]
        for position in sorted(theirs.keys() | ours.keys()):
            if theirs.get(position) != ours.get(position):
                where = f"{kind.name} leaf {position}"
                raise ReplayDifference(where, _values(theirs.get(position)), _values(ours.get(position)))
    for kind, promised, found in zip(Kind, published.header.roots, own.header.roots, strict=True):
        if promised != found:
            # The leaves are as they should be, but not those that were hashed: they were changed on their way here.
            raise ReplayDifference(f"header, root of the {kind.name} leaves", promised, found)
    for entry in fields(Header):
        promised, found = getattr(published.header, entry.name), getattr(own.header, entry.name)
        if promised != found:
            raise ReplayDifference(f"header, {entry.name}", promised, found)


def _values(leaf: Leaf | None) -> object:
    return MISSING if leaf is None else leaf.values


def _within(where: str, published: int, own: int, tolerance: int) -> int:
    if (difference := abs(published - own)) > tolerance:
        raise ReplayDifference(f"{where} (tolerance {tolerance})", published, own)
    return difference
