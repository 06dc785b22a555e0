"""One worker at a time on a SQLite file: a lock that ends with its process, however that ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from glob import escape
from hashlib import sha256
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from hitl_core.bridge.store.base import Store
from hitl_core.errors import StoreError

__all__ = ["worker_lock"]

_ALIVE: Final = timedelta(seconds=10)
"""A worker says that it lives every five seconds, unless its lease is longer than it is by default."""


@contextmanager
def worker_lock(store: Store, tenant: str) -> Iterator[None]:
    """Be the worker of a tenant while the block lasts; on PostgreSQL there may be many.

    :raises StoreError: another process is.
    """
    path = store.path
    if path is None:
        yield
        return
    mark = "" if tenant == "default" else f".{sha256(tenant.encode()).hexdigest()[:8]}"
    real = path.resolve()  # one file has one lock, by whatever link it was named; hard links no store opens
    file = real.with_name(f"{real.name}{mark}.worker.lock")
    is_new = not file.exists()
    lock = FileLock(file, mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise _taken(path) from None
    except OSError as error:
        msg = f"cannot make the lock file beside {path.name}: {error.strerror}; check the directory's permissions"
        raise StoreError(msg) from error
    try:
        if is_new and _was_removed(real, file, store.clock.now()):
            raise _taken(path)
        yield
    finally:
        lock.release()


def _taken(path: Path) -> StoreError:
    return StoreError(
        f"another process works on {path.name} already; end it, or use PostgreSQL, which takes many. "
        "Commands such as `hitl sessions` run beside it"
    )


def _was_removed(database: Path, file: Path, now: datetime) -> bool:
    """Whether a worker lives whose lock this was, until somebody removed the file.

    One that was killed leaves its file, so a new file beside a worker that has just said that it lives is no other's,
    unless it is another tenant's: then it holds a lock of its own.
    """
    alive = _alive(database, now)
    if not alive:
        return False
    name = escape(database.name)
    locks = {*database.parent.glob(f"{name}.worker.lock"), *database.parent.glob(f"{name}.????????.worker.lock")}
    if alive <= sum(_is_held(each) for each in locks - {file}):
        return False
    file.unlink(missing_ok=True)  # or the next one who tries takes it for one that was there all the time
    return True


def _alive(database: Path, now: datetime) -> int:
    """Return how many workers have said lately that they live; whoever has them has the database open already."""
    around = [(now + of).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") for of in (-_ALIVE, _ALIVE)]
    query = "SELECT count(*) FROM hitl_workers WHERE seen_at BETWEEN ? AND ?"
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as conn:
            return int(conn.execute(query, around).fetchone()[0])
    except sqlite3.Error:
        return 0


def _is_held(file: Path) -> bool:
    lock = FileLock(file, mode=0o600)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False
