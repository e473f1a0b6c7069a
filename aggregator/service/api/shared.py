"""Where the routes find the service."""

from typing import Annotated

from fastapi import Depends, Request

from aggregator.service.views import Views


def _views(request: Request) -> Views:
    views: Views = request.app.state.views
    return views


Service = Annotated[Views, Depends(_views)]
