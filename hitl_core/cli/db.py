"""``hitl db``: the bridge's database: its schema, and the key for what is kept in it encrypted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hitl_core.cli.database import database_option, needs_bridge, on_database
from hitl_core.cli.output import print_table

if TYPE_CHECKING:
    from hitl_core.bridge.store.base import Store

__all__ = ["db"]


@click.group()
def db() -> None:
    """Look after a bridge's database."""


@db.command()
@database_option
def upgrade(url: str) -> None:
    """Bring the database to this version's schema; a SQLite file is made if there is none.

    On PostgreSQL run it once before the servers of a new version start. Servers on SQLite do it by themselves.
    """

    async def work(store: Store) -> bool:
        from hitl_core.bridge.store.reading import schema_revision

        async with store.read() as conn:
            before = await schema_revision(conn)
        await store.open(migrate=True)
        async with store.read() as conn:
            return await schema_revision(conn) != before

    changed = on_database(url, work, make=True, migrated=False)
    click.echo("The database was brought up to date." if changed else "The database is up to date.", err=True)


@db.command()
@database_option
def current(url: str) -> int:
    """Print the schema the database is at, and the one this version needs; exit code 1 when they differ."""

    async def work(store: Store) -> tuple[str | None, str | None, bool]:
        from hitl_core.bridge.store.migrate import scripts
        from hitl_core.bridge.store.reading import schema_revision

        async with store.read() as conn:
            found = await schema_revision(conn)
        ours = {script.revision for script in scripts().walk_revisions()}
        return found, scripts().get_current_head(), found is None or found in ours

    found, needed, known = on_database(url, work, migrated=False)
    print_table([{"database": found, "needed": needed}])
    if found == needed:
        return 0
    click.echo("Run: hitl db upgrade" if known else "It is of a newer version: upgrade hitl-core", err=True)
    return 1


@db.command("new-key")
def new_key() -> None:
    """Print a new key for what connections keep, such as tokens; it goes to nobody but the servers."""
    with needs_bridge():
        from hitl_core.bridge.store.crypto import generate_key

        click.echo(generate_key())
    click.echo("Give it as the store's key; while rotating, before the old one, which must stay until then.", err=True)
