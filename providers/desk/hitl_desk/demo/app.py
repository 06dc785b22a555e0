"""The customer's chat page, its small API, and the webhook the helpdesk calls. Mounted at ``/chat``."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from hitl_core import HitlError, Image, Text
from hitl_core.eventlog.sse import EventStreamResponse
from hitl_desk.demo.chat import Chat
from hitl_desk.demo.store import Conversation, StoredFile, media_of
from hitl_desk.demo.views import MAX_FILE, MAX_TEXT, SAFE_IMAGES, picture_type, record_json
from hitl_desk.server.limiter import RateLimiter

__all__ = ["COOKIE", "create_chat_app"]

logger = logging.getLogger(__name__)

COOKIE: Final = "hitl_demo_chat"

_STATIC: Final = Path(__file__).with_name("static")
_PAGE_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_MAX_JSON: Final = 64 * 1024
_MAX_WEBHOOK: Final = 2 * 1024 * 1024
_MAX_MEDIA: Final = 20 * 1024 * 1024
_HEARTBEAT: Final = 15.0
_MOST_STREAMS: Final = 8
_YEAR: Final = 365 * 86_400

Handler = Callable[[Request], Awaitable[Response]]


def create_chat_app(chat: Chat, *, base_url: Callable[[], str], connection: str = "desk") -> Starlette:
    """Make the chat's application.

    :param base_url: where this server is reached, asked when needed; customers' pictures are named by it.
    :param connection: the bridge's name of the helpdesk's connection.
    """
    api = _Api(chat, base_url, connection)
    routes = [
        Route("/", api.page),
        Route("/api/conversation", api.conversation),
        Route("/api/stream", api.stream),
        Route("/api/messages", api.message, methods=["POST"]),
        Route("/api/files", api.file, methods=["POST"]),
        Route("/api/typing", api.typing, methods=["POST"]),
        Route("/api/end", api.end, methods=["POST"]),
        Route("/api/new", api.new, methods=["POST"]),
        Route("/api/media/{number:int}/{index:int}", api.media),
        Route("/files/{name}", api.stored),
        Route(f"/webhooks/{connection}", api.webhook, methods=["POST", "GET"]),  # some helpdesks try the address first
        Mount("/static", StaticFiles(directory=_STATIC)),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _problem, HitlError: _failure})


async def _problem(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it; this tells the type checker
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _failure(request: Request, error: Exception) -> Response:
    """Tell the customer that it is not their fault, and the operator what it was."""
    logger.warning("%s failed: %s", request.url.path, error)
    return JSONResponse({"error": "That did not work. Please try again in a moment."}, 502)


class _Api:
    def __init__(self, chat: Chat, base_url: Callable[[], str], connection: str) -> None:
        self._chat = chat
        self._base_url = base_url
        self._connection = connection
        self._messages = RateLimiter(chat.clock, 20, 10.0)
        self._beginnings = RateLimiter(chat.clock, 60, 60.0)
        self._typing = RateLimiter(chat.clock, 20, 10.0)
        self._streams: dict[str, int] = {}

    # Pages ----------------------------------------------------------------------------------------------------

    async def page(self, request: Request) -> Response:
        """Serve the page."""
        del request
        return FileResponse(_STATIC / "index.html", headers={"Content-Security-Policy": _PAGE_POLICY})

    # Conversations --------------------------------------------------------------------------------------------

    async def conversation(self, request: Request) -> Response:
        """Return the browser's conversation so far; begin one when it has none."""
        found = self._chat.conversations.by_token(request.cookies.get(COOKIE))
        if found is not None:
            return JSONResponse(await self._state(found))
        return await self._begun(request, *self._chat.begin())

    async def new(self, request: Request) -> Response:
        """Leave the conversation and begin another."""
        _check_origin(request)
        before = self._chat.conversations.by_token(request.cookies.get(COOKIE))
        return await self._begun(request, *await self._chat.renew(before))

    async def _begun(self, request: Request, token: str, conversation: Conversation) -> Response:
        _limit(self._beginnings, request.client.host if request.client else "")
        answer = JSONResponse(await self._state(conversation))
        path = request.scope.get("root_path") or "/"
        answer.set_cookie(COOKIE, token, max_age=_YEAR, path=path, httponly=True, samesite="strict")
        return answer

    async def _state(self, conversation: Conversation) -> dict[str, Any]:
        return {
            "conversation": conversation.id,
            "name": conversation.customer.name,
            "records": [dict(zip(("event", "data"), record_json(each), strict=True)) for each in conversation.records],
            "cursor": len(conversation.records),
            "status": await self._chat.status(conversation),
            "limits": {"text": MAX_TEXT, "file": MAX_FILE, "types": sorted(SAFE_IMAGES)},
        }

    def _mine(self, request: Request) -> Conversation:
        found = self._chat.conversations.by_token(request.cookies.get(COOKIE))
        if found is None:
            raise HTTPException(404, "This conversation is over. Reload the page to begin a new one.")
        return found

    def _writable(self, request: Request) -> Conversation:
        _check_origin(request)
        conversation = self._mine(request)
        if conversation.full:
            raise HTTPException(409, "This conversation is full. Begin a new one.")
        _limit(self._messages, conversation.id)
        return conversation

    # What the customer does -----------------------------------------------------------------------------------

    async def message(self, request: Request) -> Response:
        """Take in what the customer wrote."""
        conversation = self._writable(request)
        text = (await _read_json(request)).get("text")
        if not isinstance(text, str) or not (text := _storable(text).strip()):
            raise HTTPException(422, "Write something first.")
        if len(text) > MAX_TEXT:
            raise HTTPException(413, f"The message has {len(text):,} characters; at most {MAX_TEXT:,} fit. Shorten it.")
        await self._chat.say(conversation, Text(text=text))
        return Response(status_code=204)

    async def file(self, request: Request) -> Response:
        """Take in a picture: its bytes are the body."""
        conversation = self._writable(request)
        content = await _read(request, MAX_FILE, f"The picture is larger than {MAX_FILE // 1024 // 1024} MB.")
        kind = picture_type(content)
        if kind is None:
            raise HTTPException(415, "Only pictures can be attached: PNG, JPEG, GIF or WebP.")
        name = _storable(unquote(request.headers.get("x-file-name", "")))[-100:]
        name = "".join(char for char in name if char.isprintable() and char not in '/\\"') or "picture"
        key = self._chat.conversations.keep_file(StoredFile(content, kind, name))
        url = f"{self._base_url()}/chat/files/{key}"
        await self._chat.say(conversation, Image(url=url, name=name, content_type=kind, size=len(content)))
        return Response(status_code=204)

    async def typing(self, request: Request) -> Response:
        """Note that the customer is typing."""
        _check_origin(request)
        conversation = self._mine(request)
        if self._typing.attempt(conversation.id) == 0.0:
            await self._chat.typing(conversation, typing=(await _read_json(request)).get("typing") is True)
        return Response(status_code=204)

    async def end(self, request: Request) -> Response:
        """Go back to the bot."""
        _check_origin(request)
        await self._chat.leave(self._mine(request))
        return Response(status_code=204)

    # Files ----------------------------------------------------------------------------------------------------

    async def stored(self, request: Request) -> Response:
        """Serve a customer's picture to whoever was given its unguessable name: the page and the helpdesk."""
        file = self._chat.conversations.file(request.path_params["name"])
        if file is None:
            raise HTTPException(404, "There is no such picture any more.")
        headers = _file_headers(file.name, inline=True) | {"Cache-Control": "private, max-age=3600"}
        return Response(file.content, media_type=file.content_type, headers=headers)

    async def media(self, request: Request) -> Response:
        """Serve a file an agent sent: pictures in place, anything else as a download."""
        entry = self._mine(request).entries().get(request.path_params["number"])
        files = media_of(entry.message) if entry is not None else ()
        index = request.path_params["index"]
        ref = files[index].ref if index < len(files) else None
        if ref is None or self._chat.bridge is None:
            raise HTTPException(404, "There is no such file.")
        stream = await self._chat.bridge.open_attachment(self._connection, ref, max_bytes=_MAX_MEDIA)
        try:
            content = b"".join([chunk async for chunk in stream.chunks])
        finally:
            await stream.close()
        kind = picture_type(content)
        return Response(
            content,
            media_type=kind or "application/octet-stream",
            headers=_file_headers(files[index].name or "file", inline=kind is not None)
            | {"Cache-Control": "private, max-age=3600"},
        )

    # Live -----------------------------------------------------------------------------------------------------

    async def stream(self, request: Request) -> Response:
        """Follow the conversation: `entry` and `change` with their cursor, `status` and `typing` as they are."""
        conversation = self._mine(request)
        if self._streams.get(conversation.id, 0) >= _MOST_STREAMS:
            raise HTTPException(429, "This conversation is open in too many tabs.")
        given = request.headers.get("last-event-id") or request.query_params.get("after") or "0"
        cursor = int(given) if given.isascii() and given.isdecimal() and len(given) < 10 else 0
        return EventStreamResponse(self._frames(conversation, cursor), 20.0)

    async def _frames(self, conversation: Conversation, cursor: int) -> AsyncGenerator[bytes]:
        self._streams[conversation.id] = self._streams.get(conversation.id, 0) + 1
        status: dict[str, Any] | None = None
        typing: dict[str, Any] | None = None
        try:
            with conversation.reading() as changed:
                yield b"retry: 1000\n\n"
                while not self._chat.closing and self._chat.conversations.by_id(conversation.id) is conversation:
                    changed.clear()
                    frames = []
                    for record in conversation.after(cursor):
                        cursor = record.number
                        event, data = record_json(record)
                        frames.append(_frame(event, data, cursor))
                    if status != (status := await self._chat.status(conversation)):
                        frames.append(_frame("status", status))
                    left = conversation.agent_typing_until - self._chat.clock.monotonic()
                    now_typing = {"typing": left > 0, "name": status["agent"]}
                    if typing != (typing := now_typing):
                        frames.append(_frame("typing", typing))
                    if frames:
                        yield "".join(frames).encode()
                    wait = min(left, _HEARTBEAT) if left > 0 else _HEARTBEAT
                    try:
                        await asyncio.wait_for(changed.wait(), wait)
                    except TimeoutError:
                        yield b": keep-alive\n\n"
        finally:
            self._streams[conversation.id] -= 1
            if not self._streams[conversation.id]:
                del self._streams[conversation.id]

    # The helpdesk ---------------------------------------------------------------------------------------------

    async def webhook(self, request: Request) -> Response:
        """Take in a delivery of the helpdesk: proven and remembered now, worked on afterwards."""
        body = await _read(request, _MAX_WEBHOOK, "The delivery is too large.")
        if self._chat.bridge is None:
            return Response(status_code=503, headers={"Retry-After": "2"})
        receipt = await self._chat.bridge.receive_webhook(
            self._connection,
            headers=request.headers.items(),
            body=body,
            method=request.method,
            path=request.url.path,
            query=dict(request.query_params),
        )
        return Response(receipt.reply.body, receipt.reply.status, dict(receipt.reply.headers))


