"""The participants, as the registry knows them."""

from fastapi import APIRouter

from aggregator.refusals import UnknownNode
from aggregator.service.api import examples
from aggregator.service.api.shared import Service
from aggregator.web.problems import problem_responses
from aggregator.web.shared import NodeName, example
from protocol.api import NodeView

router = APIRouter(prefix="/v1/nodes", tags=["nodes"], responses=problem_responses())


@router.get("", summary="All participants, by index", responses=example([examples.NODE]))
def nodes(service: Service) -> list[NodeView]:
    """Everybody who ever joined; `eligible` is for the next round."""
    return service.figures.nodes()


@router.get("/{node}", summary="One participant", responses={**problem_responses(UnknownNode), **example(examples.NODE)})
def one_node(node: NodeName, service: Service) -> NodeView:
    """By index, or by the owner's address."""
    return service.figures.node(service.figures.index(node))
