"""Making what is handed over fit the desk's bounds: no detail and nothing said before may stop a hand-off."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import hitl_core as hitl
from hitl_core.rendering import Labels, message_lines, shorten

__all__ = ["MAX_NAME", "MAX_TEXT", "customer_fields", "transcript"]

MAX_TEXT: Final = hitl.TextLimit(max=65_536)
MAX_NAME: Final = hitl.TextLimit(max=255)
_MAX_ENTRIES: Final = 2_000
# A ticket's body may have 5 MiB; the rest is for description, metadata and what surrounds them.
_MAX_BYTES: Final = 4 * 1024 * 1024
_MAX_DATA: Final = 65_536
_MAX_LOCALE: Final = 35
_MAX_EMAIL: Final = 320
_MAX_PHONE: Final = 64
_MAX_URL: Final = 8_192
_MAX_DEPTH: Final = 32
_MAX_INT: Final = 2**63 - 1


def customer_fields(user: hitl.EndUser) -> dict[str, Any]:
    """Return what is known of a customer, as far as the desk takes it."""
    fields: dict[str, Any] = {
        "name": shorten(user.name, MAX_NAME) if user.name else None,
        "email": _whole(user.email, _MAX_EMAIL),
        "phone": _whole(user.phone, _MAX_PHONE),
        "avatar_url": _whole(user.avatar_url, _MAX_URL),
        "locale": _locale(user.locale),
        "data": _data(user.data) or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _whole(value: str | None, most: int) -> str | None:
    """Leave out what means nothing, or somebody else, when it is cut."""
    return value if value is None or len(value) <= most else None


def _locale(tag: str | None) -> str | None:
    """Leave out the last parts of a tag that is too long: what remains says less, but nothing else."""
    if tag is None or len(tag) <= _MAX_LOCALE:
        return tag
    return tag[: _MAX_LOCALE + 1].rpartition("-")[0] or None


def _data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what fits, in order; measured as the desk does."""
    kept: dict[str, Any] = {}
    used = 0
    for name, value in data.items():
        if not _is_taken(value):
            continue
        # With its braces: together they are as long as the separators between two of them.
        used_with = used + len(json.dumps({name: value}))
        if used_with <= _MAX_DATA:
            kept[name], used = value, used_with
    return kept


def _is_taken(value: Any, depth: int = 0) -> bool:
    """Whether the desk takes a JSON value: not nested too deep, no huge number and no huge string."""
    match value:
        case str():
            return MAX_TEXT.allows(value)
        case int():
            return abs(value) <= _MAX_INT
        case float():
            return math.isfinite(value)
        case dict():
            return depth < _MAX_DEPTH and all(_is_taken(each, depth + 1) for each in value.values())
        case list():
            return depth < _MAX_DEPTH and all(_is_taken(each, depth + 1) for each in value)
    return True


def transcript(items: Iterable[hitl.RelayItem]) -> list[dict[str, Any]]:
    """Return the history as the desk takes it: the newest entries that fit, and a line that says how many do not."""
    listed = [pair for item in items for pair in _entries(item)]
    sizes = [len(json.dumps(entry, ensure_ascii=False).encode()) for entry, _ in listed]
    if len(listed) <= _MAX_ENTRIES and sum(sizes) <= _MAX_BYTES:
        return [entry for entry, _ in listed]
    # What is no entry of the history, such as a summary, stays; so does room for the line.
    places = _MAX_ENTRIES - 1 - sum(not said for _, said in listed)
    room = _MAX_BYTES - sum(size for size, (_, said) in zip(sizes, listed, strict=True) if not said)
    left_out = sum(said for _, said in listed)
    for size, (_, said) in zip(reversed(sizes), reversed(listed), strict=True):
        if said:
            places, room = places - 1, room - size
            if places < 0 or room < 0:
                break
            left_out -= 1
    line = hitl.Text(text=Labels().left_out.format(count=left_out))
    note = hitl.HistoryEntry(author=hitl.Author.system(), message=line)
    kept: list[dict[str, Any]] = []
    skipped = 0
    for entry, said in listed:
        if said and skipped < left_out:
            skipped += 1
            if skipped == left_out:
                kept.append(_json(note))
        else:
            kept.append(entry)
    return kept


def _entries(item: hitl.RelayItem) -> list[tuple[dict[str, Any], bool]]:
    """Return the entries that begin in an item, and that they are history; a text without any is the strategy's own."""
    if item.source:
        return [(_fitted(entry), True) for entry in item.source]
    if item.continues:
        return []
    author = item.author or hitl.Author.bot()
    message = item.attachment or hitl.Text(text=item.text or "-")
    return [(_fitted(hitl.HistoryEntry(author=author, message=message)), False)]


def _fitted(entry: hitl.HistoryEntry) -> dict[str, Any]:
    """Return an entry; what the desk would refuse, such as a picture in its own address, as words."""
    written = _json(entry)
    if _is_taken(written["message"]):
        return written
    words = shorten("\n".join(message_lines(entry.message)).strip() or "-", MAX_TEXT)
    return _json(entry.model_copy(update={"message": hitl.Text(text=words)}))


def _json(entry: hitl.HistoryEntry) -> dict[str, Any]:
    return entry.model_dump(mode="json", exclude_none=True)