def _frame(event: str, data: dict[str, Any], cursor: int | None = None) -> str:
    head = "" if cursor is None else f"id: {cursor}\n"
    return f"{head}event: {event}\ndata: {json.dumps(data)}\n\n"


def _file_headers(name: str, *, inline: bool) -> dict[str, str]:
    kind = "inline" if inline else "attachment"
    return {
        "Content-Disposition": f"{kind}; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }


def _check_origin(request: Request) -> None:
    """Refuse what another site's page sends with this browser's cookie; ports share cookies, origins do not."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "The request comes from another page.")


def _limit(limiter: RateLimiter, key: str) -> None:
    seconds = limiter.attempt(key)
    if seconds > 0:
        wait = int(seconds) + 1
        message = f"That was a lot at once. Please wait {wait} second{'s' if wait > 1 else ''}."
        raise HTTPException(429, message, headers={"Retry-After": str(wait)})


def _storable(text: str) -> str:
    """Return a text without what no database or page can hold: NUL and half surrogate pairs."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


async def _read(request: Request, limit: int, too_large: str) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit:
            raise HTTPException(413, too_large)
    return bytes(content)


async def _read_json(request: Request) -> dict[str, Any]:
    try:
        value = json.loads(await _read(request, _MAX_JSON, "The message is too long. Shorten it."))
    except (ValueError, RecursionError):
        raise HTTPException(400, "The request is not JSON.") from None
    return value if isinstance(value, dict) else {}
