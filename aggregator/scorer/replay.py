"""Replay: evaluate a round again and compare every leaf with the published one.

Exact leaves must be equal to the bit. Toleranced figures may differ from this machine's own by the config's tolerance, and the
published ones are used for everything derived from them; so an honest round replays on any machine.
"""

from aggregator.evaluation.evidence import build_evidence, published_measurements
from aggregator.evaluation.gate.statistics import Statistic
from aggregator.evaluation.round import Measurements, RoundInputs, RoundOutcome, evaluate_round
from aggregator.scorer.errors import ReplayDifference
from protocol.config import ToleranceSection
from protocol.errors import SignatureError
from protocol.evidence import Evidence, Kind, Leaf
from protocol.update import body_hash, check_opening


def replay(inputs: RoundInputs, published: Evidence) -> RoundOutcome:
    """Evaluate the round with the published figures and return its outcome, which equals the published one.

    Raises `ReplayDifference` naming the first leaf that differs with both values, `EvidenceError` if the leaves do not hash to
    the header, `SignatureError` or `CommitmentError` for a submission that its node did not sign.
    """
    published.check_roots()
    check_submissions(inputs)
    figures = published_measurements(published)
    outcome = evaluate_round(inputs, figures)
    compare_measurements(figures, outcome.measured, outcome.denominator, inputs.config.tolerance)
    compare_evidence(published, build_evidence(inputs, outcome))
    return outcome


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


def compare_measurements(published: Measurements, own: Measurements, denominator: int, tolerance: ToleranceSection) -> None:
    """Each toleranced figure of the published ones is within its tolerance of the own one."""
    for node, values in published.statistics.items():
        for statistic, theirs, ours in zip(Statistic, values, own.statistics[node], strict=True):
            _within(f"STATISTICS of node {node}, {statistic.name}", theirs, ours, tolerance.statistics)
    for (coalition, shard), theirs in published.utilities.items():
        where = f"UTILITY of coalition {coalition:#x} on shard {shard}"
        _within(where, theirs, own.utilities[coalition, shard], tolerance.utility)
    for node, theirs in published.standard_errors.items():
        bound = tolerance.standard_error * denominator
        _within(f"CONTRIBUTION of node {node}, standard error", theirs, own.standard_errors[node], bound)


def compare_evidence(published: Evidence, own: Evidence) -> None:
    """Leaf by leaf, in the order of the kinds, then the header."""
    for kind in Kind:
        theirs, ours = published.by_kind[kind], own.by_kind[kind]
        for position in sorted(theirs.keys() | ours.keys()):
            if theirs.get(position) != ours.get(position):
                where = f"{kind.name} leaf {position}"
                raise ReplayDifference(where, _values(theirs.get(position)), _values(ours.get(position)))
    if published.header != own.header:
        raise ReplayDifference("header", published.header, own.header)


def _values(leaf: Leaf | None) -> object:
    return "no such leaf" if leaf is None else leaf.values


def _within(where: str, published: int, own: int, tolerance: int) -> None:
    if abs(published - own) > tolerance:
        raise ReplayDifference(f"{where} (tolerance {tolerance})", published, own)
