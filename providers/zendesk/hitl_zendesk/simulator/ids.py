"""Ids, tokens and secrets as Zendesk makes them, but the same in every run: recordings must not depend on chance."""

from __future__ import annotations

import hashlib
import uuid
from base64 import b64encode
from collections import Counter
from typing import Final

__all__ = ["Ids"]

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_FIRST_TICKET: Final = 4101
_FIRST_USER: Final = 9_007_199_254_741_121
_FIRST_RECORD: Final = 9_007_199_254_840_993
_STEP: Final = 128
"""Between two ids, as in recordings; the first are odd and above 2**53, so that whoever reads them as floats errs."""


class Ids:
    """Counts, per kind."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def next(self, kind: str) -> int:
        """Return how many of a kind there are with this one, from 1."""
        self._counts[kind] += 1
        return self._counts[kind]

    def ticket(self) -> int:
        """Return a ticket's number."""
        return _FIRST_TICKET + self.next("ticket") - 1

    def user(self) -> int:
        """Return an id of somebody new."""
        return _FIRST_USER + _STEP * self.next("user")

    def record(self) -> int:
        """Return an id of anything else: comment, audit, event, attachment, trigger."""
        return _FIRST_RECORD + _STEP * self.next("record")

    def ulid(self, kind: str) -> str:
        """Return an id as webhooks and their invocations have."""
        return ulid_of(f"{kind} {self.next(kind)}")

    def event(self) -> str:
        """Return an id as events have."""
        return str(uuid.UUID(bytes=_digest(f"event {self.next('event')}")[:16], version=4))

    def sequence(self) -> str:
        """Return what events of one update share."""
        return _digest(f"sequence {self.next('sequence')}")[:16].hex().upper()

    def token(self, kind: str, length: int = 25) -> str:
        """Return letters and digits, as uploads and files have."""
        digest = _digest(f"{kind} {self.next(kind)}")
        return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest)[:length]

    def credential(self, kind: str) -> str:
        """Return an access or refresh token: 64 hexadecimal digits."""
        return _digest(f"{kind} {self.next(kind)}").hex()

    def secret(self) -> str:
        """Return a signing secret: 44 characters of base64."""
        return b64encode(_digest(f"signing secret {self.next('signing secret')}")).decode()


def ulid_of(text: str) -> str:
    """Return 26 characters that stand for a text."""
    number = int.from_bytes(_digest(text)[:16])
    letters = "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(95, -1, -5))
    return f"01HZND{letters}"


def _digest(text: str) -> bytes:
    return hashlib.sha256(f"zendesk simulator, {text}".encode()).digest()
