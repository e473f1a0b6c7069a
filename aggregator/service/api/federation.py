"""What the federation is, and the files that its members hash before they join, and before they accept other terms."""

from typing import Annotated

from fastapi import APIRouter, Query

from aggregator.refusals import UnknownTerms
from aggregator.service.api import examples
from aggregator.service.api.shared import Service
from aggregator.web.problems import problem_responses
from aggregator.web.shared import example
from protocol.api import ConfigView, FederationView, TaskView

Name = Annotated[
    str | None,
    Query(
        alias="hash",
        pattern="^0x[0-9a-fA-F]{64}$",
        description="Of terms that are announced, or that an earlier round opened with; default: in force.",
        examples=["0x" + "c0" * 32],
    ),
]

router = APIRouter(prefix="/v1/federation", tags=["federation"], responses=problem_responses())


@router.get("", summary="What the federation is", responses=example(examples.FEDERATION))
def federation(service: Service) -> FederationView:
    """Addresses, hashes and counts as the chain has them. Check them against the ledger that your invitation names."""
    return service.federation()


@router.get(
    "/config", summary="The text of federation.toml", responses=problem_responses(UnknownTerms) | example(examples.CONFIG)
)
def config(service: Service, name: Name = None) -> ConfigView:
    """Parse and hash it: the hash must be the ledger's `configHash`, or the one that you ask for."""
    return service.config(_hash(name))


@router.get("/task", summary="The task's source", responses=problem_responses(UnknownTerms) | example(examples.TASK))
def task(service: Service, name: Name = None) -> TaskView:
    """Hash it, and read it, before you run it: the hash must be the ledger's `taskHash`, or the one that you ask for."""
    return service.task(_hash(name))


def _hash(name: str | None) -> bytes | None:
    return None if name is None else bytes.fromhex(name[2:])
