"""The quick verification: all hashes, signatures, bodies, the merge and the pay, and some utilities drawn by the verifier.

A liar does not know what will be drawn: if a share p of the utilities is wrong, K draws all miss with probability (1 − p)^K at
most. What it leaves to the full replay: gate statistics, verdicts, and how contributions follow from the utilities.
"""

import secrets

from aggregator.evaluation.contributions.pay import share_out
from aggregator.evaluation.contributions.round_game import RoundGame
from aggregator.evaluation.gate.inspection import Inspection, inspect
from aggregator.evaluation.merge.mean import WeightedMean
from aggregator.evaluation.round import RoundInputs
from aggregator.scorer.errors import ReplayDifference
from aggregator.scorer.replay import Margin, check_submissions, utility_tolerance
from protocol.evidence import Evidence, Kind, Leaf
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
    _check_pay(inputs, published)
    nodes, updates, weights = _players(inputs, published, inspections)
    _check_model(inputs, published, WeightedMean(inputs.base, updates, weights))
    game = RoundGame(inputs.task, inputs.shards, inputs.base, updates, weights)
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
        if leaf.get("fingerprint") != inspections[node].fingerprint:
            raise ReplayDifference(f"BODY leaf {node}, fingerprint", leaf.get("fingerprint"), inspections[node].fingerprint)


def _check_pay(inputs: RoundInputs, published: Evidence) -> None:
    header, leaves = published.header, published.by_kind[Kind.CONTRIBUTION]
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
    for node, leaf in sorted(published.by_kind[Kind.SCORE].items()):
        if leaf.get("score") != pay.scores.get(node, 0):
            raise ReplayDifference(f"SCORE leaf {node}", leaf.get("score"), pay.scores.get(node, 0))


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
    found = published.by_kind[Kind.MODEL][0].get("hash")
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
