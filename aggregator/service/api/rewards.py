"""What a participant contributed and earned."""

from fastapi import APIRouter

from aggregator.refusals import UnknownNode
from aggregator.service.api import examples
from aggregator.service.api.shared import Service
from aggregator.web.problems import problem_responses
from aggregator.web.shared import NodeName, example
from protocol.api import ContributionsView, RewardsView

router = APIRouter(prefix="/v1/nodes", tags=["rewards"])


@router.get(
    "/{node}/rewards",
    summary="What a participant earned",
    responses={**problem_responses(UnknownNode), **example(examples.REWARDS)},
)
def rewards(node: NodeName, service: Service) -> RewardsView:
    """In base units, as the chain has it: `earned` is of Final rounds, claimed and claimable together; `pending` becomes
    claimable at `pending_until` unless its round becomes Void.
    """
    return service.figures.rewards(service.figures.index(node))


@router.get(
    "/{node}/contributions",
    summary="What a participant contributed, round by round and in total",
    responses={**problem_responses(UnknownNode), **example(examples.CONTRIBUTIONS)},
)
def contributions(node: NodeName, service: Service) -> ContributionsView:
    """From the evidence of every round that was proposed; zero for rounds without the participant. Only Final rounds count in
    the total.
    """
    return service.contributions(service.figures.index(node))
