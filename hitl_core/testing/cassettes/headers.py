"""Which header fields are recorded. What is not listed here is dropped."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

__all__ = ["is_request_header", "is_response_header"]

_REQUEST: Final = (
    "accept",
    "content-type",
    "idempotency-key",
    "if-*match",
    "if-*modified-since",
    "prefer",
    "range",
    "*version",
)
_RESPONSE: Final = (
    "accept-ranges",
    "content-disposition",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "last-modified",
    "link",
    "location",
    "retry-after",
    "*limit-info",
    "*rate-limit*",
    "*ratelimit*",
    "*call-limit*",
    "*request-id",
    "*version",
)
# They win over the lists above, should a vendor's name match both.
_NEVER: Final = ("*auth*", "*cookie*", "*token*", "*secret*", "*password*", "*signature*", "*session*", "*api-key*")


def is_request_header(name: str) -> bool:
    """Return whether a request's field of this name is recorded."""
    return _is_among(_REQUEST, name)


def is_response_header(name: str) -> bool:
    """Return whether an answer's field of this name is recorded."""
    return _is_among(_RESPONSE, name)


def _is_among(patterns: tuple[str, ...], name: str) -> bool:
    name = name.lower()
    if any(fnmatchcase(name, pattern) for pattern in _NEVER):
        return False
    return any(fnmatchcase(name, pattern) for pattern in patterns)
