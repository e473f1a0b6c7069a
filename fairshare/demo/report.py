"""What the demo ends with: every figure read back from chain and REST, as tables for people and as a JSON document."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Any

from fairshare.demo.cast import Player
from ledger.client import LedgerClient
from protocol.api import NodeScore, RoundView, ScoresView
from protocol.client import FederationClient
from protocol.terminal import SCHEMA_VERSION, note, table
from protocol.verdicts import Reason

TOKEN_UNIT = 10**18
_SCORE_UNIT = 1 << 20
_USUAL = frozenset({Reason.OK.code, Reason.CLIPPED.code})


@dataclass(frozen=True)
class Findings:
    """The settled rounds as REST tells them, and the token balances as the chain holds them, by owner address."""

    api: str
    pool: int
    rounds: tuple[tuple[RoundView, ScoresView], ...]
    players: Mapping[str, Player]
    balances: Mapping[str, int]


def gather(client: FederationClient, ledger: LedgerClient, players: Mapping[str, Player], rounds: Sequence[int]) -> Findings:
    """Read everything; `players` by owner address, in the order of their node indices."""
    return Findings(
        client.url,
        ledger.pool(),
        tuple((client.round(number), client.scores(number)) for number in rounds),
        players,
        {address: ledger.balance(address) for address in players},
    )


def as_document(findings: Findings) -> dict[str, Any]:
    """The report: integers as decimal strings, tokens in base units, hashes as 0x-hex."""
    return {
        "schema_version": SCHEMA_VERSION,
        "pool": str(findings.pool),
        "api": findings.api,
        "rounds": [_round_document(view, scores, findings.players) for view, scores in findings.rounds],
        "nodes": [
            {"address": address, "role": player.role, "balance": str(findings.balances[address])}
            for address, player in findings.players.items()
        ],
    }


def show(findings: Findings) -> None:
    """The two tables: what each participant did and earned, and how each round went."""
    table(
        ("node", "role", "data", "contribution", "score", "tokens", "verdicts"),
        [_node_row(address, player, findings) for address, player in findings.players.items()],
        title="Participants: contribution ± standard error in percent of a perfect model,\n"
        "and score, summed over the rounds; tokens as the chain holds them",
    )
    note("")
    table(
        ("round", "state", "accuracy", "refused", "gas", "minted"),
        [_round_row(view, scores, findings) for view, scores in findings.rounds],
        title="Rounds: accuracy of the merged model on data that no node has",
    )


def _round_document(view: RoundView, scores: ScoresView, players: Mapping[str, Player]) -> dict[str, Any]:
    return {
        "round": str(view.round),
        "state": view.state,
        "accuracy": view.accuracy,
        "model": "0x" + (view.model or b"").hex(),
        "evidence": "0x" + (view.evidence_root or b"").hex(),
        "gas": str(view.gas),
        "minted": str(view.minted),
        "denominator": str(scores.denominator),
        "nodes": [
            {
                "address": node.address,
                "role": players[node.address].role,
                "verdict": node.verdict,
                "reason": node.reason,
                "contribution": str(node.contribution),
                "standard_error": str(node.standard_error),
                "score": str(node.score),
                "reward": str(node.reward),
            }
            for node in scores.nodes
        ],
    }


def _node_row(address: str, player: Player, findings: Findings) -> tuple[object, ...]:
    rows: list[tuple[ScoresView, NodeScore]] = [
        (scores, node) for _, scores in findings.rounds for node in scores.nodes if node.address == address
    ]
    # Rounds have different denominators, so sums over rounds are for reading, in percent of a perfect score.
    contribution = sum(_percent(node.contribution, scores) for scores, node in rows)
    # As in `aggregator.service.totals`: all rounds share their evaluation samples, and each draws its own design.
    sampling = sum(_percent(node.sampling_error, scores) for scores, node in rows)
    error = hypot(sampling, *(_percent(node.estimation_error, scores) for scores, node in rows))
    verdicts = Counter(node.verdict if node.reason in _USUAL else f"{node.verdict}: {node.reason}" for _, node in rows)
    return (
        player.name,
        player.role,
        max((node.samples for _, node in rows), default=0),
        f"{contribution:+.2f} ± {error:.2f}",
        sum(node.score for _, node in rows),
        f"{findings.balances[address] / TOKEN_UNIT:,.2f}",
        ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()),
    )


def _round_row(view: RoundView, scores: ScoresView, findings: Findings) -> tuple[object, ...]:
    refused = [f"{findings.players[node.address].name} ({node.reason})" for node in scores.nodes if node.weight == 0]
    accuracy = "" if view.accuracy is None else f"{100 * view.accuracy:.1f} %"
    return view.round, view.state, accuracy, ", ".join(refused), f"{view.gas:,}", f"{view.minted / TOKEN_UNIT:,.0f}"


def _percent(numerator: int, scores: ScoresView) -> float:
    return 100 * numerator / (scores.denominator * scores.evaluation_samples * _SCORE_UNIT)
