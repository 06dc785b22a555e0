"""What is wrong with a database, in one sentence that says what to do: no statement, no value, no password."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL
from sqlalchemy.exc import InterfaceError, OperationalError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as NoConnection

__all__ = ["is_lost", "told", "trouble"]

_DISK_FULL: Final = ("disk is full", "no space left", "database or disk is full", "53100")
_READ_ONLY: Final = ("readonly database", "read-only")
_LOST: Final = frozenset({"08", "25", "28", "3D", "40", "53", "57", "58"})
"""Classes of PostgreSQL's errors that are about the server or the moment: connection, state of the transaction, who
we are, which database, roll-back, resources, an operator's doing, the system."""
_NO_RIGHT: Final = "42501"
_AWAY: Final = ("08", "57P")
"""How the codes of its errors begin while it is being stopped or started, or the connection is lost."""
_EFFECTIVE: Final = os.access in os.supports_effective_ids


def is_lost(error: Exception, *, sqlite: bool) -> bool:
    """Whether it is the database that something is wrong with, rather than what it was given."""
    if isinstance(error, OSError | TimeoutError | NoConnection | PendingRollbackError):
        return True
    if sqlite:
        return isinstance(error, OperationalError) or _sqlite_code(error) == sqlite3.SQLITE_NOTADB
    if getattr(error, "connection_invalidated", False):
        return True
    given = getattr(error, "orig", None)
    if isinstance(getattr(given, "__cause__", None), ValueError):
        return False  # a value the driver does not take for its column
    code = _sqlstate(error)
    return isinstance(error, InterfaceError | OperationalError) or code[:2] in _LOST or code == _NO_RIGHT


def told(error: BaseException, url: URL) -> str:
    """Say what is wrong with the database that this is the URL of."""
    text = str(getattr(error, "orig", error)).lower()
    if any(word in text for word in _DISK_FULL):
        return "the disk of the database is full; nothing was lost that was accepted: make room, and it goes on"
    sqlite = url.get_backend_name() == "sqlite"
    sentence = _told_by_sqlite(error, text, Path(url.database or "")) if sqlite else _told_by_postgresql(error, url)
    if sentence is not None:
        return sentence
    if any(word in text for word in _READ_ONLY):
        return "the database is read-only; check that the URL names the primary server"
    unreachable = OSError | TimeoutError | InterfaceError | OperationalError
    away = _sqlstate(error).startswith(_AWAY)
    if isinstance(error, unreachable) or getattr(error, "connection_invalidated", False) or away:
        return "the database cannot be reached; check that it runs and that the URL is right"
    name = type(getattr(error, "orig", None) or error).__name__
    return f"the database refused ({name}); see its log, and report it if nothing there explains it"


# PostgreSQL -----------------------------------------------------------------------------------------------------------


def _sqlstate(error: BaseException) -> str:
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def _told_by_postgresql(error: BaseException, url: URL) -> str | None:
    role = f"the role {url.username}" if url.username else "the role"
    match _sqlstate(error):
        case "28P01":
            return f"PostgreSQL refuses the password of {role}: it is wrong or missing; correct it in the URL"
        case "28000":
            return f"PostgreSQL does not let {role} in: there is none of that name, or pg_hba.conf keeps it out"
        case "3D000":
            name = url.database or url.username or "of that name"
            return f"PostgreSQL has no database {name}; make it (createdb {name}), or correct the URL"
        case "42501":
            return f"{role} lacks a right in the PostgreSQL database {url.database}; grant it what the tables need"
    return None


# SQLite ---------------------------------------------------------------------------------------------------------------


def _sqlite_code(error: BaseException) -> int | None:
    """Return SQLite's own number for it, without what extends it."""
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


_SQLITE: Final = {
    sqlite3.SQLITE_CANTOPEN: "{0} cannot be opened; check the permissions of it, its -wal and -shm, and its directory",
    sqlite3.SQLITE_NOTADB: "{0} is no SQLite database; name another file",
    sqlite3.SQLITE_CORRUPT: "{0} is damaged; put a backup of it in its place",
    sqlite3.SQLITE_IOERR: "{0} cannot be read or written; check the disk it is on",
}


def _told_by_sqlite(error: BaseException, text: str, path: Path) -> str | None:
    code = _sqlite_code(error)
    if code == sqlite3.SQLITE_READONLY or any(word in text for word in _READ_ONLY):
        return _read_only(path)
    if "locked" in text:
        return "the SQLite database is locked by another program; end that program, or move to PostgreSQL"
    if code == sqlite3.SQLITE_CANTOPEN and (wrong := trouble(path)):
        return wrong
    return _SQLITE[code].format(path) if code in _SQLITE else None


def _read_only(path: Path) -> str:
    files = [path, *_beside(path)]
    barred = [str(file) for file in files if _is_there(file) and not _may(file, os.W_OK)]
    if barred:
        return f"the database is read-only: this user may not write {' and '.join(barred)}; change the permissions"
    if not _may(path.absolute().parent, os.W_OK):
        return f"the database is read-only: this user may not write the directory {path.absolute().parent}"
    beside = " and ".join(file.name for file in _beside(path))
    return f"the database is read-only; check the permissions of {path}, of {beside} beside it, and of the directory"


def trouble(path: Path, *, make: bool = True) -> str | None:
    """Say why this cannot be a SQLite database for us, if so; the file is not opened.

    It must not be: closing it again would end all locks that SQLite holds on it in this process.

    :param make: it is to be made if it is not there.
    """
    parent = path.absolute().parent
    if _is_directory(path):
        return f"{path} is a directory; name a file in it: sqlite:///FILE"
    if not _is_directory(parent):
        return f"there is no directory {parent} for {path.name}; make it, or name another file"
    if not _may(parent, os.X_OK):
        return f"{path} cannot be reached: this user may not enter the directory {parent}; change its permissions"
    if _is_there(path):
        return _trouble_with_file(path)
    if make and not _may(parent, os.W_OK):
        return f"cannot make {path}: this user may not write the directory {parent}"
    return None


def _trouble_with_file(path: Path) -> str | None:
    if not _may(path, os.R_OK):
        return f"{path} cannot be read: permission denied; change its permissions"
    if path.stat().st_nlink > 1:
        return (
            f"{path} has other names too (hard links), and SQLite damages a file that is opened by two of them; "
            "keep one name, or make it a copy"
        )
    return None


def _beside(path: Path) -> tuple[Path, Path]:
    """Return the files that SQLite keeps beside a database."""
    real = path.resolve()
    return real.with_name(f"{real.name}-wal"), real.with_name(f"{real.name}-shm")


def _is_there(path: Path) -> bool:
    return _may(path, os.F_OK)


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _may(path: Path, how: int) -> bool:
    return os.access(path, how, effective_ids=_EFFECTIVE)
