"""Ids, tokens and their stored forms."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from uuid import uuid4

__all__ = ["BOT_TOKEN", "digest", "iso", "new_id", "new_token"]

BOT_TOKEN: Final = re.compile(r"dbk_[A-Za-z0-9_-]{16,128}", re.ASCII)
"""What a bot's token looks like."""


def new_id(kind: str) -> str:
    """Return a new opaque id, such as ``tkt_…``, with 122 random bits.

    :param kind: ``bot``, ``cus``, ``tkt``, ``msg``, ``att`` or ``agt``.
    """
    return f"{kind}_{uuid4().hex}"


def new_token(prefix: str = "") -> str:
    """Return 256 random bits, safe in URLs and headers."""
    return prefix + secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """Return the form a random token is stored in; being random it needs no salt and no slow hash."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def iso(moment: datetime | None) -> str | None:
    """Write a moment as ISO 8601 in UTC."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
