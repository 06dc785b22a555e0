"""An endpoint's signing secrets as stored: the current one first, then those still signing for a while."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hitl_core.standard_webhooks import generate_secret

__all__ = ["first_secret", "rotated", "secret_expiries", "signing_secrets"]


def first_secret(given: str | None = None) -> tuple[str, str]:
    """Return a new endpoint's secret, made here unless one is given, and what to store."""
    secret = given or generate_secret()
    return secret, json.dumps([{"secret": secret, "expires_at": None}])


def rotated(stored: str, *, now: datetime, until: datetime) -> tuple[str, str]:
    """Put a new secret in front; the others end at ``until`` or earlier, and those that have ended are forgotten."""
    secret = generate_secret()
    entries = [{"secret": secret, "expires_at": None}]
    for entry in json.loads(stored):
        end = until if entry["expires_at"] is None else min(until, datetime.fromisoformat(entry["expires_at"]))
        if end > now:
            entries.append({"secret": entry["secret"], "expires_at": end.astimezone(UTC).isoformat()})
    return secret, json.dumps(entries)


def signing_secrets(stored: str, *, now: datetime) -> list[str]:
    """Return the secrets that sign now, the current one first."""
    return [
        entry["secret"]
        for entry in json.loads(stored)
        if entry["expires_at"] is None or datetime.fromisoformat(entry["expires_at"]) > now
    ]


def secret_expiries(stored: str) -> tuple[datetime | None, ...]:
    """Return when each secret stops signing, None for the current one."""
    return tuple(
        None if entry["expires_at"] is None else datetime.fromisoformat(entry["expires_at"])
        for entry in json.loads(stored)
    )
