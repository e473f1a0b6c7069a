"""A round's evidence: what its root on chain stands for."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from aggregator.refusals import NotYetThere, UnknownRound
from aggregator.service.api.shared import RoundNumber, Service
from aggregator.web.problems import problem_responses
from protocol.evidence import evidence_to_json

router = APIRouter(prefix="/v1/rounds", tags=["evidence"])

_EXAMPLE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "OK",
        "content": {
            "application/json": {
                "example": {
                    "schema_version": 1,
                    "root": "0xef…",
                    "header": {"federation": "0x…", "round": "1", "total_basis": "528482304000"},
                    "leaves": [{"kind": "verdict", "position": 0, "values": ["1", "1", "65536"]}],
                }
            }
        },
    }
}


@router.get(
    "/{number}/evidence",
    summary="The leaves that anyone may see",
    response_class=JSONResponse,
    responses={**problem_responses(UnknownRound, NotYetThere), **_EXAMPLE},
)
def evidence(number: RoundNumber, service: Service) -> JSONResponse:
    """The whole header, which hashes to the evidence root on chain, and every leaf whose kind is open to anyone."""
    return JSONResponse(evidence_to_json(service.evidence(number)))
