"""Comments: people's and the bot's words on a ticket, with their files, and looked up when an answer was lost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

import hitl_core as hitl
from hitl_core.http import segment
from hitl_core.media import load_media
from hitl_core.rendering import clean_html
from hitl_zendesk.api import Api
from hitl_zendesk.facts import ENDED, mark_of, moment, number
from hitl_zendesk.refusals import update_scopes
from hitl_zendesk.texts import as_html, lines_of
from hitl_zendesk.tickets import absent, comment_ids, state_of

__all__ = ["MAX_FILE", "Comments"]

MAX_FILE: Final = 50 * 1000 * 1000
"""Bytes of a file; widely quoted, see the README."""

_WAITING: Final = frozenset({"pending", "hold"})
"""Statuses in which agents wait for somebody, so that a customer's words have to bring the ticket back."""

_PAGE: Final = 100
_SKEW: Final = timedelta(seconds=2)
_LAG: Final = timedelta(seconds=30)
"""How long an update may still be under way whose answer we gave up waiting for."""
_MEDIA: Final = (hitl.Image, hitl.Audio, hitl.Video, hitl.File)
_BLANKS: Final = re.compile(r"\s+")


class Comments:
    """The account's comments."""

    def __init__(self, api: Api) -> None:
        self._api = api

    # Writing --------------------------------------------------------------------------------------------------

    async def add(self, request: hitl.SendMessage) -> hitl.SentMessage:
        """Add a comment.

        Zendesk takes comments on solved tickets without a word, and leaves them solved, so the status is read first.

        :raises SessionClosedError: the ticket has ended, and was not to be reopened or cannot be.
        """
        session = request.session
        ticket = await self._api.ticket("send_message", session.id)
        status = str(ticket.get("status"))
        if status in ENDED and (status != "solved" or not request.reopen):
            msg = "the ticket is solved; send with reopen=True or start a new hand-off"
            if status != "solved":
                msg = "the ticket is closed for good; start a new hand-off, which becomes a follow-up ticket"
            raise hitl.SessionClosedError(msg, operation="send_message", code=status)
        comment = await self._comment(request)
        body: dict[str, Any] = {"comment": comment, "metadata": {"hitl": request.key}}
        if status in ENDED or (status in _WAITING and request.author.role == "user"):
            body["status"] = "open"  # which the author's being the customer does not do by itself
        me = await self._api.my_id()  # which may fail, and so comes before the write
        try:
            answer = await self._put(session.id, body)
        except hitl.InvalidRequestError as error:
            heir = self._heir(request, ticket) if error.status == 422 else None
            if heir is None:
                raise
            answer = await self._put(session.id, {**body, "comment": {**comment, "author_id": int(heir)}})
        return hitl.SentMessage(ids=comment_ids(answer), state=state_of(answer["ticket"], me=me, people=self._api.met))

    async def _put(self, id_: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        path, scopes = f"tickets/{segment(id_)}", update_scopes(id_)
        answer: Mapping[str, Any] = await self._api.call(
            "send_message", "PUT", path, json={"ticket": body}, scopes=scopes
        )
        return answer

    def _heir(self, request: hitl.SendMessage, ticket: Mapping[str, Any]) -> str | None:
        """Return who the customer has become: agents merge visitors into people they know, and the ticket goes along.

        Whoever was merged is gone and can be nobody's author.
        """
        author, requester = self._author(request), number(ticket.get("requester_id"))
        of_customer = request.author.role == "user" and author == number(request.session.user_id)
        return requester if of_customer and requester != author else None

    async def _comment(self, request: hitl.SendMessage) -> dict[str, Any]:
        texts: list[hitl.Message] = []
        tokens: list[str] = []
        names: list[str] = []
        for item in _items(request.message):
            if not isinstance(item, _MEDIA) or (token := await self._upload(item)) is None:
                texts.append(item)
            else:
                tokens.append(token[0])
                names.append(item.title or token[1])
        html = as_html(_text(texts)) if texts else as_html("\n".join(names))
        if texts and any(item.title for item in _items(request.message) if isinstance(item, _MEDIA)):
            html = as_html("\n\n".join((_text(texts), *names)))
        comment: dict[str, Any] = {"html_body": html, "public": request.visibility == "public"}
        author = self._author(request)
        if author is not None:
            comment["author_id"] = int(author)
        if tokens:
            comment["uploads"] = tokens
        return comment

    def _author(self, request: hitl.SendMessage) -> str | None:
        """Return who is to be seen as the author: the customer, or the bot's own user (behaviours S210, F18)."""
        if request.author.role == "user":
            return number(request.author.id) or number(request.session.user_id)
        if request.author.role == "bot":
            return number(request.session.data.get("bot"))
        return None

    async def _upload(self, media: hitl.Image | hitl.Audio | hitl.Video | hitl.File) -> tuple[str, str] | None:
        """Upload a file; give its token and name, or ``None`` where agents have to make do with its link (F17)."""
        try:
            loaded = await load_media(media, self._api.ctx.fetch, max_bytes=MAX_FILE)
        except hitl.InvalidRequestError:
            raise
        except hitl.HitlError:
            return None
        if loaded is None:
            return None
        try:
            answer = await self._api.call(
                "send_message",
                "POST",
                "uploads",
                params={"filename": loaded.name},
                content=loaded.content,
                content_type=loaded.content_type,
                repeatable=True,
            )
        except (hitl.InvalidRequestError, hitl.PermissionDeniedError):
            if media.url is None or media.url.startswith("data:"):
                raise
            return None
        return answer["upload"]["token"], loaded.name

    # Looking up -----------------------------------------------------------------------------------------------

    async def find(self, request: hitl.FindMessage) -> hitl.Finding:
        """Look for a comment whose answer was lost.

        Our key is in the metadata of the update. Where Zendesk shows it, it decides; otherwise author and words do.
        """
        sent = request.request
        found = await self._recent(sent.session.id)
        fresh = [
            comment
            for comment in found
            if str(comment["id"]) not in request.known_ids
            and (at := moment(comment.get("created_at"))) is not None
            and at >= request.sent_after - _SKEW
        ]
        marks = [(comment, mark_of(comment)) for comment in found]
        if ids := tuple(str(comment["id"]) for comment, mark in marks if mark == sent.key):
            return hitl.Found(sent=hitl.SentMessage(ids=ids))
        if any(mark is not None for _, mark in marks):
            # Marks can be seen here, and ours is not among them.
            return absent(request, self._api, _LAG)
        return await self._by_words(request, fresh)

    async def _by_words(self, request: hitl.FindMessage, fresh: list[Mapping[str, Any]]) -> hitl.Finding:
        sent = request.request
        author = self._author(sent) or await self._api.my_id()
        wanted = _bare(_text([item for item in _items(sent.message) if not isinstance(item, _MEDIA)]))
        files = any(isinstance(item, _MEDIA) for item in _items(sent.message))
        same = [comment for comment in fresh if number(comment.get("author_id")) == author]
        exact = [comment for comment in same if wanted and _bare(_words(comment)) == wanted]
        if len(exact) == 1 and not files:
            return hitl.Found(sent=hitl.SentMessage(ids=(str(exact[0]["id"]),)))
        return hitl.Inconclusive() if same else absent(request, self._api, _LAG)

    async def _recent(self, ticket_id: str) -> list[Mapping[str, Any]]:
        params = {"sort": "-created_at", "page[size]": _PAGE}
        path = f"tickets/{segment(ticket_id)}/comments"
        comments: list[Mapping[str, Any]] = (await self._api.call("find_message", "GET", path, params=params))[
            "comments"
        ]
        return comments


def _items(message: hitl.Message) -> Iterator[hitl.Message]:
    if isinstance(message, hitl.Bloc):
        yield from message.items
    else:
        yield message


def _text(items: list[hitl.Message]) -> str:
    return "\n\n".join(item.text if isinstance(item, hitl.Text) else lines_of([item]) for item in items)


def _words(comment: Mapping[str, Any]) -> str:
    return clean_html(str(comment.get("html_body") or comment.get("body") or ""), to="text").text


def _bare(text: str) -> str:
    return _BLANKS.sub("", text.replace("\u00a0", ""))
