"""One worker at a time on a SQLite file: a lock that ends with its process, however that ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from filelock import FileLock, Timeout

from hitl_core.bridge.store.base import Store
from hitl_core.errors import StoreError

__all__ = ["worker_lock"]


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
    # By whatever link it was named: one file has one lock. A second hard link is refused when a store is opened.
    lock = FileLock(f"{path.resolve()}{mark}.worker.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        msg = (
            f"another process works on {path.name} already; end it, or use PostgreSQL, which takes many. "
            "Commands such as `hitl sessions` run beside it"
        )
        raise StoreError(msg) from None
    except OSError as error:
        msg = f"cannot make the lock file beside {path.name}: {error.strerror}; check the directory's permissions"
        raise StoreError(msg) from error
    try:
        yield
    finally:
        lock.release()
