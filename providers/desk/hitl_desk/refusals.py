"""What the desk refuses, in HITL's errors: its problem documents (RFC 9457), read by their code."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Any, Final

import hitl_core as hitl
from hitl_core.http import HttpResponse, VendorError

__all__ = ["classify"]

# Codes that need more than their status says: the next step, or a class of their own. The desk's own text is not passed
# on.
_CODES: Final[dict[str, VendorError]] = {
    "ticket_closed": VendorError(
        code="ticket_closed",
        message="the ticket is closed; send with reopen=True or start a new hand-off",
        error=hitl.SessionClosedError,
    ),
    "bot_not_connected": VendorError(
        code="bot_not_connected",
        message="This bot is not connected to the desk. Enable it on the desk's Connected bots page, then retry.",
        error=hitl.NotConnectedError,
    ),
    "idempotency_in_progress": VendorError(code="idempotency_in_progress", error=hitl.ProviderUnavailableError),
    "invalid_endpoint": VendorError(
        code="invalid_endpoint",
        message="the desk posts to public https:// addresses only; give one, or serve the desk with "
        "`hitl desk serve --allow-webhooks-to HOST:PORT` to let it reach a host of your own",
    ),
}


_NAMED: Final = 3
_PLACES: Final = frozenset({"body", "header", "path", "query"})
_NUMBER: Final = re.compile("[0-9]{1,6}")
# fmt: off
_FIELDS: Final = frozenset({
    "actions", "additional_data", "address", "attachments", "author", "avatar_url", "client_ref", "customer_id",
    "data", "description", "email", "external_id", "id", "Idempotency-Key", "items", "label", "locale",
    "markdown", "message", "metadata", "name", "options", "phone", "priority", "reason", "reopen", "role",
    "sent_at", "subtitle", "tags", "text", "title", "transcript", "type", "typing", "url", "value", "visibility"
})
# fmt: on
"""The protocol's own words for places in a request."""


def classify(response: HttpResponse) -> VendorError | None:
    """Read a problem document; ``None`` when it is none."""
    try:
        problem = response.json()
    except hitl.ProviderError:
        return None
    if not isinstance(problem, dict):
        return None
    code = problem.get("code")
    if not isinstance(code, str):
        code = None
    known = _CODES.get(code or "")
    if known is not None:
        return known
    return VendorError(code=code, message=_refused_fields(problem.get("errors")), request_id=problem.get("request_id"))


def _refused_fields(errors: Any) -> str | None:
    """Say which fields of a call are refused; ``None`` when the problem does not tell."""
    listed = errors if isinstance(errors, list) else []
    found = dict.fromkeys(_field(error.get("location")) for error in listed if isinstance(error, dict))
    names = [name for name in found if name]
    if not names:
        return None
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"the desk does not accept {', '.join(names[:_NAMED])}{more}; check what this call puts there"


def _field(location: object) -> str:
    """Return a place in a request, up to the first word that is not the protocol's: that may be a customer's."""
    parts = str(location).split(".")
    if parts[0] in _PLACES:
        parts = parts[1:]
    return ".".join(takewhile(lambda part: part in _FIELDS or _NUMBER.fullmatch(part), parts))
