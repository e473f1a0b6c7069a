"""A lying aggregator and its colluding scorers, on a real chain: honest scorers replay what it says, anyone proves a lie.

Each case starts from the same round, closed and evaluated. The aggregator publishes something else than the outcome; its
scorers sign that, the honest ones sign what they replay; whatever has a quorum is proposed, and everybody claims.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from aggregator.assembly import assemble, write_model
from aggregator.bundles import write_evidence
from aggregator.errors import BlobMissing
from aggregator.evaluation.evidence import build_evidence
from aggregator.evaluation.round import Measurements, RoundInputs, RoundOutcome, evaluate_round
from aggregator.refusals import TooLate
from aggregator.scorer.attest import attest
from aggregator.scorer.court import faults_of, prove
from aggregator.scorer.errors import REFUSALS
from aggregator.scorer.forwarding import Commitment, Forwarding
from aggregator.scorer.gathering import Gathering
from aggregator.scorer.references import references_from
from bench.adversaries.stage import FRIEND, RIVAL, SCORERS, Prepared, Wealth, finish, gains, propose, scorer, wealth
from bench.report import Row
from ledger.records import RoundState
from protocol.evidence import Evidence, Kind
from protocol.parameters import layout_of, read_parameters
from protocol.shares import SCORE_TOTAL, largest_remainder, pack_scores
from protocol.update import body_hash
from tests.aggregator.service.support import Sent, Stage
from tests.support.lies import altered


class Lie(NamedTuple):
    """What the aggregator says that round 1 came to; without evidence where it publishes none."""

    evidence: Evidence | None
    scores: tuple[int, ...]
    model: bytes


class Settled(NamedTuple):
    """How round 1 ended, and what the liars have more than before."""

    state: RoundState
    gained: Wealth


def rows(round_one: Prepared, directory: Path) -> Iterator[Row]:
    """Each lie with f and f + 1 colluding scorers, and those that the chain judges itself with a whole quorum."""
    honest = honestly_settled(round_one, directory / "honest")
    for name, lie in LIES.items():
        for colluding, words in ((1, "f colluding scorers"), (2, "f + 1 colluding scorers")):
            found = told(round_one, directory / f"{name} {colluding}", lie, colluding)
            yield from gains(f"lying aggregator {name}, {words}", honest, found.gained)
    for name in PROVABLE:
        found = told(round_one, directory / f"{name} 3", LIES[name], 3, with_proof=True)
        yield from gains(f"lying aggregator {name}, a quorum colluding, proved by anyone", honest, found.gained)


def honestly_settled(round_one: Prepared, directory: Path, friend: str = f"owner {FRIEND}") -> Wealth:
    """What friend and aggregator have more once the outcome is settled as it is, replayed and attested by honest scorers.

    Raises `RuntimeError` if it is not: then no other figure means anything.
    """
    found = told(round_one, directory, lambda one, stage: Lie(one.evidence, one.scores, one.model), 0, friend)
    if found.state is not RoundState.FINAL:
        raise RuntimeError(f"an honest round is {found.state}: nothing here means anything")
    return found.gained


def told(
    round_one: Prepared,
    directory: Path,
    tell: Callable[[Prepared, Stage], Lie],
    colluding: int,
    friend: str = f"owner {FRIEND}",
    *,
    with_proof: bool = False,
) -> Settled:
    """The aggregator publishes what `tell` says, everybody does what is theirs to do, and what can be claimed is claimed."""
    people = (friend, "aggregator", *SCORERS[:colluding])
    with round_one.copied(directory) as stage:
        before = wealth(stage.ledger, *people)
        lie = tell(round_one, stage)
        root = round_one.evidence.header.root() if lie.evidence is None else write_evidence(lie.evidence, stage.home.blobs())
        signers = list(SCORERS[:colluding])
        for name in SCORERS[colluding:]:
            places = () if lie.evidence is None else None
            with scorer(stage, directory, name, places) as gathering:
                if _signs(gathering, root, lie, round_one.sent[RIVAL]):
                    signers.append(name)
        propose(stage, root, lie.model, lie.scores, tuple(signers))
        if with_proof:
            _prove(stage, directory)
        state = finish(stage)
        return Settled(state, wealth(stage.ledger, *people) - before)


def _signs(gathering: Gathering, root: bytes, lie: Lie, rivals: Sent) -> bool:
    """Whether an honest scorer, whom the rival has handed its body to if there is time, signs exactly this."""
    forwarding = Forwarding(gathering)
    hashed = body_hash(rivals.body)
    offered = Commitment(1, RIVAL, rivals.update.samples, rivals.signature, rivals.salt, hashed, is_forwarded=False)
    with suppress(TooLate), gathering.blobs.receive(len(rivals.body)) as incoming:
        forwarding.expect(offered)
        incoming.write(rivals.body)
        forwarding.keep(offered, incoming)
    assert gathering.account is not None
    try:
        verified, _ = attest(gathering.ledger, gathering.blobs, 1, root, gathering.account)
        forwarding.check(verified.evidence)
    except (*REFUSALS, BlobMissing):
        return False
    return (verified.claim.scores, verified.claim.model_hash) == (pack_scores(lie.scores), lie.model)


def _prove(stage: Stage, directory: Path) -> None:
    """Anyone proves the first fault that the evidence shows."""
    with scorer(stage, directory, "stranger") as gathering:
        faults = faults_of(gathering, 1)
        if not faults:
            raise RuntimeError("nothing is provable of the lie")
        prove(gathering, 1, faults[0])


def _pads_a_score(one: Prepared, stage: Stage) -> Lie:
    padded = list(one.scores)
    padded[FRIEND], padded[RIVAL] = SCORE_TOTAL - 1, 1
    return Lie(one.evidence, tuple(padded), one.model)


def _pads_a_basis(one: Prepared, stage: Stage) -> Lie:
    lie = altered(one.evidence, Kind.CONTRIBUTION, FRIEND, lambda values: {"basis": 100 * values["basis"]})
    bases = [lie.by_kind[Kind.CONTRIBUTION][node].get("basis") for node in range(len(one.sent))]
    return Lie(lie, largest_remainder(bases), one.model)


def _pads_utilities(one: Prepared, stage: Stage) -> Lie:
    """Every coalition with the friend is worth sixteen samples more, and all that is derived follows."""
    return published(stage, favouring(FRIEND, 1 << 24, 0), inputs_of(one, stage))


def _swaps_the_model(one: Prepared, stage: Stage) -> Lie:
    """The friend's own model takes the place of the merged one: its next round starts ahead of all others."""
    inputs = inputs_of(one, stage)
    update = read_parameters(one.sent[FRIEND].body, layout_of(inputs.base))
    model = write_model({name: inputs.base[name] + update[name] for name in inputs.base}, stage.home.blobs())
    return Lie(altered(one.evidence, Kind.MODEL, 0, lambda values: {"hash": model}), one.scores, model)


