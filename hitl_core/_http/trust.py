"""Whom TLS trusts unless an account names authorities of its own."""

from __future__ import annotations

import ssl
from functools import cache

import httpx

__all__ = ["public_trust"]


@cache
def public_trust() -> ssl.SSLContext:
    """Return the one context with the usual public authorities; nothing in the environment adds to them.

    Reading the authorities takes tens of milliseconds, so every account and every guarded client shares it: do not
    change it.
    """
    return httpx.create_ssl_context(trust_env=False)
