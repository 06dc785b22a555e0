"""The calls of the API, as far as hand-offs need them: one method a route, answers unwrapped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import hitl_core as hitl
from hitl_core.http import BasicAuth, FilePart, HttpClient, segment
from hitl_zendesk.messaging.refusals import classify
from hitl_zendesk.messaging.settings import Plain, ZendeskMessagingSettings

__all__ = ["SunshineApi"]

_PAGE: Final = 100


class SunshineApi:
    """One app of Sunshine Conversations.

    :param operation: of every method: the hook that asks, for errors.
    """

    def __init__(self, ctx: hitl.ProviderContext[ZendeskMessagingSettings]) -> None:
        settings = ctx.settings
        self.app_id = settings.app_id
        self.http: HttpClient = ctx.http.bind(
            base_url=f"{settings.root}/v2",
            auth=BasicAuth(settings.key_id, settings.key_secret),
            key_header=None,  # the API knows no idempotency keys
            classify=classify,
        )

    def path(self, *parts: str) -> str:
        """Return a path below the app."""
        return "/".join(("apps", segment(self.app_id), *(segment(part) for part in parts)))

    async def get(self, operation: str, *parts: str, **params: Any) -> Any:
        """Read."""
        return (await self.http.get(self.path(*parts), operation=operation, params=params)).json()

    async def app(self, operation: str) -> Mapping[str, Any]:
        """Return the app; keys of an integration may not see it."""
        return _member(await self.get(operation), "app")

    # Users ----------------------------------------------------------------------------------------------------

    async def user(self, operation: str, id: str) -> Mapping[str, Any] | None:
        """Return a user by id or external id; ``None`` when there is none."""
        try:
            return _member(await self.get(operation, "users", id), "user")
        except hitl.NotFoundError as error:
            if error.code == "app_not_found":
                raise
            return None

    async def create_user(self, operation: str, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Create a user; ``None`` when somebody has the external id already, which makes repeats harmless."""
        answer = await self.http.post(self.path("users"), operation=operation, json=body, accept={409}, repeatable=True)
        return None if answer.status == 409 else _member(answer.json(), "user")

    # Conversations --------------------------------------------------------------------------------------------

    async def conversation(self, operation: str, id: str) -> Mapping[str, Any]:
        """Return a conversation.

        :raises NotFoundError: there is none.
        """
        return _member(await self.get(operation, "conversations", id), "conversation")

    async def conversations(self, operation: str, user_id: str, *, pages: int) -> tuple[list[Mapping[str, Any]], bool]:
        """Return a user's conversations, a limited number of pages of them, and whether these are all."""
        found: list[Mapping[str, Any]] = []
        after: str | None = None
        for _ in range(pages):
            params = {"filter[userId]": user_id, "page[size]": _PAGE, "page[after]": after}
            answer = await self.get(operation, "conversations", **params)
            found += answer["conversations"]
            meta = answer.get("meta") or {}
            after = meta.get("afterCursor")
            if not meta.get("hasMore") or after is None:
                return found, True
        return found, False

    async def create_conversation(self, operation: str, body: Mapping[str, Any]) -> str:
        """Create a conversation; return its id. Not to be repeated blindly."""
        answer = await self.http.post(self.path("conversations"), operation=operation, json=body)
        return str(_member(answer.json(), "conversation")["id"])

    async def participants(self, operation: str, id: str) -> list[Mapping[str, Any]]:
        """Return who takes part in a conversation."""
        answer = await self.get(operation, "conversations", id, "participants")
        return list(answer["participants"])

    async def control(
        self, operation: str, action: str, id: str, *, target: str | None = None, metadata: Mapping[str, Plain]
    ) -> None:
        """Pass, offer, accept or release control; each of these a repeat does not change.

        :param target: name or id of a switchboard integration.
        """
        body: dict[str, Any] = {"metadata": dict(metadata)}
        if target is not None:
            body["switchboardIntegration"] = target
        path = self.path("conversations", id, action)
        await self.http.post(path, operation=operation, json=body, repeatable=True)

    # Messages -------------------------------------------------------------------------------------------------

    async def post_message(self, operation: str, id: str, body: Mapping[str, Any]) -> tuple[str, ...]:
        """Add a message; return its ids. Not to be repeated blindly."""
        answer = await self.http.post(self.path("conversations", id, "messages"), operation=operation, json=body)
        return tuple(str(message["id"]) for message in answer.json()["messages"])

    async def messages(
        self, operation: str, id: str, before: str | None = None
    ) -> tuple[list[Mapping[str, Any]], str | None]:
        """Return a page of messages, oldest first, and where the page before it is; ``None`` when there is none."""
        answer = await self.get(operation, "conversations", id, "messages", **{"page[before]": before})
        meta = answer.get("meta") or {}
        return list(answer["messages"]), meta.get("beforeCursor") if meta.get("hasMore") else None

    async def upload(self, operation: str, id: str, file: FilePart) -> str:
        """Upload a file for a conversation; return its address. One that is never used is removed with it."""
        answer = await self.http.post(
            self.path("attachments"),
            operation=operation,
            params={"access": "public", "for": "message", "conversationId": id},
            files={"source": file},
            repeatable=True,
        )
        return str(_member(answer.json(), "attachment")["mediaUrl"])


def _member(answer: Any, name: str) -> Mapping[str, Any]:
    """Return a part of an answer.

    :raises TypeError: it is something else than an object.
    :raises KeyError: it is not there.
    """
    found = answer[name]
    if not isinstance(found, dict):
        msg = f"{name} is no object"
        raise TypeError(msg)
    return found
