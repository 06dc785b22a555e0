"""The desk as one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Response
from starlette.datastructures import MutableHeaders
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hitl_core.clock import Clock
from hitl_core.eventlog import DeliveryPolicy, Sender
from hitl_desk.server import answers, api_bots, api_events, api_files, api_inbox, problems, site
from hitl_desk.server.desk import Desk
from hitl_desk.server.passwords import Passwords
from hitl_desk.server.protocol import DESCRIPTION, TAGS, describe
from hitl_desk.server.settings import ServerSettings

__all__ = ["create_app"]


def create_app(
    settings: ServerSettings,
    *,
    clock: Clock | None = None,
    sender: Sender | None = None,
    policy: DeliveryPolicy | None = None,
    passwords: Passwords | None = None,
    static: Path | None = None,
) -> FastAPI:
    """Make a desk.

    Its lifespan opens the database and delivers webhooks. A host that mounts it, at the root of its own paths, runs
    ``async with app.state.desk:`` in its own lifespan instead, since Starlette does not run that of a mounted one.

    :param clock: time for everything, to be injected in tests.
    :param sender: carries webhooks, to be injected in tests.
    :param policy: how often and how long webhook deliveries are tried.
    :param passwords: hashes agents' passwords, to be injected in tests.
    :param static: directory of the pages, instead of the desk's own.
    :raises ConfigurationError: when the data directory or the database URL cannot be used.
    """
    desk = Desk(settings, clock=clock, sender=sender, policy=policy, passwords=passwords)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with desk:
            yield

    app = FastAPI(
        title="Desk Protocol",
        version="1.0.0",
        summary="Hand a bot's conversation over to human agents, and follow what they do.",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        docs_url=None,  # they load their scripts from strangers
        redoc_url=None,
        lifespan=lifespan,
        separate_input_output_schemas=False,
        redirect_slashes=False,
    )
    app.state.desk = desk
    app.state.static = static or site.STATIC
    problems.install(app)
    for router in (api_bots.router, api_events.router, api_files.router, api_inbox.router, site.router):
        app.include_router(router)

    @app.get("/healthz", tags=["service"], operation_id="getHealth")
    async def healthz() -> answers.Health:
        """Say that the process runs."""
        return answers.Health()

    @app.get("/readyz", tags=["service"], operation_id="getReadiness", responses=problems.declared(503))
    async def readyz(response: Response) -> answers.Health:
        """Say whether the desk can work: its database answers."""
        if not await desk.ready():
            raise problems.Problem(503, "database_unavailable", "The database does not answer.")
        return answers.Health()

    app.mount("/inbox/static", StaticFiles(directory=app.state.static))
    app.add_middleware(_SafeHeaders)
    describe(app)
    return app


class _SafeHeaders:
    """Adds what keeps browsers from guessing, framing, telling and storing, where an answer says nothing itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Pages' files are looked up again each time, and sent only when they changed.
        store = "no-cache" if "/inbox/static/" in scope["path"] else "no-store"

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", site.PAGE_POLICY)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("X-Frame-Options", "DENY")
                headers.setdefault("Referrer-Policy", "no-referrer")
                headers.setdefault("Cache-Control", store)
            await send(message)

        await self._app(scope, receive, add)
