"""Lowering messages to what an account can show, and splitting long ones (behaviour F17, R16, S200-S207)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from hitl_core.info import TextLimit
from hitl_core.messages import (
    AnyMessage,
    Audio,
    Bloc,
    BlocItem,
    Carousel,
    File,
    Image,
    Location,
    Markdown,
    Text,
    UnknownMessage,
    Video,
)
from hitl_core.rendering.escape import escape_line_start, escape_markdown
from hitl_core.rendering.lines import coordinate, media_name, message_lines
from hitl_core.rendering.split import split_text

__all__ = ["lower_message", "split_message"]


def lower_message(message: AnyMessage, *, types: frozenset[str], attachments: bool) -> tuple[AnyMessage, ...]:
    """Return a message as the account can show it; the same input always gives the same result.

    - Kinds in ``types`` stay as they are. Text is always possible.
    - Media that cannot be shown become a file, where files can, else their title and address as text (S201-S204); a
      file that only the helpdesk holds becomes ``[ File - name ]``.
    - A carousel becomes its cards, where cards can be shown.
    - A bloc stays one message where the account knows blocs. Elsewhere it becomes its items, with neighbouring texts
      put together, so that a bloc of texts is one message and one notification (F17).
    - A location becomes title, address and degrees (S207), Markdown the same characters as text (S206), everything else
      the lines of a transcript.

    :param types: kinds the account shows, :attr:`~hitl_core.info.Capabilities.message_types`.
    :param attachments: whether media are uploaded; otherwise only those with an address of their own can be shown.
    """
    lowered: tuple[AnyMessage, ...]
    match message:
        case Bloc():
            lowered = _bloc(message, types, attachments)
        case Image() | Audio() | Video() | File():
            lowered = (_media(message, types, attachments),)
        case Carousel() if "carousel" not in types and "card" in types:
            lowered = _keep_data(message, message.items)
        case _ if isinstance(message, Text) or (message.type in types and not isinstance(message, UnknownMessage)):
            lowered = (message,)
        case _:
            lowered = (_text(message, _words(message)),)
    return lowered


def _words(message: AnyMessage) -> str:
    match message:
        case Markdown():
            return message.markdown
        case Location():
            return _location(message)
        case _:
            return "\n".join(message_lines(message))


def split_message(message: AnyMessage, limit: TextLimit) -> tuple[AnyMessage, ...]:
    """Split text, Markdown, and blocs whose texts together are beyond the limit, into several messages.

    Other kinds, and a Markdown code block that spans a cut, are left as they are. ``additional_data`` stays with the
    first part.
    """
    parts: tuple[AnyMessage, ...]
    match message:
        case Text() if not limit.allows(message.text):
            parts = tuple(Text(text=part) for part in split_text(message.text, limit))
        case Markdown() if not limit.allows(message.markdown):
            parts = tuple(Markdown(markdown=part) for part in split_text(message.markdown, limit))
        case Bloc():
            parts = tuple(_split_bloc(message, limit))
            if len(parts) == 1 and parts[0] == message.model_copy(update={"additional_data": None}):
                return (message,)
        case _:
            return (message,)
    return _keep_data(message, parts)


def _text(message: AnyMessage, text: str) -> Text:
    return Text(text=text.strip() or "-", additional_data=message.additional_data)


def _keep_data(message: AnyMessage, parts: tuple[AnyMessage, ...]) -> tuple[AnyMessage, ...]:
    """Give what the receiving bot was to know to the first part, unless that has its own."""
    first, *rest = parts
    if message.additional_data is None or first.additional_data is not None:
        return parts
    return (first.model_copy(update={"additional_data": message.additional_data}), *rest)


def _media(
    message: Image | Audio | Video | File, types: frozenset[str], attachments: bool
) -> Image | Audio | Video | File | Text:
    has_address = message.url is not None and message.url[:5].lower() != "data:"
    if attachments or has_address:
        if message.type in types:
            return message
        if "file" in types:
            return File.model_validate(message.model_dump(exclude={"type"}))
    if not has_address:
        return _text(message, "\n".join(message_lines(message)))
    title = media_name(message) if message.title else ""
    return _text(message, f"{title}\n{message.url}")


def _location(message: Location) -> str:
    degrees = f"Latitude: {coordinate(message.latitude)}\nLongitude: {coordinate(message.longitude)}"
    return "\n\n".join(part.strip() for part in (message.title, message.address, degrees) if part and part.strip())


def _bloc(message: Bloc, types: frozenset[str], attachments: bool) -> tuple[AnyMessage, ...]:
    items: list[AnyMessage] = []
    for item in message.items:
        items += lower_message(item, types=types, attachments=attachments)
    if "bloc" in types:
        same = all(new is old for new, old in zip(items, message.items, strict=True))
        return (message if same else message.model_copy(update={"items": tuple(items)}),)
    merged: list[AnyMessage] = []
    for together, run in groupby(items, key=lambda item: isinstance(item, Text | Markdown)):
        listed = list(run)
        merged += [_joined([item for item in listed if isinstance(item, Text | Markdown)])] if together else listed
    return _keep_data(message, tuple(merged))


def _joined(texts: Sequence[Text | Markdown]) -> Text | Markdown:
    if len(texts) == 1:
        return texts[0]
    data = next((text.additional_data for text in texts if text.additional_data is not None), None)
    plain = [text.text for text in texts if isinstance(text, Text)]
    if len(plain) == len(texts):
        return Text(text="\n\n".join(plain), additional_data=data)
    return Markdown(markdown="\n\n".join(_as_markdown(text) for text in texts), additional_data=data)


def _as_markdown(message: Text | Markdown) -> str:
    if isinstance(message, Markdown):
        return message.markdown
    return "  \n".join(escape_line_start(escape_markdown(line)) for line in message.text.splitlines())


def _split_bloc(message: Bloc, limit: TextLimit) -> Iterable[AnyMessage]:
    """Fill blocs with items until their texts, and a line between two of them, reach the limit."""
    batch: list[BlocItem] = []
    used = 0
    for item in message.items:
        for part in split_message(item, limit):
            words = part.text if isinstance(part, Text) else part.markdown if isinstance(part, Markdown) else ""
            size = limit.measure(words) + 1
            if batch and words and used + size > limit.max + 1:
                yield Bloc(items=tuple(batch))
                batch, used = [], 0
            batch.append(_bloc_item(part))
            used += size if words else 0
    yield Bloc(items=tuple(batch))


def _bloc_item(part: Any) -> BlocItem:
    """Splitting an item of a bloc gives items of a bloc."""
    item: BlocItem = part
    return item
