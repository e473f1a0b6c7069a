"""The quick verification: all hashes, signatures, bodies, the merge and the pay, and some utilities drawn by the verifier.

A liar does not know what will be drawn: if a share p of the utilities is wrong, K draws all miss with probability (1 − p)^K at
most. Where all coalitions were evaluated, contributions are derived from the utilities, all of them. What it leaves to the full
replay: gate statistics, verdicts, standard errors, and contributions that were solved for.
"""

import secrets
from dataclasses import fields

from aggregator.evaluation.contributions.contribute import extremes, from_every_utility, total_utilities
from aggregator.evaluation.contributions.estimate import SOLVE_DENOMINATOR
from aggregator.evaluation.contributions.method import is_enumerated
from aggregator.evaluation.contributions.pay import share_out
from aggregator.evaluation.contributions.round_game import RoundGame
from aggregator.evaluation.evidence import header_of
from aggregator.evaluation.gate.inspection import Inspection, inspect
from aggregator.evaluation.merge.mean import WeightedMean
from aggregator.evaluation.round import RoundInputs
from aggregator.scorer.errors import ReplayDifference
from aggregator.scorer.replay import MISSING, Margin, check_submissions, utility_tolerance
from protocol.evidence import Evidence, Header, Kind, Leaf
from protocol.parameters import Parameters, layout_of, model_hash
from protocol.shares import gain_tolerance


def verify_quickly(inputs: RoundInputs, published: Evidence, draws: int) -> tuple[tuple[str, ...], Margin]:
    """Recompute `draws` UTILITY leaves, and all that costs no evaluation; what was drawn, and the tolerance used.

    Raises `ReplayDifference`, and as `replay` does.
    """
    published.check_roots()
    check_submissions(inputs)
    layout = layout_of(inputs.base)
    inspections = {one.update.node: inspect(one.body, layout) for one in inputs.submissions}
    _check_bodies(published, inspections)
    nodes, updates, weights = _players(inputs, published, inspections)
    _check_model(inputs, published, WeightedMean(inputs.base, updates, weights))
    game = RoundGame(inputs.task, inputs.shards, inputs.base, updates, weights)
    _check_contributions(inputs, published, game, nodes)
    _check_pay(inputs, published, nodes)
    leaves = sorted(published.by_kind[Kind.UTILITY].items())
    drawn = sorted(secrets.SystemRandom().sample(leaves, min(draws, len(leaves))))
    largest, tolerance = 0, utility_tolerance(game.evaluator_number, inputs.config.tolerance)
    for position, leaf in drawn:
        own = _utility(leaf, game, nodes)
        largest = max(largest, abs(leaf.get("utility") - own))
        if largest > tolerance:
            raise ReplayDifference(f"UTILITY leaf {position} (tolerance {tolerance})", leaf.get("utility"), own)
    return tuple(f"UTILITY leaf {position}" for position, _ in drawn), Margin(largest, tolerance)


def _check_bodies(published: Evidence, inspections: dict[int, Inspection]) -> None:
    for node, leaf in sorted(published.by_kind[Kind.BODY].items()):
        own = inspections[node].fingerprint if node in inspections else MISSING
        if leaf.get("fingerprint") != own:
            raise ReplayDifference(f"BODY leaf {node}, fingerprint", leaf.get("fingerprint"), own)


