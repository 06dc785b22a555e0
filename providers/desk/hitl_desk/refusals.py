"""What the desk refuses, in HITL's errors: its problem documents (RFC 9457), read by their code."""

from __future__ import annotations

from typing import Final

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
    return _CODES.get(code or "") or VendorError(code=code, request_id=problem.get("request_id"))
