"""Passwords, hashed by argon2 with its library's recommended cost."""

from __future__ import annotations

import asyncio
from functools import partial

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

__all__ = ["Passwords"]

_AT_ONCE = 2


class Passwords:
    """Hashes and checks off the event loop; few at once, since each takes 64 MiB of memory.

    :param hasher: of another cost than the recommended one.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """Return the form a password is stored in."""
        async with self._room:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def check(self, stored: str | None, password: str) -> bool:
        """Whether the password is right; without a stored one it takes as long, and is not."""
        if self._nobodys is None:
            self._nobodys = await self.hash("")
        async with self._room:
            right = await asyncio.to_thread(partial(self._verify, stored or self._nobodys, password))
        return right and stored is not None

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    def outdated(self, stored: str) -> bool:
        """Whether it was hashed at another cost than today's."""
        return self._hasher.check_needs_rehash(stored)
