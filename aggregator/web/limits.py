"""A bound on what a request may send, other than a body: JSON is read into memory as a whole before anyone looks at it."""

from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from aggregator.web.problems import Row, respond

JSON_BYTES = 1 << 16
"""Many times the largest request of the API, a signed Update."""

_TOO_LARGE = Row(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large")
_NO_LENGTH = Row(HTTPStatus.LENGTH_REQUIRED, "length-required")


class JsonLimit:
    """Refuses POSTs above `JSON_BYTES`, and those that do not say. Bodies of updates, which are PUT, have their own limit."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer with a problem."""
        if scope["type"] == "http" and scope["method"] == "POST":
            length = dict(scope["headers"]).get(b"content-length", b"")
            if not length.isdigit():
                await respond(_NO_LENGTH, "send a Content-Length")(scope, receive, send)
                return
            if int(length) > JSON_BYTES:
                await respond(_TOO_LARGE, f"at most {JSON_BYTES} bytes are taken here")(scope, receive, send)
                return
        await self._app(scope, receive, send)
