"""Where a node stands: membership and round from the chain, its own part in the round from its store."""

from dataclasses import asdict, dataclass
from typing import Any

from ledger.amounts import show_amount
from ledger.client import LedgerClient
from ledger.records import NodeRecord
from node.coming import ComingTerms, coming_terms
from node.home import NodeHome
from node.membership import own_node, told_expelled
from node.settings import NodeSettings
from node.store import RoundStore
from protocol.client import FederationClient
from protocol.errors import ServiceError


@dataclass(frozen=True)
class NodeStatus:
    """`round` is the federation's latest (0: none yet), `deadline` when its state ends by time (0: it does not).

    `done` is the node's phase in that round, "" if it did nothing; `note` what went wrong. `expelled` says that it was and what
    became of its stake, "" if it was not. `announced` are terms to come, None if there are none. `aggregator` is "up" or what is
    the matter with it. `block` is where the chain was read.
    """

    node: NodeRecord
    round: int
    state: str
    deadline: int
    done: str
    note: str
    expelled: str
    announced: ComingTerms | None
    aggregator: str
    block: int

    def to_json(self) -> dict[str, Any]:
        """For --json; the stake as a decimal string."""
        found = asdict(self)
        found["node"]["stake"] = str(self.node.stake)
        found["announced"] = None if self.announced is None else self.announced.to_json()
        return found


def node_status(home: NodeHome, settings: NodeSettings, ledger: LedgerClient) -> NodeStatus:
    """Look. An aggregator that is down is part of the answer. Raises `NotJoined` and what the ledger raises."""
    node = own_node(home, ledger)
    last = ledger.round(ledger.last_round())
    store = RoundStore(home.store, ledger.domain.separator)
    try:
        record = store.find(last.round)
    finally:
        store.close()
    same = record is not None and record.update.inputs == last.inputs
    with FederationClient(settings.federation_url) as client:
        announced, aggregator = coming_terms(home, client, ledger), _aggregator(client)
    return NodeStatus(
        node=node,
        round=last.round,
        state=str(last.state),
        deadline=last.deadline,
        done=str(record.phase) if record is not None and same else "",
        note=record.note if record is not None and same else "",
        expelled=told_expelled(ledger, node),
        announced=announced,
        aggregator=aggregator,
        block=ledger.block().number,
    )


def status_rows(home: NodeHome, found: NodeStatus) -> list[tuple[str, object]]:
    """The status for people: a name and a value per row."""
    record = found.node
    rows: list[tuple[str, object]] = [
        ("node", record.node),
        ("owner", record.owner),
        ("signing key", record.signer),
        ("payout", record.payout),
        ("stake", f"{show_amount(record.stake)} coin"),
        ("samples a round", f"at most {record.max_samples}"),
        ("eligible for the next round", "yes" if record.eligible else "no"),
        ("round", f"{found.round}, {found.state}"),
        ("this node in it", found.done or "nothing"),
    ]
    if found.note:
        rows.append(("why", found.note))
    if found.expelled:
        rows.append(("expelled", found.expelled))
    if found.announced is not None:
        rows.extend(found.announced.rows(home))
    return [*rows, ("aggregator", found.aggregator), ("read at block", found.block)]


def _aggregator(client: FederationClient) -> str:
    try:
        client.health()
    except ServiceError as error:
        return str(error)
    return "up"