def _check_contributions(inputs: RoundInputs, published: Evidence, game: RoundGame, nodes: list[int]) -> None:
    """The header is what inputs and utilities make it, and so are contributions where all coalitions were evaluated."""
    utilities = {
        (int.from_bytes(leaf.get("coalition"), "little"), leaf.get("shard")): leaf.get("utility")
        for leaf in published.by_kind[Kind.UTILITY].values()
    }
    totals, denominator = total_utilities(utilities), SOLVE_DENOMINATOR
    enumerated = is_enumerated(len(game.active), inputs.config.contributions.work // game.cost)
    expected = len(game.shards) << len(game.active) if enumerated else len(game.shards) * len(totals)
    if len(utilities) != expected or 0 not in totals:
        raise ReplayDifference("UTILITY leaves, their number", len(utilities), expected)
    if enumerated:
        values, denominator = from_every_utility(nodes, game, totals)
        for node, leaf in sorted(published.by_kind[Kind.CONTRIBUTION].items()):
            if leaf.get("contribution") != values.get(node, MISSING):
                where = f"CONTRIBUTION leaf {node}, contribution"
                raise ReplayDifference(where, leaf.get("contribution"), values.get(node, MISSING))
    header = published.header
    own = header_of(inputs, header.roots, header.total_basis, extremes(nodes, totals), denominator)
    for entry in fields(Header):
        promised, found = getattr(header, entry.name), getattr(own, entry.name)
        if promised != found:
            raise ReplayDifference(f"header, {entry.name}", promised, found)


def _check_pay(inputs: RoundInputs, published: Evidence, nodes: list[int]) -> None:
    header, leaves = published.header, published.by_kind[Kind.CONTRIBUTION]
    if sorted(leaves) != nodes:
        raise ReplayDifference("CONTRIBUTION leaves, their nodes", tuple(sorted(leaves)), tuple(nodes))
    tolerance = gain_tolerance(len(inputs.shards), inputs.config.tolerance.utility)
    values = {node: leaf.get("contribution") for node, leaf in leaves.items()}
    errors = {node: leaf.get("standard_error") for node, leaf in leaves.items()}
    gain = header.utility_all - header.utility_empty
    if sum(values.values()) != (header.denominator * gain if values else 0):
        raise ReplayDifference("CONTRIBUTION leaves, their sum", sum(values.values()), header.denominator * gain)
    pay = share_out(values, errors, gain, tolerance, inputs.config.pay.z)
    for node, leaf in sorted(leaves.items()):
        if leaf.get("basis") != pay.bases[node]:
            raise ReplayDifference(f"CONTRIBUTION leaf {node}, basis", leaf.get("basis"), pay.bases[node])
    scores = {node: leaf.get("score") for node, leaf in published.by_kind[Kind.SCORE].items()}
    for node in sorted(scores.keys() | pay.scores.keys()):
        if scores.get(node) != pay.scores.get(node, 0):
            raise ReplayDifference(f"SCORE leaf {node}", scores.get(node, MISSING), pay.scores.get(node, 0))


def _players(
    inputs: RoundInputs, published: Evidence, inspections: dict[int, Inspection]
) -> tuple[list[int], list[Parameters], list[int]]:
    weights = {node: leaf.get("weight") for node, leaf in sorted(published.by_kind[Kind.VERDICT].items()) if leaf.get("weight")}
    samples = {one.update.node: one.update.samples for one in inputs.submissions}
    updates: list[Parameters] = []
    for node in weights:
        parameters = inspections[node].parameters if node in inspections else None
        if parameters is None:
            raise ReplayDifference(f"VERDICT leaf {node}", published.by_kind[Kind.VERDICT][node].values, "no usable update")
        updates.append(parameters)
    return list(weights), updates, [samples[node] * weight for node, weight in weights.items()]


def _check_model(inputs: RoundInputs, published: Evidence, mean: WeightedMean) -> None:
    # The base stands instead where the merged model cannot be scored, which the full replay finds out.
    leaf = published.by_kind[Kind.MODEL].get(0)
    found = MISSING if leaf is None else leaf.get("hash")
    merged = model_hash(mean.of_all())
    if found not in (merged, model_hash(inputs.base)):
        raise ReplayDifference("MODEL leaf 0", found, merged)


def _utility(leaf: Leaf, game: RoundGame, nodes: list[int]) -> int:
    coalition, shard = int.from_bytes(leaf.get("coalition"), "little"), int(leaf.get("shard"))
    players = sum(1 << position for position, node in enumerate(nodes) if coalition >> node & 1)
    if players.bit_count() != coalition.bit_count() or shard >= len(game.shards):
        raise ReplayDifference(f"UTILITY leaf {leaf.position}", leaf.values, f"coalitions of {nodes}")
    list(game.play([players]))  # which notes the utility of each shard
    return game.utilities[players][shard]
