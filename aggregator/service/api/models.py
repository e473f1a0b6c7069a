"""Model files by their model hash."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import Response

from aggregator.refusals import UnknownModel
from aggregator.service.api.shared import Service
from aggregator.web.problems import problem_responses

router = APIRouter(prefix="/v1/models", tags=["models"])

MEDIA_TYPE = "application/octet-stream"

_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The safetensors file", "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get(
    "/{model}",
    summary="A model's safetensors file",
    response_class=Response,
    responses={**problem_responses(UnknownModel), **_FILE},
)
def one_model(
    model: Annotated[
        str,
        Path(
            pattern="^0x[0-9a-fA-F]{64}$",
            description="Model hash, as in `base_model` and `model` of a round.",
            examples=["0x" + "b1" * 32],
        ),
    ],
    service: Service,
) -> Response:
    """A model that a round started from, or that a proposed or Final round ended with. Check its model hash."""
    content = service.model(bytes.fromhex(model[2:]))
    # Named by its content: whoever has it once never needs to ask again.
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "ETag": f'"{model.lower()}"'}
    return Response(content, media_type=MEDIA_TYPE, headers=headers)
