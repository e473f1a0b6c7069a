"""What `fairshare ledger status` and `rewards` say, to people and to programs. Amounts are decimal strings in base units."""

from dataclasses import dataclass
from typing import Any

from ledger.amounts import show_amount
from ledger.client import LedgerClient
from ledger.records import BlockRef, ChainRound, NodeRecord
from ledger.rewards import Rewards
from protocol.terminal import plain, table


@dataclass(frozen=True)
class Status:
    """A federation at one block. `pool`, `supply`, `reserved` and `cap` in base units, `now` by the chain's clock."""

    chain_id: int
    ledger: str
    registry: str
    token: str
    symbol: str
    block: BlockRef
    now: int
    pool: int
    supply: int
    reserved: int
    cap: int
    nodes: int
    rounds: tuple[ChainRound, ...]


def status_of(client: LedgerClient) -> Status:
    """Read a federation's status."""
    return Status(
        chain_id=client.domain.chain_id,
        ledger=client.ledger_address,
        registry=client.registry_address,
        token=client.token_address,
        symbol=client.token_symbol(),
        block=client.block(),
        now=client.now(),
        pool=client.pool(),
        supply=client.total_supply(),
        reserved=client.reserved(),
        cap=client.token_cap(),
        nodes=client.node_count(),
        rounds=tuple(client.round(number) for number in range(client.last_round() + 1)),
    )


def status_as_json(status: Status) -> dict[str, Any]:
    """For programs."""
    return {
        "chain_id": status.chain_id,
        "ledger": status.ledger,
        "registry": status.registry,
        "token": status.token,
        "token_symbol": status.symbol,
        "block": status.block.number,
        "now": status.now,
        "pool": str(status.pool),
        "supply": str(status.supply),
        "reserved": str(status.reserved),
        "cap": str(status.cap),
        "node_count": status.nodes,
        "rounds": [
            {
                "round": r.round,
                "state": str(r.state),
                "parent": r.parent,
                "opened_at": r.opened_at,
                "deadline": r.deadline or None,
                "model": "0x" + r.model_hash.hex(),
                "evidence": "0x" + r.evidence_root.hex(),
                "released": r.released,
            }
            for r in status.rounds
        ],
    }


def show_status(status: Status) -> None:
    """For people."""
    print(f"ledger {status.ledger} on chain {status.chain_id}, block {status.block.number}")
    print(f"registry {status.registry} with {status.nodes} nodes; token {status.token}")
    print(
        f"pool {show_amount(status.pool)} {plain(status.symbol)} a round; minted {show_amount(status.supply)}, "
        f"minted or promised {show_amount(status.reserved)} of {show_amount(status.cap)}"
    )
    table(
        ("round", "state", "parent", "until", "model", "evidence"),
        (
            (r.round, r.state, r.parent, _until(r, status.now), _short(r.model_hash), _short(r.evidence_root))
            for r in status.rounds
        ),
    )


def rewards_as_json(node: NodeRecord, rewards: Rewards, block: BlockRef) -> dict[str, Any]:
    """For programs."""
    return {
        "node": node.node,
        "owner": node.owner,
        "payout": node.payout,
        "block": block.number,
        "earned": str(rewards.earned),
        "pending": str(rewards.pending),
        "claimable": str(rewards.claimable),
        "claimed": str(rewards.claimed),
        "rounds": [
            {"round": r.round, "state": str(r.state), "score": r.score, "tokens": str(r.tokens), "claimed": r.claimed}
            for r in rewards.rounds
        ],
    }


def show_rewards(node: NodeRecord, rewards: Rewards, symbol: str) -> None:
    """For people."""
    print(f"node {node.node}, owner {node.owner}, paid to {node.payout}")
    table(
        ("round", "state", "score", symbol, "claimed"),
        ((r.round, r.state, r.score, show_amount(r.tokens), "yes" if r.claimed else "") for r in rewards.rounds),
    )
    print(
        f"earned {show_amount(rewards.earned)} {plain(symbol)}: claimed {show_amount(rewards.claimed)}, "
        f"claimable {show_amount(rewards.claimable)}; pending {show_amount(rewards.pending)}"
    )


def _until(found: ChainRound, now: int) -> str:
    """How long the state lasts by itself; nothing for one that lasts for ever."""
    return f"{found.deadline - now} s" if found.deadline > now else ""


def _short(value: bytes) -> str:
    return f"0x{value.hex()[:12]}…" if any(value) else ""
