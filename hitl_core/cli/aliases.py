"""A connection that is named on the command line: is it one at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hitl_core.cli.output import shown

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["is_in_use", "say_nothing_found"]


async def is_in_use(conn: AsyncConnection, tenant: str, alias: str | None) -> bool:
    """Whether there is a hand-off on a connection, open or ended; always, where none was named."""
    from hitl_core.bridge.store.reading import list_handoffs

    if alias is None:
        return True
    return bool(await list_handoffs(conn, tenant, ended=True, connection=f"{tenant}/{alias}", limit=1))


def say_nothing_found(nothing: str, tenant: str, alias: str | None, *, in_use: bool) -> None:
    """Tell on stderr that nothing was found, or that there could not be anything: the name may be misspelt.

    :param nothing: the sentence for a connection that is in use.
    """
    if alias is not None and not in_use:
        nothing = (
            f"No hand-off was ever on a connection {shown(alias)!r} of tenant {shown(tenant)!r}, as far as this "
            "database remembers; for the names see: hitl sessions list --all"
        )
    click.echo(nothing, err=True)
