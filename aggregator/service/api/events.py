"""What happened on chain."""

from typing import Annotated

from fastapi import APIRouter, Query

from aggregator.service.api import examples
from aggregator.service.api.shared import Service
from aggregator.service.events import Position
from aggregator.web.problems import problem_responses
from aggregator.web.shared import example
from protocol.api import EventsView

router = APIRouter(prefix="/v1/events", tags=["events"], responses=problem_responses())

After = Annotated[
    str, Query(pattern=r"^(\d{1,18}-\d{1,9})?$", description="`next` of an earlier answer; empty for the first events.")
]
Limit = Annotated[int, Query(ge=1, le=1000, description="So many events at most.")]
Name = Annotated[str | None, Query(max_length=40, description="Only events of this name, such as NodeJoined.")]
OnlyRound = Annotated[int | None, Query(ge=0, lt=1 << 63, description="Only events of this round.")]
OnlyNode = Annotated[int | None, Query(ge=0, lt=1 << 31, description="Only events of the node with this index.")]


@router.get("", summary="What happened on chain, oldest first", responses=example(examples.EVENTS))
def events(
    service: Service,
    after: After = "",
    limit: Limit = 100,
    name: Name = None,
    round: OnlyRound = None,  # noqa: A002 since it is the parameter's name in the API
    node: OnlyNode = None,
) -> EventsView:
    """Joins, rounds, claims, faults and all other events of registry, ledger and court since the deployment, as the service has
    read them: up to `block`. After a rollback of the chain, events of blocks that are no more are gone from here too.
    """
    return service.events(Position.parse(after), limit, name=name, round=round, node=node)
