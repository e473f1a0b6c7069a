"""The terms that are announced, as a participant is told of them: what they change, from when on, and how they are accepted."""

import shlex
from dataclasses import dataclass
from typing import Any

from learning.errors import LearningError
from ledger.client import LedgerClient
from ledger.governance import Governance
from ledger.records import Terms as Officers
from node.errors import FederationMismatch
from node.home import NodeHome, Terms
from node.terms import Pair, fetch_terms, in_force
from protocol.client import FederationClient
from protocol.errors import ProtocolError
from protocol.terminal import when
from protocol.terms import changes, terms_hash


@dataclass(frozen=True)
class ComingTerms:
    """Terms that can be enacted from `enactable_at` on, in unix seconds of the chain's clock, as the chain has them.

    `digest`, of 32 bytes, is the hash that they are accepted by, `accepted` whether they were here. `changes` names each key and
    file that is other than in force; where the aggregator cannot say, it says why not.
    """

    digest: bytes
    enactable_at: int
    accepted: bool
    changes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """For --json; the hash 0x-hex."""
        told = {"enactable_at": self.enactable_at, "accepted": self.accepted, "changes": list(self.changes)}
        return {"terms": "0x" + self.digest.hex(), **told}

    def rows(self, home: NodeHome) -> list[tuple[str, str]]:
        """For people: a name and a value per row."""
        accepting = f"fairshare node init {shlex.quote(str(home.path))} --accept-terms {self.digest.hex()}"
        return [
            ("announced terms", f"in force from {when(self.enactable_at)} on, once somebody enacts them"),
            ("what changes", "\n".join(self.changes) or "nothing"),
            ("accepted here", "yes" if self.accepted else f"no: read them, which `fairshare node init` shows, then {accepting}"),
        ]


def coming_terms(home: NodeHome, client: FederationClient, ledger: LedgerClient) -> ComingTerms | None:
    """The terms that are announced, None if none are. Raises what the ledger raises, `TermsChanged`, `ConfigError`."""
    governance = Governance(ledger)
    announced = governance.announcement()
    if announced is None:
        return None
    now, coming = governance.in_force(), announced.terms
    pair = Pair(coming.config_hash, coming.task_hash)
    accepted = home.accepted(*pair)
    try:
        before = home.accepted(*in_force(ledger)) or fetch_terms(client, ledger)
        differing = _changed(before, accepted or fetch_terms(client, ledger, pair))
    except (ProtocolError, LearningError, FederationMismatch) as error:
        differing = [f"not known: {error}"]
    return ComingTerms(terms_hash(*pair), announced.enactable_at, accepted is not None, (*differing, *_officers(now, coming)))


def _changed(before: Terms, after: Terms) -> list[str]:
    """Each key of the config with both values, and each file of the task that is another."""
    keys = [str(change) for change in changes(before.config_toml, after.config_toml)]
    old, new = before.task.texts(), after.task.texts()
    return keys + [f"the task's {name}" for name in sorted({*old, *new}) if old.get(name) != new.get(name)]


def _officers(now: Officers, coming: Officers) -> list[str]:
    told = [] if coming.aggregator == now.aggregator else [f"aggregator: {now.aggregator} -> {coming.aggregator}"]
    return told if coming.scorers == now.scorers else [*told, f"scorers: {', '.join(now.scorers)} -> {', '.join(coming.scorers)}"]
