"""``hitl reconcile``: have all open tickets read from the helpdesk, for what was lost on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hitl_core.cli.aliases import is_in_use, say_nothing_found
from hitl_core.cli.database import database_option, on_database, say_who_works, tenant_option
from hitl_core.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from hitl_core.bridge.store.base import Store
    from hitl_core.bridge.store.reading import Working

__all__ = ["reconcile"]


@click.command()
@database_option
@tenant_option
@click.option("--connection", help="Only the tickets on this connection, by its alias.")
@json_option
def reconcile(*, url: str, tenant: str, connection: str | None, as_json: bool) -> None:
    """Have the server read all open tickets from the helpdesk.

    What webhooks have not told is found then: lost messages, tickets that were closed or deleted. Prints how many
    tickets are read, by connection; the server does it within seconds.
    """
    key = None if connection is None else f"{tenant}/{connection}"

    async def work(store: Store) -> tuple[dict[str, int], Working, bool]:
        from hitl_core.bridge.store.intake_rows import ask_reconcile
        from hitl_core.bridge.store.reading import want_readings, working

        async with store.write() as conn:
            wanted = await want_readings(conn, tenant, store.clock.now(), connection=key)
            await ask_reconcile(conn, tenant, key)
        async with store.read() as conn:
            return wanted, await working(store, conn), bool(wanted) or await is_in_use(conn, tenant, connection)

    wanted, who, in_use = on_database(url, work)
    rows = [{"connection": one.partition("/")[2], "tickets": count} for one, count in wanted.items()]
    if as_json:
        for row in rows:
            print_json(row)
    else:
        print_table(rows)
    if rows:
        say_who_works(who, "they are read as soon as one runs.")
    else:
        say_nothing_found("No ticket is open.", tenant, connection, in_use=in_use)
