"""Messages as lines of text, kind by kind: the body of a transcript's blocks (behaviour S170-S198, F16)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from hitl_core.messages import (
    AnyMessage,
    Audio,
    Bloc,
    Card,
    Carousel,
    Choice,
    Dropdown,
    File,
    Image,
    Location,
    Media,
    Option,
    UnknownMessage,
    Video,
)

__all__ = ["Address", "Formatter", "Line", "coordinate", "message_lines", "message_parts", "plain"]

Formatter: TypeAlias = Callable[[Any], str | Sequence[str]]
"""Renders one kind of message: gives its text, or its lines."""


@dataclass(frozen=True, slots=True)
class Address:
    """A part of a line that is an address, to be a link where the output has links."""

    url: str


Line: TypeAlias = tuple[str | Address, ...]
"""A line as its parts in order."""


def message_lines(message: AnyMessage, formatters: Mapping[str, Formatter] | None = None) -> list[str]:
    """Return the plain lines of a message; at least one.

    :param formatters: by message type, instead of the default ones (behaviour S164); asked for the items of a bloc too.
    """
    return [plain(line) for line in message_parts(message, formatters)]


def message_parts(message: AnyMessage, formatters: Mapping[str, Formatter] | None = None) -> list[Line]:
    """Return the same with addresses told apart."""
    if formatters and (custom := formatters.get(message.type)):
        return as_lines(custom(message))
    if isinstance(message, Bloc | Carousel):
        title = "[ Bloc ]" if isinstance(message, Bloc) else "[ Carousel ]"
        return [(title,), *(line for item in message.items for line in message_parts(item, formatters))]
    if isinstance(message, UnknownMessage):
        return [(f"[ Unsupported message: {' '.join(message.type.split())[:50]} ]",)]
    return _FORMATTERS[message.type](message)


def as_lines(given: str | Sequence[str]) -> list[Line]:
    """Take what a formatter gave."""
    if isinstance(given, str):
        given = given.splitlines()
    return [(line,) for line in given] or [("",)]


def plain(line: Line) -> str:
    """Join a line's parts."""
    return "".join(part if isinstance(part, str) else part.url for part in line)


def _words(text: str) -> list[Line]:
    """Split text into lines, trimmed as a whole (behaviour S172-S175)."""
    return [(line,) for line in text.strip().splitlines()] or [("",)]


_KINDS: Final = {"image": "Image", "audio": "Audio", "video": "Video", "file": "File"}


def _media(message: Image | Audio | Video | File) -> Line:
    kind = _KINDS[message.type]
    name = media_name(message) or ("untitled" if message.type == "file" else "")
    head = f"[ {kind} - {name}" if name else f"[ {kind}"
    # A file held in its own address has nothing to show; one held by the helpdesk has no address.
    if message.url is None or message.url[:5].lower() == "data:":
        return (f"{head} ]",)
    return (f"{head}: ", Address(message.url), " ]")


def media_name(message: Media) -> str:
    """Return a file's title or name in one line, empty when it has neither."""
    return " ".join((message.title or message.name or "").split())


def coordinate(value: float) -> str:
    """Write degrees without exponent, to six decimals (about a tenth of a metre)."""
    digits = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if digits == "-0" else digits


def _location(message: Location) -> list[Line]:
    north, east = coordinate(message.latitude), coordinate(message.longitude)
    latitude = f"{north.lstrip('-')}° {'S' if north.startswith('-') else 'N'}"
    longitude = f"{east.lstrip('-')}° {'W' if east.startswith('-') else 'E'}"
    named = [line for text in (message.title, message.address) if text and text.strip() for line in _words(text)]
    return [("[ Location ]",), *named, (f"{latitude}, {longitude}",)]


def _card(message: Card) -> list[Line]:
    lines: list[Line] = [(f'[ Card: "{_one_line(message.title)}" ]',)]
    if message.subtitle:
        first, *rest = _words(message.subtitle)
        lines += [("Subtitle: ", *first), *rest]
    if message.image_url:
        shown: str | Address = Address(message.image_url)
        lines.append(("Image: ", "(embedded)" if message.image_url[:5].lower() == "data:" else shown))
    for action in message.actions:
        value: str | Address = Address(action.value) if action.kind == "url" else _one_line(action.value)
        lines.append((f'{action.kind}: "{_one_line(action.label)}" => ', value))
    return lines


def _question(message: Choice | Dropdown) -> list[Line]:
    title = "[ Choice options ]" if isinstance(message, Choice) else "[ Dropdown options ]"
    return [*_words(message.text), (title,), *((_option(option),) for option in message.options)]


def _option(option: Option) -> str:
    return f'"{_one_line(option.label)}" ({_one_line(option.value)})'


def _one_line(text: str) -> str:
    return " ".join(text.split())


_FORMATTERS: Final[dict[str, Callable[[Any], list[Line]]]] = {
    "text": lambda message: _words(message.text),
    "markdown": lambda message: _words(message.markdown),
    **dict.fromkeys(_KINDS, lambda message: [_media(message)]),
    "location": _location,
    "card": _card,
    "choice": _question,
    "dropdown": _question,
}
