"""What a provider may remember about an account: tokens that rotate, registrations, its own identity.

The port is :class:`ConnectionState`. Memory serves tests and short-lived scripts, a file with mode 0600 the command
line; a service plugs in its own, encrypted, one.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, Final, Protocol

from pydantic import JsonValue

from hitl_core.errors import StoreError

if TYPE_CHECKING:
    from filelock import FileLock

__all__ = ["ConnectionState", "FileState", "MemoryState", "Versioned"]

_LOCK_POLL_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Versioned:
    """A stored value and the version to name when replacing it."""

    value: JsonValue = field(repr=False)
    version: int


class ConnectionState(Protocol):
    """Small values of one connection, replaced by compare-and-set.

    Instances are bound to one connection: two connections never see each other's keys.
    """

    async def get(self, key: str) -> Versioned | None:
        """Return the value under ``key``, or ``None``."""

    async def put(self, key: str, value: JsonValue, expect: int | None) -> Versioned | None:
        """Replace the value if its version is still ``expect`` (``None``: if there is none yet).

        :returns: the new value and version, or ``None`` when somebody else was first: read again and decide anew.
        """

    async def delete(self, key: str) -> None:
        """Forget ``key``; one that is not there is fine."""

    def lock(self, name: str) -> AbstractAsyncContextManager[None]:
        """Keep others that use the same state out while something with an outside effect is done once."""


class MemoryState:
    """State that lives as long as the object."""

    def __init__(self) -> None:
        self._values: dict[str, Versioned] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, key: str) -> Versioned | None:
        """Return the value under ``key``, or ``None``."""
        return self._values.get(key)

    async def put(self, key: str, value: JsonValue, expect: int | None) -> Versioned | None:
        """Replace the value if its version is still ``expect``."""
        current = self._values.get(key)
        if (current.version if current else None) != expect:
            return None
        self._values[key] = stored = Versioned(value, (expect or 0) + 1)
        return stored

    async def delete(self, key: str) -> None:
        """Forget ``key``."""
        self._values.pop(key, None)

    def lock(self, name: str) -> AbstractAsyncContextManager[None]:
        """Serialise the tasks of this event loop."""
        return self._locks[name]


class FileState:
    """State in a JSON file only its owner can read, shared safely by the processes of one machine.

    :param path: the file; its directory is made when missing, with mode 0700.
    :param connection: key of the connection the values belong to; several connections share a file.
    :raises StoreError: the file cannot be read or written.
    """

    def __init__(self, path: Path, connection: str) -> None:
        self._path = path
        self._connection = connection

    async def get(self, key: str) -> Versioned | None:
        """Return the value under ``key``, or ``None``."""
        return await asyncio.to_thread(self._get, key)

    async def put(self, key: str, value: JsonValue, expect: int | None) -> Versioned | None:
        """Replace the value if its version is still ``expect``."""
        return await asyncio.to_thread(self._put, key, value, expect)

    async def delete(self, key: str) -> None:
        """Forget ``key``."""
        await asyncio.to_thread(self._delete, key)

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        """Keep the other tasks and processes that use this connection's part of the file out."""
        lock = self._file_lock(f".{sha256(f'{self._connection}/{name}'.encode()).hexdigest()[:16]}")
        with ThreadPoolExecutor(max_workers=1) as thread:  # the lock is one thread's, so it gets a thread of its own
            await self._acquire(lock, thread)
            try:
                yield
            finally:
                await asyncio.shield(asyncio.get_running_loop().run_in_executor(thread, lock.release))

    async def _acquire(self, lock: FileLock, thread: ThreadPoolExecutor) -> None:
        """Try until it is ours; tries are short, so that a cancelled wait neither hangs nor keeps the lock."""
        from filelock import Timeout

        loop = asyncio.get_running_loop()
        while True:
            attempt = loop.run_in_executor(thread, lambda: lock.acquire(timeout=0))
            try:
                await asyncio.shield(attempt)
            except Timeout:
                await asyncio.sleep(_LOCK_POLL_SECONDS)
            except asyncio.CancelledError:
                await asyncio.wait([attempt])
                if attempt.exception() is None:
                    await loop.run_in_executor(thread, lock.release)
                raise
            else:
                return

    def _file_lock(self, suffix: str) -> FileLock:
        from filelock import FileLock  # takes longer to import than most of ours, and services never need it

        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return FileLock(f"{self._path}{suffix}.lock", mode=0o600)

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            content = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            msg = f"cannot read the state file {self._path}: {type(error).__name__}; mend or remove it"
            raise StoreError(msg) from error
        return content if isinstance(content, dict) else {}

    def _write(self, content: dict[str, dict[str, Any]]) -> None:
        try:
            # A new file, renamed over the old one: a crash leaves one or the other, never half of one.
            with NamedTemporaryFile("w", dir=self._path.parent, delete=False, encoding="utf-8") as file:
                json.dump(content, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(file.name, self._path)
        except OSError as error:
            msg = f"cannot write the state file {self._path}: {error.strerror}; check the directory's permissions"
            raise StoreError(msg) from error

    def _get(self, key: str) -> Versioned | None:
        entry = self._read().get(self._connection, {}).get(key)
        return Versioned(entry["value"], entry["version"]) if entry else None

    def _put(self, key: str, value: JsonValue, expect: int | None) -> Versioned | None:
        with self._file_lock(""):
            content = self._read()
            entries = content.setdefault(self._connection, {})
            current = entries.get(key)
            if (current["version"] if current else None) != expect:
                return None
            entries[key] = {"value": value, "version": (expect or 0) + 1}
            self._write(content)
            return Versioned(value, (expect or 0) + 1)

    def _delete(self, key: str) -> None:
        with self._file_lock(""):
            content = self._read()
            if content.get(self._connection, {}).pop(key, None) is not None:
                self._write(content)
