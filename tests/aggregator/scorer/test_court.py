"""Faults of a really tampered round, proved on the real chain; disputes from the bond to the verdict, by the scorer's tools."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aggregator.bundles import write_evidence
from aggregator.evaluation.round import RoundInputs
from aggregator.home import AggregatorHome
from aggregator.scorer.court import dispute, disputed_leaf, faults_of, prove
from aggregator.scorer.errors import NothingToDispute
from aggregator.scorer.gathering import Gathering, gather
from aggregator.scorer.home import ScorerHome, ScorerSettings
from aggregator.scorer.recompute import Payloads, recompute
from aggregator.scorer.voting import Voting
from aggregator.template import with_values
from ledger.disputes import Disputes, DisputeVerdict, Vote
from ledger.records import RoundState
from protocol.config import parse_config
from protocol.evidence import Evidence, Kind
from protocol.evidence_json import evidence_from_json
from protocol.shares import SCORE_TOTAL, largest_remainder, pack_scores
from tests.aggregator.service.support import Stage, founded, serve
from tests.support.chain import CONFIG, LocalChain, LocalFederation, account
from tests.support.lies import altered, rehashed

__all__ = ["founded"]


@pytest.fixture(scope="module")
def evaluated(founded: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Evidence, Any]:
    """A directory with a closed, evaluated round that is not proposed yet; its honest evidence."""
    template, founding, deployment = founded
    directory = tmp_path_factory.mktemp("evaluated") / "stage"
    shutil.copytree(template, directory)
    with staged(directory, founding, deployment) as stage, serve(stage) as service:
        service.play()
        kept = service.context.store.round(1)
        assert kept is not None
        assert kept.evidence_root is not None
        honest = evidence_from_json(json.loads(service.context.blobs.get(kept.evidence_root)))
    return directory, honest, (founding, deployment)


@contextmanager
def staged(directory: Path, founding: Any, deployment: Any) -> Iterator[Stage]:
    home = AggregatorHome(directory / "federation")
    with LocalChain(directory / "chain") as chain:
        home.settings_file.write_text(with_values(home.settings_file.read_text(), {"rpc_url": chain.url, "port": 0}))
        yield Stage(home, LocalFederation(chain, parse_config(CONFIG), founding, deployment))


@contextmanager
def proposed(evaluated: Any, tmp_path: Path, evidence: Evidence, scores: tuple[int, ...]) -> Iterator[tuple[Stage, Gathering]]:
    """The round proposed with this evidence and these scores, attested by its only scorer, whoever told it to."""
    directory, _, found = evaluated
    shutil.copytree(directory, tmp_path / "stage")
    with staged(tmp_path / "stage", *found) as stage:
        root, model = write_evidence(evidence, stage.home.blobs()), evidence.by_kind[Kind.MODEL][0].get("hash")
        stage.federation.propose(1, scores, evidence_root=root, model_hash=model)
        settings = ScorerSettings(ledger=stage.ledger.ledger_address, rpc_url=stage.chain.url, chain_id=stage.chain.chain_id)
        place = ScorerHome(tmp_path / "scorer")
        with gather(place, settings, [str(stage.home.path)], place.blobs_directory, account("scorer")) as gathering:
            yield stage, gathering


def scores_of(evidence: Evidence) -> tuple[int, ...]:
    """What the bases of the evidence say."""
    leaves = evidence.by_kind[Kind.CONTRIBUTION]
    return largest_remainder([leaves[node].get("basis") if node in leaves else 0 for node in range(2)])


def test_nothing_is_provable_of_an_honest_round(evaluated: Any, tmp_path: Path) -> None:
    honest = evaluated[1]
    with proposed(evaluated, tmp_path, honest, scores_of(honest)) as (_, gathering):
        assert faults_of(gathering, 1) == ()
        with pytest.raises(NothingToDispute, match="the round replays"):
            disputed_leaf(gathering, 1, None)


def padded_basis(honest: Evidence) -> tuple[Evidence, tuple[int, ...]]:
    lie = altered(honest, Kind.CONTRIBUTION, 0, lambda values: {"basis": values["basis"] + (1 << 60)})
    return lie, scores_of(lie)


def padded_score(honest: Evidence) -> tuple[Evidence, tuple[int, ...]]:
    return honest, (SCORE_TOTAL, 0) if scores_of(honest)[0] < SCORE_TOTAL else (0, SCORE_TOTAL)


def padded_total(honest: Evidence) -> tuple[Evidence, tuple[int, ...]]:
    """By so little that every score is within what largest remainders may do."""
    return Evidence(replace(honest.header, total_basis=honest.header.total_basis + 1), honest.leaves), scores_of(honest)


def another_seed(honest: Evidence) -> tuple[Evidence, tuple[int, ...]]:
    return Evidence(replace(honest.header, seed=bytes(32)), honest.leaves), scores_of(honest)


@pytest.mark.parametrize(
    ("lie", "name"),
    [
        (padded_basis, "WrongBasis"),
        (padded_score, "WrongScore"),
        (padded_total, "WrongTotal"),
        (another_seed, "WrongHeader"),
    ],
)
def test_a_provable_fault_voids_the_round_and_costs_the_aggregator_its_bond(
    evaluated: Any, tmp_path: Path, lie: Callable[[Evidence], tuple[Evidence, tuple[int, ...]]], name: str
) -> None:
    evidence, scores = lie(evaluated[1])
    with proposed(evaluated, tmp_path, evidence, scores) as (stage, gathering):
        faults = faults_of(gathering, 1)
        assert name in [fault.name for fault in faults]
        judged = prove(gathering, 1, next(fault for fault in faults if fault.name == name))
        assert judged.mined.block
        assert stage.ledger.round(1).state is RoundState.VOID


def test_a_wrong_utility_is_disputed_voted_against_and_void(evaluated: Any, tmp_path: Path) -> None:
    honest = evaluated[1]
    position = max(honest.by_kind[Kind.UTILITY])
    lie = altered(honest, Kind.UTILITY, position, lambda values: {"utility": values["utility"] + (1 << 40)})
    with proposed(evaluated, tmp_path, lie, scores_of(honest)) as (stage, gathering):
        kind, found = disputed_leaf(gathering, 1, None)
        assert (kind, found) == (Kind.UTILITY, position)
        dispute(gathering, 1, kind, found, Disputes(stage.ledger).bond())
        assert stage.ledger.round(1).state is RoundState.DISPUTED
        assert decided(stage, gathering) == (Vote.AGAINST, DisputeVerdict.UPHELD)
        assert stage.ledger.round(1).state is RoundState.VOID


def inflated_tolerances(honest: Evidence) -> Evidence:
    """With these in the header the chain would find every recomputed figure to agree."""
    return Evidence(replace(honest.header, tolerances=(1 << 63, 1 << 63, *honest.header.tolerances[2:])), honest.leaves)


def without_a_utility(honest: Evidence) -> Evidence:
    return rehashed(honest, tuple(leaf for leaf in honest.leaves if (leaf.kind, leaf.position) != (Kind.UTILITY, 1)))


def wrong_salt(honest: Evidence) -> Evidence:
    return altered(honest, Kind.BODY, 1, lambda values: {"salt": bytes(32)})


def utility_within_the_tolerance(honest: Evidence) -> Evidence:
    return altered(honest, Kind.UTILITY, 1, lambda values: {"utility": values["utility"] + 1})


@pytest.mark.parametrize(
    ("lie", "leaf"),
    [
        (inflated_tolerances, (Kind.INPUT, 0)),
        (without_a_utility, (Kind.INPUT, 0)),
        (wrong_salt, (Kind.BODY, 1)),
        (utility_within_the_tolerance, (Kind.UTILITY, 1)),
    ],
)
def test_a_lie_that_is_no_leaf_or_that_nothing_can_be_computed_from_is_voted_against(
    evaluated: Any, tmp_path: Path, lie: Callable[[Evidence], Evidence], leaf: tuple[Kind, int]
) -> None:
    honest = evaluated[1]
    with proposed(evaluated, tmp_path, lie(honest), scores_of(honest)) as (stage, gathering):
        assert disputed_leaf(gathering, 1, None) == leaf
        dispute(gathering, 1, *leaf, Disputes(stage.ledger).bond())
        assert decided(stage, gathering) == (Vote.AGAINST, DisputeVerdict.UPHELD)
        assert stage.ledger.round(1).state is RoundState.VOID


def test_a_right_leaf_that_is_disputed_stands_and_the_bond_is_lost(
    evaluated: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, replays = evaluated[1], list[Evidence]()

    def counted(inputs: RoundInputs, published: Evidence) -> Payloads:
        replays.append(published)
        return recompute(inputs, published)

    monkeypatch.setattr("aggregator.scorer.voting.recompute", counted)
    with proposed(evaluated, tmp_path, honest, scores_of(honest)) as (stage, gathering):
        with pytest.raises(NothingToDispute):
            disputed_leaf(gathering, 1, "utility")
        for named in ("utility/1", "contribution/0", "verdict/0", "estimate/0"):
            dispute(gathering, 1, *disputed_leaf(gathering, 1, named), Disputes(stage.ledger).bond())
        assert decided(stage, gathering) == (Vote.FOR, DisputeVerdict.DISMISSED)
        assert len(replays) == 1  # whoever disputes more leaves does not keep the scorer longer
        stage.chain.advance(1000)
        assert stage.ledger.round(1).state is RoundState.FINAL
        assert scores_of(honest) == stage.ledger.scores(1)
        assert pack_scores(scores_of(honest))


def decided(stage: Stage, gathering: Gathering) -> tuple[Vote, DisputeVerdict]:
    """Let the scorer act in every step; its vote and the verdict, the same in all disputes."""
    voting, disputes = Voting(gathering), Disputes(stage.ledger)
    for _ in range(2):
        voting.turn()
        Voting(gathering).turn()  # killed and started again: nothing is sent twice
        stage.chain.advance(stage.ledger.timing().vote)
    voting.turn()
    found = {(disputes.vote(one.number, account("scorer").address), one.verdict) for one in disputes.all()}
    assert len(found) == 1
    return found.pop()
