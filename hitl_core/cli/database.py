"""Commands on a bridge's database, beside a running server: how it is named, opened and missed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from hitl_core.errors import ConfigurationError

if TYPE_CHECKING:
    from hitl_core.bridge.store.base import Store
    from hitl_core.bridge.store.reading import Working

__all__ = ["database_option", "needs_bridge", "on_database", "say_who_works", "tenant_option"]

ResultT = TypeVar("ResultT")

_VARIABLE: Final = "HITL_DATABASE_URL"

database_option = click.option(
    "--db",
    "url",
    metavar="URL",
    envvar=_VARIABLE,
    show_envvar=True,
    default="sqlite:///hitl.db",
    show_default=True,
    help="The bridge's database; one with a password in it belongs into the variable.",
)
tenant_option = click.option("--tenant", default="default", show_default=True, help="Whose conversations.")


@contextmanager
def needs_bridge() -> Iterator[None]:
    """Say what to install when the bridge's packages are missing.

    :raises ConfigurationError: they are.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "hitl_core":
            raise  # a mistake of ours
        msg = f"this needs the bridge, and {error.name} is missing; run: pip install 'hitl-core[bridge]'"
        raise ConfigurationError(msg) from None


def on_database(
    url: str, work: Callable[[Store], Awaitable[ResultT]], *, make: bool = False, migrated: bool = True
) -> ResultT:
    """Open the database and do something with it; none is ever made but where that is asked for.

    :param make: it may not be there yet.
    :param migrated: it has to be at this version's schema.
    :raises ConfigurationError: there is no such database, its file cannot be one, or it is of another version.
    :raises StoreError: it cannot be reached.
    """

    async def run() -> ResultT:
        from hitl_core.bridge.store.base import Store

        store = Store(url, hints=False, pool_size=2)
        try:
            if store.path is not None:
                _require_usable(store.path, make=make)
            if migrated:
                await store.open(migrate=False)
            return await work(store)
        finally:
            await store.close()

    with needs_bridge():
        return asyncio.run(run())


def _require_usable(path: Path, *, make: bool) -> None:
    from hitl_core.bridge.store.telling import trouble

    if wrong := trouble(path, make=make):
        raise ConfigurationError(wrong)
    if path.exists():
        _require_sqlite(path)
    elif not make:
        where = f"{path} in {Path.cwd()}" if not path.is_absolute() else str(path)
        msg = f"there is no database {where}; name it with --db sqlite:///FILE or {_VARIABLE}"
        raise ConfigurationError(msg)


def _require_sqlite(path: Path) -> None:
    # Before SQLite has it open in this process: closing it ends the locks it has on it.
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise ConfigurationError(msg) from None
    if head not in {b"SQLite format 3\0", b""}:
        msg = f"{path} is no SQLite database"
        raise ConfigurationError(msg)


def say_who_works(working: Working, otherwise: str) -> None:
    """Tell on stderr that no server works on the database, if so.

    :param otherwise: what that means for what was asked.
    """
    if working.alive:
        return
    # One that ended in good order leaves no trace: that none was ever there cannot be told.
    seen = f" (one that broke off was seen at {working.seen_at:%Y-%m-%d %H:%M:%S} UTC)" if working.seen_at else ""
    click.echo(f"No server works on this database now{seen}; {otherwise}", err=True)
