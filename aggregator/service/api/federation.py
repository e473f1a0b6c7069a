"""What the federation is, and the files that its members hash before they join."""

from fastapi import APIRouter

from aggregator.service.api import examples
from aggregator.service.api.shared import Service
from aggregator.web.problems import problem_responses
from aggregator.web.shared import example
from protocol.api import ConfigView, FederationView, TaskView

router = APIRouter(prefix="/v1/federation", tags=["federation"], responses=problem_responses())


@router.get("", summary="What the federation is", responses=example(examples.FEDERATION))
def federation(service: Service) -> FederationView:
    """Addresses, hashes and counts as the chain has them. Check them against the ledger that your invitation names."""
    return service.federation()


@router.get("/config", summary="The text of federation.toml", responses=example(examples.CONFIG))
def config(service: Service) -> ConfigView:
    """Parse and hash it: the hash must be the ledger's `configHash`."""
    return service.config()


@router.get("/task", summary="The task's source", responses=example(examples.TASK))
def task(service: Service) -> TaskView:
    """Hash it, and read it, before you run it: the hash must be the ledger's `taskHash`."""
    return service.task()
