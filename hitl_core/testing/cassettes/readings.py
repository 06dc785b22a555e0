"""All there is to read in a recording: each piece as it stands, and as it reads without its escapes and encodings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from hitl_core.testing.cassettes.bodies import (
    as_text,
    form_pairs,
    load_json,
    multipart_boundary,
    split_multipart,
)
from hitl_core.testing.cassettes.cleaning import BASE64_WORD, PERCENT_WORD, decoded_base64
from hitl_core.testing.cassettes.exchange import Exchange

__all__ = ["Reading", "readings"]

_DEEPEST: Final = 6


class Reading(NamedTuple):
    """A piece of text.

    :param place: where it is, such as ``"request body"``.
    :param field: name of the field it is the value of, or empty.
    """

    place: str
    field: str
    text: str


def readings(exchange: Exchange) -> Iterator[Reading]:
    """Yield everything an exchange says; the same more than once, as each way to read it may show something else."""
    request, response = exchange
    yield from _url("URL", request.uri)
    for name, value in request.headers.items():
        yield from _read(f"request header {name}", "", value)
    yield from _body("request body", request.body, request.headers.get("content-type", ""))
    for name, values in response.headers.items():
        for value in values:
            yield from _read(f"response header {name}", "", value)
    yield from _body("response body", response.body, ",".join(response.headers.get("content-type", ())))


def _url(place: str, url: str, depth: int = 0) -> Iterator[Reading]:
    yield Reading(place, "", url)
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    for segment in parts.path.split("/"):
        yield from _read(place, "", unquote(segment), depth + 1)
    for name, value in form_pairs(parts.query):
        yield Reading(place, "", name)
        yield from _read(place, name, value, depth + 1)


def _body(place: str, body: bytes, content_type: str, field: str = "") -> Iterator[Reading]:
    text = as_text(body)
    boundary = multipart_boundary(content_type)
    if boundary and (parts := split_multipart(body, boundary)) is not None:
        for part in parts:
            yield Reading(place, "", part.head.decode("utf-8", "replace"))
            yield from _body(place, part.content, part.content_type, part.name)
    elif text is None:
        yield Reading(f"{place} (binary)", "", body.decode("latin-1"))
    else:
        yield from _read(place, field, text)
        if "x-www-form-urlencoded" in content_type.lower():
            for name, value in form_pairs(text):
                yield Reading(place, "", name)
                yield from _read(place, name, value)


def _read(place: str, field: str, text: str, depth: int = 0) -> Iterator[Reading]:
    """Read a text, and what is in it."""
    if depth > _DEEPEST:
        yield Reading(place, field, text)
        return
    if text.lstrip()[:1] in {"{", "[", '"'}:
        try:
            value = load_json(text, _Pairs)
        except ValueError:
            pass
        else:
            yield from _value(place, field, value, depth + 1)
            return
    yield Reading(place, field, text)
    for word in PERCENT_WORD.findall(text):
        yield from _read(place, "", unquote(word), depth + 1)
    if re.match(r"https?://\S+$", text):
        yield from _url(place, text, depth + 1)
    for word in BASE64_WORD.findall(text):
        if (plain := decoded_base64(word)) is not None:
            yield from _read(place, "", plain, depth + 1)


class _Pairs(list[tuple[str, Any]]):
    """An object of JSON, with names that stand there twice."""


def _value(place: str, field: str, value: Any, depth: int) -> Iterator[Reading]:
    match value:
        case _Pairs():
            for name, item in value:
                yield from _read(place, "", name, depth)
                yield from _value(place, name, item, depth)
        case list():
            for item in value:
                yield from _value(place, field, item, depth)
        case str():
            yield from _read(place, field, value, depth)
        case bool() | None:
            pass
        case _:
            yield Reading(place, field, str(value))
