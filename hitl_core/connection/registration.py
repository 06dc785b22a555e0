"""Remembering what registering a webhook made, secrets included, in the connection's state."""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from hitl_core.calls import WebhookRegistration
from hitl_core.errors import StoreError
from hitl_core.state import ConnectionState

__all__ = ["load_registration", "save_registration"]

_KEY: Final = "webhook_registration"


async def load_registration(state: ConnectionState) -> WebhookRegistration | None:
    """Return what the last registration made.

    :raises StoreError: the stored value is not one of ours.
    """
    stored = await state.get(_KEY)
    if stored is None or stored.value is None:
        return None
    try:
        return WebhookRegistration.model_validate(stored.value)
    except ValidationError:
        msg = f"the state holds something else under {_KEY!r}; remove it and register the webhook again"
        raise StoreError(msg) from None  # pydantic's error adds nothing a person could use


async def save_registration(state: ConnectionState, registration: WebhookRegistration | None) -> None:
    """Store ``registration``, or forget the stored one. The caller holds the state's ``webhook`` lock."""
    if registration is None:
        await state.delete(_KEY)
        return
    stored = await state.get(_KEY)
    value = registration.model_dump(mode="json", context={"reveal_secrets": True})
    if await state.put(_KEY, value, stored.version if stored else None) is None:
        msg = "somebody else registered the webhook at the same time; register it again"
        raise StoreError(msg)
