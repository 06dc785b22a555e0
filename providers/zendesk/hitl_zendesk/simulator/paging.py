"""Both ways of reading long lists: by cursor (``page[size]``) and by number (``page``, ``per_page``)."""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlencode

from hitl_zendesk.simulator.refusals import RefusedError

__all__ = ["page_number", "paged"]

_MOST: Final = 100

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class _List(Generic[R]):
    name: str
    records: Sequence[R]
    show: Callable[[R], Mapping[str, Any]]
    key: Callable[[R], int]
    url: str
    query: Mapping[str, str]
    descending: bool


def paged(
    name: str,
    records: Sequence[R],
    show: Callable[[R], Mapping[str, Any]],
    *,
    key: Callable[[R], int],
    url: str,
    query: Mapping[str, str],
    descending: bool = False,
    always_by_cursor: bool = False,
) -> dict[str, Any]:
    """Return one page of a list as the API answers it.

    :param records: in ascending order of ``key``.
    :param url: of the list, without a query.
    :param always_by_cursor: the list knows no page numbers.
    :raises RefusedError: a size or cursor makes no sense.
    """
    if descending:
        records = list(reversed(records))
    by_cursor = always_by_cursor or any(parameter.startswith("page[") for parameter in query)
    wanted = _List(name, records, show, key, url, query, descending)
    return _by_cursor(wanted) if by_cursor else _by_number(wanted)


def _by_cursor(wanted: _List[R]) -> dict[str, Any]:
    records, key, query = wanted.records, wanted.key, wanted.query
    size = page_number(query, "page[size]", _MOST)
    if size > _MOST:
        raise RefusedError(400, {"error": "InvalidPaginationParameter", "description": "page[size] cannot exceed 100"})
    sign = -1 if wanted.descending else 1
    left = list(records)
    if after := query.get("page[after]"):
        left = [record for record in records if sign * key(record) > sign * _place(after)]
        shown, more = left[:size], len(left) > size
    elif before := query.get("page[before]"):
        left = [record for record in records if sign * key(record) < sign * _place(before)]
        shown, more = left[-size:], len(left) > size
    else:
        shown, more = left[:size], len(left) > size
    meta: dict[str, Any] = {"has_more": more, "after_cursor": None, "before_cursor": None}
    links: dict[str, Any] = {"prev": None, "next": None}
    if shown:
        meta["after_cursor"], meta["before_cursor"] = _cursor(key(shown[-1])), _cursor(key(shown[0]))
        plain = {parameter: value for parameter, value in query.items() if not parameter.startswith("page[")}
        sized = plain | {"page[size]": str(size)}
        links["prev"] = f"{wanted.url}?{urlencode(sized | {'page[before]': meta['before_cursor']})}"
        links["next"] = f"{wanted.url}?{urlencode(sized | {'page[after]': meta['after_cursor']})}"
    return {wanted.name: [wanted.show(record) for record in shown], "meta": meta, "links": links}


def _by_number(wanted: _List[R]) -> dict[str, Any]:
    records, query = wanted.records, wanted.query
    page, size = page_number(query, "page", 1), min(page_number(query, "per_page", _MOST), _MOST)
    start, end = (page - 1) * size, page * size
    links: dict[str, str | None] = {"next_page": None, "previous_page": None}
    if end < len(records):
        links["next_page"] = f"{wanted.url}?{urlencode(dict(query) | {'page': str(page + 1)})}"
    if page > 1:
        links["previous_page"] = f"{wanted.url}?{urlencode(dict(query) | {'page': str(page - 1)})}"
    return {wanted.name: [wanted.show(record) for record in records[start:end]], **links, "count": len(records)}


def page_number(query: Mapping[str, str], name: str, default: int) -> int:
    """Return a positive number from a query.

    :raises RefusedError: it is none.
    """
    value = query.get(name, str(default))
    if not value.isdecimal() or int(value) < 1:
        raise RefusedError(400, {"error": "InvalidPaginationParameter", "description": f"{name} is not valid"})
    return int(value)


def _cursor(place: int) -> str:
    return b64encode(json.dumps({"o": "created_at,id", "v": str(place)}, separators=(",", ":")).encode()).decode()


def _place(cursor: str) -> int:
    try:
        return int(json.loads(b64decode(cursor, validate=True))["v"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise RefusedError(
            400, {"error": "InvalidPaginationParameter", "description": "The cursor is not valid"}
        ) from None
