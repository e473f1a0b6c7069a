"""What the routes of all services share: the types of their parameters, and how they show an example."""

from typing import Annotated, Any

from fastapi import Path

from protocol.api import Resource

# The widest number that every database keeps; rounds are uint64 on chain.
RoundNumber = Annotated[int, Path(ge=1, lt=1 << 63, description="Number of a round; round 0, the genesis, has no resource.")]

NodeIndex = Annotated[int, Path(ge=0, lt=1 << 31, description="Index of a node.")]

NodeName = Annotated[str, Path(max_length=42, description="Index of a node, or the address of its owner.")]


def example(value: Resource | list[Resource]) -> dict[int | str, dict[str, Any]]:
    """The declared answer of a route, with an example."""
    shown = [item.model_dump(mode="json") for item in value] if isinstance(value, list) else value.model_dump(mode="json")
    return json_example(shown)


def json_example(value: Any) -> dict[int | str, dict[str, Any]]:
    """The same for an answer that is no resource."""
    return {200: {"description": "OK", "content": {"application/json": {"example": value}}}}
