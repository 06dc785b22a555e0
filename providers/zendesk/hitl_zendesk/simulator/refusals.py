"""Refusals in the shapes the real API was seen to answer with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["RefusedError", "body_of", "hook_refused", "invalid", "not_found"]

NO_PERMISSION: Final = {
    "error": {
        "title": "Forbidden",
        "message": "You do not have access to this page. Please contact the account owner of this help desk for "
        "further help.",
    }
}
BAD_CREDENTIALS: Final = {"error": "Couldn't authenticate you"}
INVALID_TOKEN: Final = {
    "error": "invalid_token",
    "error_description": "The access token provided is expired, revoked, malformed or invalid for other reasons.",
}
UPDATE_CONFLICT: Final = {
    "error": "UpdateConflict",
    "description": "Safe Update prevented the update due to outdated ticket data.",
}
NOT_FOUND: Final = {"error": "RecordNotFound", "description": "Not found"}
TOO_MANY: Final = "Number of allowed API requests per minute exceeded"


class RefusedError(Exception):
    """An answer other than success.

    :param body: JSON, or text to be answered as it is.
    """

    def __init__(self, status: int, body: Mapping[str, Any] | str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, dict(headers or {})


def not_found() -> RefusedError:
    """There is no such record, or the caller may not know of it."""
    return RefusedError(404, NOT_FOUND)


def invalid(name: str, description: str, error: str | None = None, **more: Any) -> RefusedError:
    """A record would not be valid.

    :param name: the field that is wrong; ``"base"`` for the record as a whole.
    :param error: the short word some of these come with.
    """
    entry = {"description": description, **({"error": error} if error else {}), **more}
    details = {name: [entry]}
    return RefusedError(422, {"error": "RecordInvalid", "description": "Record validation errors", "details": details})


def hook_refused(status: int, code: str, title: str) -> RefusedError:
    """What the newer parts of the API answer, which webhooks are one of."""
    return RefusedError(status, {"errors": [{"code": code, "title": title}]})


def body_of(status: int) -> tuple[dict[str, str], bytes]:
    """Return headers and body of a refusal as such, in the form the real API has for it."""
    if status == 429:
        return {"content-type": "text/plain; charset=utf-8", "retry-after": "7"}, TOO_MANY.encode()
    known: dict[int, Mapping[str, Any]] = {
        400: {"error": "InvalidValue", "description": "Parameter is not valid"},
        401: BAD_CREDENTIALS,
        403: NO_PERMISSION,
        404: NOT_FOUND,
        409: UPDATE_CONFLICT,
        422: {"error": "RecordInvalid", "description": "Record validation errors", "details": {}},
        503: {"error": "ServiceUnavailable", "description": "Database timeout, please try again"},
    }
    body = known.get(status, {"error": "InternalError", "description": "Something went wrong"})
    return {"content-type": "application/json; charset=utf-8"}, json.dumps(body).encode()
