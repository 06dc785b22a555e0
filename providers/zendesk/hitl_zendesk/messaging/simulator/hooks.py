"""The webhooks of an integration, by API: ten at most, each with a secret of its own."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse

from hitl_core.testing.simulator import Endpoint
from hitl_zendesk.messaging.simulator.bodies import RefusedError, checked, read_json
from hitl_zendesk.messaging.simulator.records import OURS

if TYPE_CHECKING:
    from hitl_zendesk.messaging.simulator.messaging import ZendeskMessagingSimulator

__all__ = ["WebhookApi"]

_KNOWN: Final = frozenset({"target", "triggers", "includeFullUser", "includeFullSource"})
_MOST: Final = 10


class WebhookApi:
    """Answers for the webhooks of our integration, by its id or, with a key of its own, as ``me``."""

    def __init__(self, helpdesk: ZendeskMessagingSimulator) -> None:
        self._desk = helpdesk
        self.details: dict[str, dict[str, Any]] = {}

    async def listed(self, request: Request) -> Any:
        """List them."""
        self._check(request)
        return {"webhooks": [self._shown(each) for each in self._endpoints()]}

    async def create(self, request: Request) -> Any:
        """Make one; its secret is made with it."""
        self._check(request)
        given = await read_json(request)
        checked(given, _KNOWN, {"target", "triggers"})
        if len(self._endpoints()) >= _MOST:
            raise RefusedError(400, "too_many_webhooks", "Too many webhooks")
        id_ = self._desk.records.new_id(0xE1)
        self._desk.webhooks.subscribe(id_, given["target"], sha256(f"secret of {id_}".encode()).hexdigest()[:32])
        self.details[id_] = given
        made = self._desk.webhooks.endpoints[id_]
        return JSONResponse({"webhook": {**self._shown(made), "secret": made.secret}}, 201)

    async def one(self, request: Request) -> Any:
        """Show one, with its secret."""
        return {"webhook": {**self._shown(found := self._found(request)), "secret": found.secret}}

    async def change(self, request: Request) -> Any:
        """Change one; its secret stays."""
        given, found = await read_json(request), self._found(request)
        checked(given, _KNOWN)
        found.url = given.get("target", found.url)
        self.details[found.id] = {**self.details.get(found.id, {}), **given}
        return {"webhook": self._shown(found)}

    async def remove(self, request: Request) -> Any:
        """Remove one."""
        self._desk.webhooks.unsubscribe(self._found(request).id)
        return {}

    def _check(self, request: Request) -> None:
        integration = request.path_params["integration"]
        own = self._desk.records.integrations[OURS]["integrationId"]
        allowed = {own, "me"} if self._desk.scope == "integration" else {own}
        if integration not in allowed:
            raise RefusedError(404, "integration_not_found", "Integration not found")

    def _endpoints(self) -> list[Endpoint]:
        return [each for each in self._desk.webhooks.endpoints.values() if each.url is not None]

    def _found(self, request: Request) -> Endpoint:
        self._check(request)
        for each in self._endpoints():
            if each.id == request.path_params["id"]:
                return each
        raise RefusedError(404, "not_found", "Webhook not found")

    def _shown(self, endpoint: Endpoint) -> dict[str, Any]:
        details = {"triggers": [], "includeFullUser": False, "includeFullSource": False}
        shown = {"id": endpoint.id, "version": "v2", **details, **self.details.get(endpoint.id, {})}
        shown["target"] = endpoint.url
        return {**shown, "secret": endpoint.secret} if self._desk.lists_secrets else shown
