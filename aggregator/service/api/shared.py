"""What the routes share: where they find the service, and the types of their parameters."""

from typing import Annotated, Any

from fastapi import Depends, Path, Request

from aggregator.service.views import Views
from protocol.api import Resource


def _views(request: Request) -> Views:
    views: Views = request.app.state.views
    return views


Service = Annotated[Views, Depends(_views)]

# The widest number that every database keeps; rounds are uint64 on chain.
RoundNumber = Annotated[int, Path(ge=1, lt=1 << 63, description="Number of a round; round 0, the genesis, has no resource.")]

NodeIndex = Annotated[int, Path(ge=0, lt=1 << 31, description="Index of a node.")]

NodeName = Annotated[str, Path(max_length=42, description="Index of a node, or the address of its owner.")]


def example(value: Resource | list[Resource]) -> dict[int | str, dict[str, Any]]:
    """The declared answer of a route, with an example."""
    shown = [item.model_dump(mode="json") for item in value] if isinstance(value, list) else value.model_dump(mode="json")
    return {200: {"description": "OK", "content": {"application/json": {"example": shown}}}}
