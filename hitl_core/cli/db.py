"""``hitl db``: the bridge's database: its schema, and the key for what is kept in it encrypted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from hitl_core.cli.database import database_option, needs_bridge, on_database, tenant_option
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


@db.command()
@database_option
@tenant_option
@click.option(
    "--older-than", "days", type=click.FloatRange(min=0), required=True, metavar="DAYS", help="Since the end."
)
def purge(url: str, tenant: str, days: float) -> None:
    """Let go of hand-offs that ended long ago, with all that was said in them.

    Nothing that is open is touched. Prints how many rows of each table are gone.
    """

    async def work(store: Store) -> Mapping[str, int]:
        from hitl_core.bridge.store.retention import Retention

        return await Retention(store, tenant).purge(timedelta(days=days))

    _print_counts(on_database(url, work))


@db.command("erase-customer")
@database_option
@tenant_option
@click.argument("customer")
@click.option("--force", is_flag=True, help="Also while a hand-off of theirs is open, which is then cut off.")
def erase_customer(url: str, tenant: str, customer: str, *, force: bool) -> None:
    """Forget a customer, by the id the bot knows them by: all they said, and all that links them to a helpdesk.

    What the helpdesk itself keeps is not touched: erase it there. Prints how many rows of each table are gone.
    """

    async def work(store: Store) -> Mapping[str, int]:
        from hitl_core.bridge.store.retention import Retention

        return await Retention(store, tenant).erase_customer(customer, force=force)

    _print_counts(on_database(url, work))


def _print_counts(gone: Mapping[str, int]) -> None:
    print_table([{"table": table, "rows": count} for table, count in sorted(gone.items()) if count])
    if not sum(gone.values()):
        click.echo("There was nothing to let go of.", err=True)


@db.command("new-key")
def new_key() -> None:
    """Print a new key for what connections keep, such as tokens; it goes to nobody but the servers."""
    with needs_bridge():
        from hitl_core.bridge.store.crypto import generate_key

        click.echo(generate_key())
    click.echo("Give it as the store's key; while rotating, before the old one, which must stay until then.", err=True)