def _drops_a_body(one: Prepared, stage: Stage) -> Lie:
    """As if the rival had never sent one."""
    inputs = inputs_of(one, stage)
    dropped = [replace(s, body=None, salt=None) if s.update.node == RIVAL else s for s in inputs.submissions]
    return published(stage, None, replace(inputs, submissions=tuple(dropped)))


def _withholds_the_evidence(one: Prepared, stage: Stage) -> Lie:
    """The outcome would be honest, but nobody can see that: as good as timing the round out."""
    return Lie(None, one.scores, one.model)


def inputs_of(one: Prepared, stage: Stage) -> RoundInputs:
    """What round 1 is evaluated from, read as a scorer reads it."""
    return assemble(references_from(one.evidence, stage.ledger, 1), stage.home.blobs())


def published(stage: Stage, lie: Callable[[RoundOutcome], Measurements] | None, inputs: RoundInputs) -> Lie:
    """What follows from lying figures, by all the rules."""
    outcome = evaluate_round(inputs)
    if lie is not None:
        outcome = evaluate_round(inputs, lie(outcome))
    write_model(outcome.merged, stage.home.blobs())
    return Lie(build_evidence(inputs, outcome), outcome.scores, outcome.model_hash)


def favouring(friend: int, more: int, less: int) -> Callable[[RoundOutcome], Measurements]:
    """Every utility of a coalition with the friend higher by `more`, every other one lower by `less`."""

    def moved(honest: RoundOutcome) -> Measurements:
        figures = honest.measured.contributions
        utilities = {
            (coalition, shard): utility + (more if coalition >> friend & 1 else -less)
            for (coalition, shard), utility in figures.utilities.items()
        }
        return Measurements(honest.measured.statistics, replace(figures, utilities=utilities))

    return moved


LIES: dict[str, Callable[[Prepared, Stage], Lie]] = {
    "pads a friend's score": _pads_a_score,
    "pads a friend's score basis": _pads_a_basis,
    "pads a friend's utilities": _pads_utilities,
    "swaps the model": _swaps_the_model,
    "drops the body of a rival, who handed it to a scorer": _drops_a_body,
    "withholds the evidence": _withholds_the_evidence,
}
PROVABLE = ("pads a friend's score", "pads a friend's score basis")
