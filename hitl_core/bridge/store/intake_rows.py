"""Deliveries in the store: what is open, what is parked, what became of each; and who reads an account's.

The functions are for turns and commands: they only take part in a transaction of somebody else's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.tables import (
    DeliveryState,
    InputState,
    LetterState,
    audit,
    connections,
    dead_letters,
    deliveries,
    inputs,
    links,
)

__all__ = ["IntakeRows", "Row", "ask_reconcile", "release_parked", "want"]

Row = sa.Row[Any]

# As the partial indexes say it: with a bound value SQLite does not use them.
_OPEN: Final = sa.text("hitl_deliveries.state = 0")
_PARKED: Final = sa.text("hitl_deliveries.state = 3")
_UNSETTLED: Final = sa.text("hitl_deliveries.state IN (0, 3)")


async def release_parked(conn: AsyncConnection, tenant: str, connection: str) -> int:
    """Let parked deliveries be looked at again: a start on the connection has come to an end, or a session is linked.

    Never waits: a row somebody holds just now is found by the owner of the connection when it polls.

    :returns: how many there were.
    """
    d = deliveries.c
    parked = (
        sa.select(d.position)
        .where(d.tenant == tenant, d.connection == connection, _PARKED)
        .with_for_update(skip_locked=True)
    )
    done = await conn.execute(
        deliveries.update().where(d.position.in_(parked.scalar_subquery())).values(state=DeliveryState.OPEN.value)
    )
    return done.rowcount


async def want(conn: AsyncConnection, tenant: str, connection: str, session_id: str, at: datetime) -> None:
    """Ask for a session to be read; a session without a link is nobody's.

    :param at: not before then; an earlier wish stays as it is.
    """
    await conn.execute(wish(tenant), {"b_connection": connection, "b_session_id": session_id, "b_at": at})


async def ask_reconcile(conn: AsyncConnection, tenant: str, connection: str | None = None) -> int:
    """Ask for all that is open to be compared with the helpdesk at the next poll; of one connection, or of all.

    :returns: how many connections there are to compare.
    """
    c = connections.c
    query = connections.update().where(c.tenant == tenant).values(reconciled_at=None)
    if connection is not None:
        query = query.where(c.connection == connection)
    return (await conn.execute(query)).rowcount


def wish(tenant: str) -> sa.Update:
    """Return the statement that asks for a session to be read at ``b_at``, or before if that is wanted already."""
    n = links.c
    at = sa.bindparam("b_at", type_=n.wanted_at.type)
    return (
        links.update()
        .where(
            n.tenant == tenant,
            n.connection == sa.bindparam("b_connection"),
            n.session_id == sa.bindparam("b_session_id"),
        )
        .values(wanted_at=sa.case((sa.or_(n.wanted_at.is_(None), n.wanted_at > at), at), else_=n.wanted_at))
    )


class IntakeRows:
    """The deliveries of one tenant, as one worker reads them."""

    def __init__(self, store: Store, tenant: str, worker: str) -> None:
        self._store = store
        self._tenant = tenant
        self._worker = worker
        c, d = connections.c, deliveries.c
        # Made once: making a statement costs more than running it.
        self._fences = (
            sa.select(c.connection, c.fence)
            .where(c.tenant == tenant, c.connection.in_(sa.bindparam("keys", expanding=True)), c.worker == worker)
            .order_by(c.connection)
            .with_for_update()
        )
        mine = (d.tenant == tenant, d.connection == sa.bindparam("key"))
        at_most = sa.bindparam("at_most", type_=sa.Integer())
        self._after = (
            sa.select(deliveries)
            .where(*mine, d.position > sa.bindparam("after"), _OPEN)
            .order_by(d.position)
            .limit(at_most)
        )
        self._open = sa.select(d.position).where(*mine, _OPEN).order_by(d.position).limit(at_most)
        self._parked = sa.select(d.position).where(*mine, _PARKED).order_by(d.position).limit(at_most)
        self._at = (
            sa.select(deliveries)
            .where(d.position.in_(sa.bindparam("positions", expanding=True)), _UNSETTLED)
            .order_by(d.position)
        )
        self._settle = (
            deliveries.update()
            .where(
                d.position == sa.bindparam("b_position"),
                _UNSETTLED,
            )
            .values(
                {name: sa.bindparam(f"b_{name}") for name in ("state", "attempts", "not_before", "done_at", "detail")}
            )
        )

    # Who reads what -------------------------------------------------------------------------------------------

    async def connections(self, conn: AsyncConnection, keys: Collection[str]) -> Sequence[Row]:
        """Return the rows of these connections."""
        c = connections.c
        query = sa.select(connections).where(c.tenant == self._tenant, c.connection.in_(keys))
        return (await conn.execute(query)).all()

    async def lock(self, conn: AsyncConnection, keys: Collection[str]) -> Sequence[Row]:
        """Return the rows of these connections that nobody holds just now, locked; missing ones are made."""
        c = connections.c
        await conn.execute(
            self._store.insert(connections).on_conflict_do_nothing(),
            [{"tenant": self._tenant, "connection": key, "worker": None, "fence": 0} for key in sorted(keys)],
        )
        query = sa.select(connections).where(c.tenant == self._tenant, c.connection.in_(keys)).order_by(c.connection)
        return (await conn.execute(query.with_for_update(skip_locked=True))).all()

    async def take(self, conn: AsyncConnection, key: str, fence: int) -> None:
        """Become the one who reads a connection that is locked."""
        c = connections.c
        await conn.execute(
            connections.update()
            .where(c.tenant == self._tenant, c.connection == key)
            .values(worker=self._worker, fence=fence)
        )

    async def fences(self, conn: AsyncConnection, keys: Collection[str]) -> dict[str, int]:
        """Return the fences of those connections that are ours, and keep others from taking them until the end."""
        result = await conn.execute(self._fences, {"keys": list(keys)})
        return {row.connection: row.fence for row in result}

    async def give_back(self, conn: AsyncConnection, fences: dict[str, int]) -> None:
        """Let others take these connections, where they are ours under that fence."""
        c = connections.c
        await conn.execute(
            connections.update()
            .where(
                c.tenant == self._tenant,
                c.connection == sa.bindparam("b_connection"),
                c.worker == self._worker,
                c.fence == sa.bindparam("b_fence"),
            )
            .values(worker=None),
            [{"b_connection": key, "b_fence": fence} for key, fence in sorted(fences.items())],
        )

    async def save_comparison(self, conn: AsyncConnection, key: str, **values: str | datetime | None) -> None:
        """Note how far the account's changes were read (``changes_cursor``), or when all is compared."""
        c = connections.c
        await conn.execute(connections.update().where(c.tenant == self._tenant, c.connection == key).values(values))

    # Deliveries -----------------------------------------------------------------------------------------------

    async def after(self, conn: AsyncConnection, key: str, position: int, limit: int) -> Sequence[Row]:
        """Return open deliveries from behind a position on, in order."""
        return (await conn.execute(self._after, {"key": key, "after": position, "at_most": limit})).all()

    async def at(self, conn: AsyncConnection, positions: Collection[int]) -> Sequence[Row]:
        """Return those of these deliveries that are open or parked, in order."""
        return (await conn.execute(self._at, {"positions": list(positions)})).all()

    async def open(self, conn: AsyncConnection, key: str, limit: int) -> list[int]:
        """Return the positions of open deliveries, in order."""
        return list((await conn.execute(self._open, {"key": key, "at_most": limit})).scalars())

    async def parked(self, conn: AsyncConnection, key: str, limit: int) -> list[int]:
        """Return the positions of parked deliveries, in order."""
        return list((await conn.execute(self._parked, {"key": key, "at_most": limit})).scalars())

    # What became of them --------------------------------------------------------------------------------------

    async def settle(self, conn: AsyncConnection, rows: Iterable[dict[str, Any]]) -> None:
        """Write what became of deliveries, by position."""
        bound = [{f"b_{name}": value for name, value in row.items()} for row in rows]
        if bound:
            await conn.execute(self._settle, sorted(bound, key=lambda row: row["b_position"]))

    async def save_inputs(self, conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
        """Add inputs in this order; one that is kept already, by its key, stays as it is (behaviour F22)."""
        if rows:
            await conn.execute(self._store.insert(inputs).on_conflict_do_nothing(), rows)

    async def save_letters(self, conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
        """Add dead letters of deliveries (behaviour F21)."""
        if rows:
            fixed = {
                "tenant": self._tenant,
                "source": "delivery",
                "kind": "delivery",
                "handoff_id": None,
                "state": LetterState.OPEN.value,
                "settled_at": None,
            }
            await conn.execute(dead_letters.insert(), [{**fixed, **row} for row in rows])

    async def save_audit(self, conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
        """Add what people ought to know."""
        if rows:
            fixed = {"tenant": self._tenant, "actor": "worker", "handoff_id": None}
            await conn.execute(audit.insert(), [{**fixed, **row} for row in rows])


def used_up(row: dict[str, Any], outcome: str, at: datetime) -> dict[str, Any]:
    """Return an input's row as one that is settled before anybody decides on it: only its key is of use."""
    return {**row, "state": InputState.DONE.value, "outcome": outcome, "done_at": at}
