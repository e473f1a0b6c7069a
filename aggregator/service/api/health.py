"""Whether the service is up."""

from fastapi import APIRouter

from aggregator.service.api import examples
from aggregator.service.api.shared import Service
from aggregator.web.shared import example
from protocol.api import Health

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Is the service up?", responses=example(examples.HEALTH))
def health(service: Service) -> Health:
    """Always 200 while the service runs; `status` is "ok", or a sentence about what it has trouble with, or
    will have when the terms that are announced are enacted.
    """
    return service.health()
