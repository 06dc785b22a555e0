"""What Sunshine Conversations refuses, in HITL's errors: ``{"errors": [{"code", "title"}]}``, by the first code."""

from __future__ import annotations

from typing import Final

import hitl_core as hitl
from hitl_core.http import HttpResponse, VendorError

__all__ = ["classify"]

_FULL: Final = (
    "the conversation holds as many messages as Zendesk allows (30,000); end it and start a new hand-off, or delete "
    "its messages"
)
_KEY: Final = "the key is refused; make a new one in Admin Center, Conversations API, and set key_id and key_secret"
_NEXT: Final = {
    "app_not_found": "the key does not open this app; check app_id, and that the key was made for it",
    "switchboard_integration_not_found": (
        "the switchboard has no integration of that name or id; check the settings integration and agent_workspace, "
        "and run `hitl check`"
    ),
    "switchboard_invalid_target": "control cannot be passed there; check the settings integration and agent_workspace",
    "switchboard_invalid_action": "control cannot be passed now; check in Admin Center that the switchboard is enabled",
    "too_many_webhooks": "an app has ten webhooks at most; remove one that is not used",
}
"""Sentences for codes of which the status says too little."""


def classify(response: HttpResponse) -> VendorError | None:
    """Read a refusal; ``None`` when it is not in the vendor's form. The titles are not passed on: they may quote."""
    code = _code(response)
    if response.status == 423:
        return VendorError(code=code, message=_FULL, error=hitl.InvalidRequestError)
    if response.status == 401:
        return VendorError(code=code, message=_KEY)
    return VendorError(code=code, message=_NEXT.get(code)) if code is not None else None


def _code(response: HttpResponse) -> str | None:
    try:
        content = response.json()
    except hitl.ProviderError:
        return None
    errors = content.get("errors") if isinstance(content, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    code = first.get("code") if isinstance(first, dict) else None
    return code if isinstance(code, str) else None
