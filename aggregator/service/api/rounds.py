"""Rounds, and what their nodes did and earned."""

from fastapi import APIRouter, Request

from aggregator.mirror.routes import SIGNED, Serving
from aggregator.refusals import NotYetThere, UnknownRound
from aggregator.service.api import examples
from aggregator.service.api.shared import Service
from aggregator.web.problems import problem_responses
from aggregator.web.shared import RoundNumber, example
from protocol.api import RoundView, ScoresView
from protocol.evidence import Access

router = APIRouter(prefix="/v1/rounds", tags=["rounds"], responses=problem_responses())


@router.get("", summary="All rounds, newest first", responses=example([examples.ROUND]))
def rounds(service: Service) -> list[RoundView]:
    """Every round that has opened; its `state` is that of the chain: open, closed, proposed, final or void."""
    return service.rounds()


@router.get("/{number}", summary="One round", responses={**problem_responses(UnknownRound), **example(examples.ROUND)})
def one_round(number: RoundNumber, service: Service) -> RoundView:
    """What it is bound to, how far it has come, and what came out. Deadlines are by the chain's clock."""
    return service.round(number)


@router.get(
    "/{number}/scores",
    summary="Verdicts, contributions, scores and rewards",
    responses={
        **problem_responses(UnknownRound, NotYetThere, *SIGNED),
        **example(examples.SCORES),
    },
)
def scores(number: RoundNumber, request: Request, service: Service, mirror: Serving) -> ScoresView:
    """Of every node that committed, by index, once the round was proposed. Verdicts come from the evidence, scores and
    rewards from the chain. To a node of the round (by a signed request) a reason's sentence also tells the numbers behind it.
    """
    return service.scores(number, mirror.admit(request, number, Access.ANYONE))
