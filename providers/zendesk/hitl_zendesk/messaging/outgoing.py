"""Our messages as content of Sunshine Conversations (behaviour S200-S207, S262): texts, pictures, files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import hitl_core as hitl
from hitl_core.http import FilePart
from hitl_core.media import LoadedMedia, is_data_url, load_media
from hitl_core.rendering import markdown_to_text, message_lines, shorten, split_text
from hitl_zendesk.messaging.api import SunshineApi
from hitl_zendesk.messaging.settings import ZendeskMessagingSettings

__all__ = ["MAX_FILE", "MAX_TEXT", "Poster", "author_of"]

MAX_TEXT: Final = hitl.TextLimit(max=4096, unit="utf16")
MAX_FILE: Final = 50 * 1024 * 1024
_MAX_ALT: Final = hitl.TextLimit(max=128)
_MAX_NAME: Final = hitl.TextLimit(max=100)
_PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp"})
"""What messaging shows as a picture; any other goes as a file."""

_Media: TypeAlias = hitl.Image | hitl.Audio | hitl.Video | hitl.File


def author_of(author: hitl.Author, user_id: str | None) -> dict[str, Any]:
    """Return the author of a message: the customer by id, anybody else as the business (behaviour S210, S022).

    :param user_id: who takes part in the conversation; others cannot write in it, and are named instead.
    """
    if author.role == hitl.Role.USER and user_id is not None:
        named = {"displayName": _name(author)} if author.name and author.id not in {None, user_id} else {}
        return {"type": "user", "userId": user_id, **named}
    return {"type": "business", **({"displayName": _name(author)} if author.name else {})}


def _name(author: hitl.Author) -> str:
    return shorten(author.name or "", _MAX_NAME)


class Poster:
    """Posts messages."""

    def __init__(self, api: SunshineApi, ctx: hitl.ProviderContext[ZendeskMessagingSettings]) -> None:
        self._api = api
        self._fetch = ctx.fetch

    async def post(
        self,
        operation: str,
        conversation: str,
        *,
        author: Mapping[str, Any],
        message: hitl.Message,
        metadata: Mapping[str, Any],
    ) -> tuple[str, ...]:
        """Post one message: files are uploaded first, so that agents see them rather than links (behaviour F17).

        One write that must not be repeated blindly, and the last thing done; a refused one did nothing.
        """
        body = {"author": dict(author), "metadata": dict(metadata)}

        async def posted(content: dict[str, Any]) -> tuple[str, ...]:
            return await self._api.post_message(operation, conversation, {**body, "content": content})

        if isinstance(message, _Media):
            return await posted(await self._media(operation, conversation, message))
        if isinstance(message, hitl.Text):
            return await posted({"type": "text", "text": message.text})
        if not isinstance(message, hitl.Markdown):
            msg = f"a {message.type} was planned, though it is not declared"
            raise hitl.UnsupportedError(msg)
        plain = {"type": "text", "text": _plain(message.markdown)}
        if author["type"] == "user":
            return await posted(plain)  # rich text is the business's
        try:
            return await posted({"type": "text", "markdownText": message.markdown})
        except hitl.InvalidRequestError as refused:
            if refused.status != 400:
                raise
            return await posted(plain)  # as HTML it is too long

    async def _media(self, operation: str, conversation: str, media: _Media) -> dict[str, Any]:
        loaded = await self._loaded(media)
        if loaded is None:
            return _link(media)
        part = FilePart(loaded.name, loaded.content, loaded.content_type)
        try:
            address = await self._api.upload(operation, conversation, part)
        except hitl.InvalidRequestError:
            if _address(media) is None:
                raise
            return _link(media)  # a type of file the account does not take
        kind = loaded.content_type.partition(";")[0].strip().lower()
        shows = isinstance(media, hitl.Image) and kind in _PICTURES
        content = {"type": "image" if shows else "file", "mediaUrl": address, "altText": shorten(loaded.name, _MAX_ALT)}
        if media.title:
            content["text"] = shorten(media.title, MAX_TEXT)
        return content

    async def _loaded(self, media: _Media) -> LoadedMedia | None:
        """Read the file; ``None`` when it cannot be had from here, and agents get its address."""
        try:
            return await load_media(media, self._fetch, max_bytes=MAX_FILE)
        except hitl.InvalidRequestError:
            raise
        except hitl.HitlError:
            return None


def _plain(markdown: str) -> str:
    """Return Markdown as text within the limit; what the conversion makes longer goes as it was typed (S206)."""
    text = markdown_to_text(markdown).strip() or markdown
    return text if MAX_TEXT.allows(text) else split_text(markdown, MAX_TEXT)[0]


def _address(media: _Media) -> str | None:
    return None if media.url is None or is_data_url(media.url) else media.url


def _link(media: _Media) -> dict[str, Any]:
    """Return name and address as text."""
    return {"type": "text", "text": shorten("\n".join(message_lines(media)), MAX_TEXT)}
