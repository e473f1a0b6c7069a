"""What `fairshare aggregator status` says: the rounds as the database has them, and what the last one waits for."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy.engine import make_url

from aggregator.home import AggregatorHome, ServiceFile
from aggregator.service.database import open_database
from aggregator.service.events import SqlLogs
from aggregator.service.phases import Phase
from aggregator.service.records import Counts, RoundRecord
from aggregator.service.store import Store
from aggregator.service.voids import told
from aggregator.terms import lacking
from ledger.records import Announcement
from protocol.terminal import when

_EVENTS = 5
"""So many of the last events are shown; the API has all of them."""


@dataclass(frozen=True)
class RoundLine:
    """One round; `accuracy` is the merged model's, None before it is evaluated; `sentence` tells `reason`, as in the API."""

    round: int
    phase: str
    state: str
    commits: int
    bodies: int
    eligible: int
    accuracy: float | None
    reason: str | None
    sentence: str

    @property
    def shown_accuracy(self) -> str:
        """For people."""
        return "" if self.accuracy is None else f"{100 * self.accuracy:.1f} %"


@dataclass(frozen=True)
class EventLine:
    """An event of the contracts, and the round and node that it names."""

    block: int
    name: str
    round: int | None
    node: int | None


@dataclass(frozen=True)
class Status:
    """`url` and `pid` of the service, None if it does not run; rounds and the last events newest first. `announced` says from
    when on announced terms can be enacted, "" if none are, and `lacking` what is not here of them.
    """

    url: str | None
    pid: int | None
    rounds: tuple[RoundLine, ...]
    waiting: str
    events: tuple[EventLine, ...]
    announced: str
    lacking: str

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def status_of(home: AggregatorHome) -> Status:
    """Read the status. Raises `HomeError`, `DatabaseError`."""
    service = _running(home)
    url = home.database_url(home.settings())
    rounds, events, announced = _read(url) if _exists(url) else ((), (), None)
    waiting = waiting_for(rounds[0] if rounds else None)
    return Status(
        url=service.url if service else None,
        pid=service.pid if service else None,
        rounds=rounds,
        waiting=waiting,
        events=events,
        announced="" if announced is None else f"new terms are announced, to be enacted from {when(announced.enactable_at)} on",
        lacking=lacking(announced, home.blobs(), home.path) or "",
    )


def waiting_for(last: RoundLine | None) -> str:
    """A sentence about what happens next."""
    if last is None or Phase(last.phase).decided:
        number = 1 if last is None else last.round + 1
        return f"round {number} opens as soon as enough nodes are eligible"
    waits = {
        Phase.OPENING: "is being opened on chain",
        Phase.OPEN: f"waits for commitments: {last.commits} of {last.eligible} eligible nodes have committed",
        Phase.CLOSING: "is being closed on chain",
        Phase.REVEALING: f"waits for bodies: {last.bodies} of {last.commits} are here",
        Phase.EVALUATING: "is being evaluated",
        Phase.ATTESTING: "is being replayed by the scorer",
        Phase.PROPOSING: "is being proposed on chain",
        Phase.PROPOSED: "waits for its window to pass",
        Phase.ABANDONING: "is being abandoned on chain",
        Phase.STALLED: f"cannot be proposed and waits to time out: {last.sentence}",
    }
    return f"round {last.round} {waits[Phase(last.phase)]}"


def _read(url: str) -> tuple[tuple[RoundLine, ...], tuple[EventLine, ...], Announcement | None]:
    engine = open_database(url)
    try:
        store = Store(engine)
        counts = store.counts()
        rounds = tuple(_line(store, found, counts.get(found.number, Counts(0, 0))) for found in store.rounds())
        logs = SqlLogs(engine)
        latest = logs.latest(_EVENTS)
        events = (EventLine(event.log.block.number, event.name, event.get("round"), event.get("node")) for event in latest)
        return rounds, tuple(events), logs.announced()
    finally:
        engine.dispose()


def _line(store: Store, found: RoundRecord, counts: Counts) -> RoundLine:
    code, sentence, _ = told(found.reason) if found.reason else (None, "", "")
    return RoundLine(
        round=found.number,
        phase=found.phase.value,
        state=found.phase.state,
        commits=counts.commits,
        bodies=counts.bodies,
        eligible=len(store.roster(found.number)),
        accuracy=found.accuracy,
        reason=code,
        sentence=sentence,
    )


def _exists(url: str) -> bool:
    parsed = make_url(url)
    return parsed.get_backend_name() != "sqlite" or Path(parsed.database or "").exists()


def _running(home: AggregatorHome) -> ServiceFile | None:
    try:
        found = ServiceFile.model_validate_json(home.service_file.read_bytes())
        os.kill(found.pid, 0)
    except (FileNotFoundError, ValidationError, ProcessLookupError):
        return None
    except PermissionError:
        pass  # somebody else's process, but it runs
    return found
