"""The HTTP API of the simulated app: as strict as the vendor's published schema."""

from __future__ import annotations

import secrets
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hitl_zendesk.messaging.simulator.bodies import RefusedError, checked, content_of, metadata_in, read_json
from hitl_zendesk.messaging.simulator.hooks import WebhookApi
from hitl_zendesk.messaging.simulator.records import APP_ID, SWITCHBOARD_ID, Conversation, StoredFile, truncated
from hitl_zendesk.messaging.simulator.switchboard import Switchboard

if TYPE_CHECKING:
    from hitl_zendesk.messaging.simulator.messaging import ZendeskMessagingSimulator

__all__ = ["KEY_ID", "api_routes"]

KEY_ID: Final = "app_5f1a5e0c0a2b3c4d5e6f0002"
MAX_FILE: Final = 50 * 1024 * 1024
_PAGE, _MOST_PAGE = 25, 100
_METHODS: Final = ("GET", "POST", "PATCH", "DELETE")
_PROFILE: Final = frozenset({"givenName", "surname", "email", "avatarUrl", "locale"})

Answer = Callable[[Request], Awaitable[Any]]


def api_routes(helpdesk: ZendeskMessagingSimulator) -> list[Route]:
    """Return the routes."""
    api, hooks = _Api(helpdesk), WebhookApi(helpdesk)
    app, conversation = f"/sc/v2/apps/{APP_ID}", "/conversations/{id}"
    webhooks = "/integrations/{integration}/webhooks"
    table: tuple[tuple[str, str, Answer, bool], ...] = (
        ("GET", "", api.app, True),
        ("GET", "/switchboards", api.switchboards, True),
        ("GET", "/switchboards/{id}/switchboardIntegrations", api.integrations, True),
        ("POST", "/users", api.create_user, False),
        ("GET", "/users/{id:path}", api.user, False),
        ("GET", "/conversations", api.conversations, False),
        ("POST", "/conversations", api.create_conversation, False),
        ("GET", conversation, api.conversation, False),
        ("GET", f"{conversation}/participants", api.participants, False),
        ("GET", f"{conversation}/messages", api.messages, False),
        ("POST", f"{conversation}/messages", api.post_message, False),
        *(
            ("POST", f"{conversation}/{action}", api.control(action), False)
            for action in ("passControl", "offerControl", "acceptControl", "releaseControl")
        ),
        ("POST", "/attachments", api.upload, False),
        ("GET", webhooks, hooks.listed, False),
        ("POST", webhooks, hooks.create, False),
        ("GET", f"{webhooks}/{{id}}", hooks.one, False),
        ("PATCH", f"{webhooks}/{{id}}", hooks.change, False),
        ("DELETE", f"{webhooks}/{{id}}", hooks.remove, False),
    )
    routes = [Route(f"{app}{path}", api.guarded(answer, app=scoped), methods=[m]) for m, path, answer, scoped in table]
    return [
        *routes,
        Route("/sc/attachments/{id}/{name:path}", api.download),
        Route(
            "/sc/v2/apps/{rest:path}", api.guarded(api.nowhere, app=False), methods=["GET", "POST", "PATCH", "DELETE"]
        ),
    ]


