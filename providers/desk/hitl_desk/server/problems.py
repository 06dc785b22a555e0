"""Errors as problem documents (RFC 9457): one shape for whatever goes wrong, whoever asks."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from starlette.exceptions import HTTPException as StarletteHTTPException

from hitl_core.errors import StoreError
from hitl_core.eventlog import EndpointNotFoundError, InvalidCursorError, InvalidEndpointError

__all__ = ["Problem", "declared", "install", "not_found", "problem_response", "ticket_closed", "too_large"]

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

# Some of pydantic's messages name what was sent, such as a type there is not.
_LONGEST = 400

_MEANING = {
    400: "The request cannot be read: its JSON is malformed, or a cursor can no longer be honoured.",
    401: "No usable credential.",
    403: "The bot is not connected to the desk, or is switched off there (`bot_not_connected`).",
    404: "There is no such thing for this bot.",
    409: "The ticket is closed (`ticket_closed`), or the idempotency key is in use (`idempotency_in_progress`: repeat "
    "after `Retry-After` seconds) or was used for another request (`idempotency_mismatch`).",
    413: "The body, or a file in it, is too large; `detail` names the limit.",
    415: "The desk does not take files of this type.",
    422: "The request breaks a rule; `errors` says which and where.",
    503: "The desk's database is busy or away; repeat after `Retry-After` seconds.",
}


class Problem(HTTPException):
    """An error to be answered as it is.

    :param code: stable word for programs.
    :param detail: what is wrong and what to do, without anybody's words or secrets.
    :param errors: places in the request and what is wrong there.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers) if headers else None)
        self.code = code
        self.errors = errors


def not_found(what: str) -> Problem:
    """Say that something does not exist, or belongs to somebody else, which must look the same."""
    return Problem(404, "not_found", f"There is no such {what}.")


def ticket_closed() -> Problem:
    """Refuse to change a closed ticket."""
    return Problem(
        409, "ticket_closed", "The ticket is closed. Reopen it (`reopen: true` with a message), or open a new one."
    )


def too_large(limit: int, what: str = "The body") -> Problem:
    """Name the limit that was passed."""
    shown = f"{limit // 1024:,} KiB" if limit % 1024 == 0 else f"{limit:,} bytes"
    return Problem(413, "too_large", f"{what} is larger than {shown}.")


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
    request_id: str | None = None,
) -> Response:
    """Answer with a problem document."""
    body: dict[str, Any] = {
        "type": f"urn:hitl-desk:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if errors:
        body["errors"] = list(errors)
    if request_id:
        body["request_id"] = request_id
    return Response(json.dumps(body), status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def declared(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems an operation may answer with, for the OpenAPI document."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": _MEANING[status], "content": {MEDIA_TYPE: {"schema": schema}}} for status in statuses
    }


def _passing(error: DBAPIError) -> bool:
    """Whether the database was away, or undid the transaction for the sake of another one."""
    state = getattr(error.orig, "sqlstate", None) or ""
    return isinstance(error, OperationalError | InterfaceError) or state[:2] in {"08", "40", "53", "57"}


def install(app: FastAPI) -> None:
    """Make the application answer every error with a problem document."""

    async def raised(_: Request, error: Exception) -> Response:
        assert isinstance(error, StarletteHTTPException)  # noqa: S101  what it is registered for
        headers = error.headers
        if isinstance(error, Problem):
            return problem_response(error.status_code, error.code, error.detail, errors=error.errors, headers=headers)
        code = HTTPStatus(error.status_code).name.lower()
        detail = {404: "There is nothing at this address.", 405: "This address does not know this method."}
        return problem_response(
            error.status_code, code, detail.get(error.status_code, str(error.detail)), headers=headers
        )

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101  what it is registered for
        found = error.errors()
        if any(each["type"] == "json_invalid" for each in found):
            return problem_response(400, "malformed_json", "The body is not JSON.")
        # The messages are pydantic's and ours; the input, which may be a customer's words, stays out.
        errors = [
            {"location": ".".join(str(part) for part in each["loc"]), "message": each["msg"][:_LONGEST]}
            for each in found
        ]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        detail = f"{errors[0]['location']}: {errors[0]['message']}{more}" if errors else "The request is not valid."
        return problem_response(422, "invalid_request", detail, errors=errors[:20])

    async def cursor(_: Request, error: Exception) -> Response:
        return problem_response(400, "invalid_cursor", str(error))

    async def endpoint(_: Request, error: Exception) -> Response:
        return problem_response(422, "invalid_endpoint", str(error))

    async def no_endpoint(_: Request, error: Exception) -> Response:
        return problem_response(404, "not_found", str(error))

    async def busy(_: Request, error: Exception) -> Response:
        if isinstance(error, DBAPIError) and not _passing(error):
            return await unexpected(_, error)
        logger.warning("the database is busy or away (%s)", type(error).__name__)
        return problem_response(
            503, "database_unavailable", "The desk's database is busy or away; try again.", headers={"Retry-After": "1"}
        )

    async def unexpected(_: Request, error: Exception) -> Response:
        request_id = uuid4().hex
        logger.error("request %s failed (%s)", request_id, type(error).__name__)
        detail = "The desk failed. Its log names this request; trying again may help."
        return problem_response(500, "internal_error", detail, request_id=request_id)

    app.add_exception_handler(StarletteHTTPException, raised)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(InvalidCursorError, cursor)
    app.add_exception_handler(InvalidEndpointError, endpoint)
    app.add_exception_handler(EndpointNotFoundError, no_endpoint)
    app.add_exception_handler(StoreError, busy)
    app.add_exception_handler(DBAPIError, busy)
    app.add_exception_handler(ConnectionError, busy)
    app.add_exception_handler(Exception, unexpected)
