"""The application: all routers under one roof."""

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from aggregator.mirror.routes import Mirror, install
from aggregator.service.api import events, federation, health, nodes, rewards, rounds, updates
from aggregator.service.views import Views
from aggregator.web import problems
from aggregator.web.limits import JsonLimit
from protocol.version import VERSION

_TAGS = [
    {"name": "federation", "description": "What the federation is, and what its members agreed on."},
    {"name": "rounds", "description": "Rounds, and what their nodes did and earned."},
    {"name": "evidence", "description": "The leaves behind a round's root on chain, what they name, and who attests them."},
    {"name": "models", "description": "Model files by hash."},
    {"name": "nodes", "description": "Participants, as the registry knows them."},
    {"name": "rewards", "description": "What a participant earned."},
    {"name": "events", "description": "What happened on chain, from the service's index of it."},
    {"name": "updates", "description": "What nodes send: commitments and bodies."},
    {"name": "health", "description": "Whether the service is up."},
]


def create_app(views: Views, mirror: Mirror) -> FastAPI:
    """The API over these views and this mirror. Every error is a problem document, see `problems.TABLE`."""
    app = FastAPIOffline(
        title="fairshare aggregator",
        version=VERSION,
        description="Rounds, scores and rewards of a federation. Nothing here needs to be believed: check it against the chain.",
        openapi_tags=_TAGS,
        redirect_slashes=False,
        redoc_url=None,
    )
    app.state.views = views
    problems.install(app)
    app.add_middleware(JsonLimit)
    for module in (federation, rounds, nodes, rewards, events, updates, health):
        app.include_router(module.router)
    install(app, mirror)
    return app
