"""The account's name in all its spellings."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["subdomain", "subdomain_of"]

_SUBDOMAIN: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_SPELLED: Final = re.compile(r"(?:https?://)?(?P<subdomain>[^/\s]+?)(?:\.zendesk\.com)?/?", re.IGNORECASE)


def subdomain_of(text: str) -> str:
    """Return the bare subdomain of any spelling of an account (behaviour S220); anything else comes back trimmed."""
    match = _SPELLED.fullmatch(text.strip())
    return match["subdomain"] if match else text.strip()


def subdomain(text: str) -> str:
    """Return the subdomain in lower case, fit to be part of an address.

    :raises ValueError: it is none; says what one looks like.
    """
    bare = subdomain_of(text)
    if not _SUBDOMAIN.fullmatch(bare):
        msg = "give the account as in acme.zendesk.com: letters, digits and hyphens"
        raise ValueError(msg)
    return bare.lower()