class _Api:
    def __init__(self, helpdesk: ZendeskMessagingSimulator) -> None:
        self._desk = helpdesk
        self._records = helpdesk.records
        self._switchboard = Switchboard(helpdesk)

    def guarded(self, handler: Answer, *, app: bool) -> Callable[[Request], Awaitable[Response]]:
        """Ask for the key, and turn refusals into answers.

        :param app: only a key of the app may; one of an integration sees users, conversations and its own webhooks.
        """

        async def answer(request: Request) -> Response:
            try:
                self._check_key(request)
                if app and self._desk.scope == "integration":
                    raise RefusedError(403, "forbidden", "Forbidden")
                result = await handler(request)
            except RefusedError as refused:
                return JSONResponse({"errors": [{"code": refused.code, "title": refused.title}]}, refused.status)
            return result if isinstance(result, Response) else JSONResponse(result)

        return answer

    def _check_key(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            pair = b64decode(given).decode() if scheme == "Basic" else ""
        except ValueError:
            pair = ""
        if not secrets.compare_digest(pair, f"{KEY_ID}:{self._desk.key_secret}"):
            raise RefusedError(401, "unauthorized", "Authorization is required")

    async def nowhere(self, request: Request) -> Any:
        if request.path_params["rest"].partition("/")[0] != APP_ID:
            raise RefusedError(404, "app_not_found", "App not found")
        raise RefusedError(404, "not_found", "Resource not found")

    # The app --------------------------------------------------------------------------------------------------

    async def app(self, _: Request) -> Any:
        settings = {"multiConvoEnabled": self._desk.multi_conversations, "maskCreditCardNumbers": True}
        return {"app": {"id": APP_ID, "displayName": "Simulated app", "settings": settings, "metadata": {}}}

    async def switchboards(self, _: Request) -> Any:
        return {"switchboards": [{"id": SWITCHBOARD_ID, "enabled": self._desk.switchboard_enabled}]}

    async def integrations(self, request: Request) -> Any:
        if request.path_params["id"] != SWITCHBOARD_ID:
            raise RefusedError(404, "switchboard_not_found", "Switchboard not found")
        return {"switchboardIntegrations": list(self._records.integrations.values())}

    # Users ----------------------------------------------------------------------------------------------------

    async def create_user(self, request: Request) -> Any:
        given = await read_json(request)
        checked(given, {"externalId", "signedUpAt", "toBeRetained", "profile", "metadata"}, {"externalId"})
        profile = given.get("profile") or {}
        checked(profile, _PROFILE)
        if any(not isinstance(value, str) or not 0 < len(value) <= 2048 for value in profile.values()):
            raise RefusedError(400, "bad_request", "profile should NOT be shorter than 1 characters")
        external_id = given["externalId"]
        if any(user["externalId"] == external_id for user in self._records.users.values()):
            raise RefusedError(409, "conflict", "A user with the same externalId exists")
        user = {
            "id": self._records.new_id(0xA1),
            "externalId": external_id,
            "signedUpAt": self._desk.stamp(),
            "identities": [],
            "profile": profile,
            "metadata": metadata_in(given),
        }
        self._records.users[user["id"]] = user
        return JSONResponse({"user": user}, 201)

    async def user(self, request: Request) -> Any:
        found = self._records.user(request.path_params["id"])
        if found is None:
            raise RefusedError(404, "user_not_found", "User not found")
        return {"user": found}

    # Conversations --------------------------------------------------------------------------------------------

    async def conversations(self, request: Request) -> Any:
        user = self._records.user(request.query_params.get("filter[userId]", ""))
        if user is None:
            raise RefusedError(404, "user_not_found", "User not found")
        theirs = [each for each in self._records.conversations.values() if each.user_id == user["id"]]
        after, size = request.query_params.get("page[after]"), int(request.query_params.get("page[size]", _PAGE))
        if not 0 < size <= _MOST_PAGE:
            raise RefusedError(400, "bad_request", "page.size should be <= 100")
        start = next((n + 1 for n, each in enumerate(theirs) if each.id == after), 0)
        page, more = theirs[start : start + size], len(theirs) > start + size
        shown = [self._shown(each) for each in page]
        if not self._desk.lists_metadata:
            shown = [{name: value for name, value in each.items() if name != "metadata"} for each in shown]
        return {"conversations": shown, "meta": {"hasMore": more, **({"afterCursor": page[-1].id} if more else {})}}

    async def create_conversation(self, request: Request) -> Any:
        given = await read_json(request)
        known = {"type", "participants", "displayName", "description", "iconUrl", "metadata"}
        checked(given, known, {"type"})
        participants = given.get("participants") or []
        if given["type"] != "personal" or len(participants) != 1:
            raise RefusedError(400, "bad_request", "participants should have exactly 1 item")
        checked(participants[0], {"userId", "userExternalId", "subscribeSDKClient"})
        name = given.get("displayName")
        if name is not None and not 0 < len(name) <= 100:
            raise RefusedError(400, "bad_request", "displayName should NOT be longer than 100 characters")
        user = self._records.users.get(participants[0].get("userId", ""))
        if user is None:
            raise RefusedError(404, "user_not_found", "User not found")
        if not self._desk.multi_conversations and any(
            each.user_id == user["id"] for each in self._records.conversations.values()
        ):
            raise RefusedError(400, "bad_request", "Multi-conversations is not enabled")
        made = self._desk.open_conversation(user["id"], name=name, metadata=metadata_in(given))
        return JSONResponse({"conversation": self._shown(made)}, 201)

    async def conversation(self, request: Request) -> Any:
        return {"conversation": self._shown(self._found(request))}

    async def participants(self, request: Request) -> Any:
        found = self._found(request)
        return {"participants": [{"id": f"{found.id[:-1]}p", "userId": found.user_id}], "meta": {"hasMore": False}}

    def control(self, action: str) -> Answer:
        """Return what answers one of the switchboard's actions."""

        async def answer(request: Request) -> Any:
            given, found = await read_json(request), self._found(request)
            as_integration = self._desk.scope == "integration"
            self._switchboard.act(action, found, given, as_integration=as_integration)
            return {}

        return answer

    def _shown(self, conversation: Conversation) -> dict[str, Any]:
        last = conversation.messages[-1]["received"] if conversation.messages else None
        created = self._desk.stamp(conversation.created_at)
        return {
            **truncated(conversation, self._records),
            "isDefault": False,
            "displayName": conversation.display_name,
            "lastUpdatedAt": last or created,
            "createdAt": created,
        }

    def _found(self, request: Request) -> Conversation:
        found = self._records.conversations.get(request.path_params["id"])
        if found is None:
            raise RefusedError(404, "conversation_not_found", "Conversation not found")
        return found

    # Messages and files ---------------------------------------------------------------------------------------

    async def messages(self, request: Request) -> Any:
        found = self._found(request).messages
        before = request.query_params.get("page[before]")
        end = next((n for n, each in enumerate(found) if each["id"] == before), len(found))
        start = max(end - self._desk.page_size, 0)
        meta: Mapping[str, Any] = {"hasMore": start > 0, **({"beforeCursor": found[start]["id"]} if start else {})}
        return {"messages": found[start:end], "meta": meta}

    async def post_message(self, request: Request) -> Any:
        given, found = await read_json(request), self._found(request)
        checked(given, {"author", "content", "destination", "metadata", "override", "schema"}, {"author", "content"})
        author = given["author"]
        checked(author, {"type", "subtypes", "userId", "userExternalId", "displayName", "avatarUrl"}, {"type"})
        if author["type"] not in {"user", "business"} or ("userId" in author) is not (author["type"] == "user"):
            raise RefusedError(400, "bad_request", "author.userId is only supported when author.type is user")
        if author["type"] == "user" and author["userId"] != found.user_id:
            raise RefusedError(404, "user_not_found", "User is not a participant")
        content, metadata = content_of(given["content"]), metadata_in(given)
        if len(found.messages) >= self._desk.most_messages:
            raise RefusedError(423, "locked", f"Message limit of {self._desk.most_messages} per conversation reached.")
        message = self._desk.write(found, author, content, metadata=metadata, source={"type": "api"})
        return JSONResponse({"messages": [message]}, 201)

    async def upload(self, request: Request) -> Any:
        if request.query_params.get("access") != "public":
            raise RefusedError(400, "bad_request", "access should be equal to one of the allowed values")
        async with request.form(max_part_size=MAX_FILE + 1) as form:
            part = form.get("source")
            if part is None or isinstance(part, str):
                raise RefusedError(400, "bad_request", "source is required")
            content = await part.read()
            name, kind = part.filename or "file", part.content_type or "application/octet-stream"
        if len(content) > MAX_FILE:
            raise RefusedError(413, "payload_too_large", "Request entity too large")
        url = self._desk.store(StoredFile(name, kind, content), str(request.base_url))
        return JSONResponse({"attachment": {"mediaUrl": url, "mediaType": kind}}, 201)

    async def download(self, request: Request) -> Response:
        found = self._records.files.get(request.path_params["id"])
        if found is None:
            return Response("Not found", 404)
        if found.private:
            try:
                self._check_key(request)
            except RefusedError as refused:
                return Response("Forbidden", refused.status)
        disposition = f"inline; filename*=UTF-8''{quote(found.name)}"
        return Response(found.content, media_type=found.content_type, headers={"content-disposition": disposition})
