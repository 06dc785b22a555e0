"""Finding out what can be read now, and making sure that nobody else reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.engine.intake.drafting import starts_before
from hitl_core.bridge.engine.intake.owning import Owned
from hitl_core.bridge.engine.intake.parsing import known_session, sessions_named, waiting_of
from hitl_core.bridge.engine.intake.queueing import Waiting
from hitl_core.bridge.engine.intake.reading import Claim
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.intake_rows import IntakeRows, Row
from hitl_core.bridge.store.link_rows import LinkRows
from hitl_core.webhooks import KnownSession

__all__ = ["Gatherer", "Ready"]

_AT_HAND: Final = 64
_IN_MEMORY: Final = 10_000
_LOOKED_UP: Final = 500
_CLAIM: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Ready:
    """A delivery to be read.

    :param named: the sessions it names.
    :param known: those of them that are ours.
    :param read: ``False`` when it waits for a start: nothing it names is ours, or nothing that was not before.
    """

    owned: Owned
    waiting: Waiting
    named: frozenset[str]
    known: dict[str, KnownSession]
    read: bool


class Gatherer:
    """Looks for work in the store.

    :param deliveries: how many of a connection may be under way at a time; ``sessions`` likewise.
    """

    def __init__(self, store: Store, rows: IntakeRows, links: LinkRows, *, deliveries: int, sessions: int) -> None:
        self._store = store
        self._rows = rows
        self._links = links
        self._deliveries = deliveries
        self._sessions = sessions

    async def rescan(self, conn: AsyncConnection, owned: Owned) -> None:
        """Find what was not told: committed late by another process, released, replayed, wanted."""
        lines = owned.lines
        open_ = await self._rows.open(conn, owned.key, _IN_MEMORY)
        parked = await self._rows.parked(conn, owned.key, _IN_MEMORY)
        seen = [position for position in open_ if position <= owned.high]
        owned.missed = sorted(position for position in {*seen, *parked} if position not in lines)
        if len(seen) < len(open_) or len(open_) == _IN_MEMORY:
            owned.fresh = True
        if owned.can_read and await self._links.wanted(conn, owned.key, self._store.clock.now(), 1):
            owned.look = True
        if not lines.parked:
            return
        since = await self._links.starting_since(conn, owned.key)
        named = [id_ for one in lines.parked for id_ in one.sessions][:_LOOKED_UP]
        linked = await self._links.find(conn, owned.key, named)
        released = set(seen)
        for one in lines.parked:
            if one.position in released:
                one.stored_parked = False
                lines.release(one)
            elif not starts_before(one.received_at, since) or any(id_ in linked for id_ in one.sessions):
                lines.release(one)

    # Deliveries -----------------------------------------------------------------------------------------------

    async def deliveries(self, conn: AsyncConnection, owned: Owned) -> list[Ready]:
        """Return deliveries to be read; their sessions are busy from here on."""
        started: list[Waiting] = []
        try:
            while True:
                await self._start(conn, owned, started)
                ready = await self._prepare(conn, owned, started)
                if ready or not started:
                    return ready
                started.clear()  # settled, all of them: others may have waited for that
        except BaseException:
            for one in started:
                if one.running:
                    owned.lines.again(one, one.not_before)
            raise

    async def _start(self, conn: AsyncConnection, owned: Owned, started: list[Waiting]) -> None:
        now = self._store.clock.now()
        while True:
            started += owned.lines.startable(now, self._deliveries - owned.parsing - len(started))
            if owned.parsing + len(started) >= self._deliveries or not await self._load(conn, owned):
                return

    async def _load(self, conn: AsyncConnection, owned: Owned) -> bool:
        """Take more deliveries in memory, if there are more and there is room."""
        room = min(_AT_HAND, _IN_MEMORY - len(owned.lines))
        if room <= 0 or not (owned.missed or owned.fresh):
            return False
        rows: Sequence[Row]
        if not owned.missed and not self._store.is_sqlite:
            # Others may have taken a number long before their commit was seen: theirs come first all the same.
            open_ = await self._rows.open(conn, owned.key, _IN_MEMORY)
            owned.missed = [place for place in open_ if place <= owned.high and place not in owned.lines]
        if owned.missed:
            rows = await self._rows.at(conn, owned.missed[:room])
            del owned.missed[:room]
        else:
            rows = await self._rows.after(conn, owned.key, owned.high, room)
            owned.fresh = len(rows) == room
            owned.high = rows[-1].position if rows else owned.high
        for row in rows:
            if row.position not in owned.lines:
                owned.lines.add(waiting_of(row))
        return True

    async def _prepare(self, conn: AsyncConnection, owned: Owned, started: list[Waiting]) -> list[Ready]:
        """Look up what reading them takes."""
        without = [one.position for one in started if one.delivery is None]
        content = {row.position: waiting_of(row) for row in (await self._rows.at(conn, without) if without else ())}
        there = []
        for one in started:
            if one.delivery is None and one.position not in content:
                owned.lines.drop(one)  # settled, by a commit whose end we were not told
                continue
            if one.delivery is None:
                one.delivery = content[one.position].delivery
            there.append(one)
        if not there:
            return []
        named = {one.position: sessions_named(one.delivery) for one in there}
        ids = {id_ for some in named.values() for id_ in some}
        links = await self._links.find(conn, owned.key, ids) if ids else {}
        own = await self._links.own_ids(conn, owned.key, links) if links else {}
        # In the same snapshot as the links: one of both tells of a session that has just been made.
        since = await self._links.starting_since(conn, owned.key) if len(links) < len(ids) else None
        sessions = {id_: known_session(owned, row, own.get(id_, frozenset())) for id_, row in links.items()}
        return [_ready(owned, one, named[one.position], sessions, since) for one in there]

    # Sessions -------------------------------------------------------------------------------------------------

    async def wanted(self, conn: AsyncConnection, owned: Owned) -> list[Row]:
        """Return sessions to be read; they are busy from here on, and still to be claimed."""
        free = self._sessions - owned.reading
        if not owned.look or not owned.can_read or free <= 0:
            return []
        limit = free + owned.lines.busy
        rows = await self._links.wanted(conn, owned.key, self._store.clock.now(), limit)
        held: list[Row] = []
        for row in rows:
            if len(held) < free and owned.lines.hold(row.session_id):
                held.append(row)
        # What is busy now is looked at again as soon as something has come to an end.
        owned.look = len(held) < len(rows) or len(rows) == limit
        return held

    async def claim(self, held: Sequence[tuple[Owned, Sequence[Row]]]) -> list[tuple[Owned, Claim]]:
        """Claim sessions that are to be read, for connections that are still ours.

        :raises StoreError: none is.
        """
        claims: list[tuple[Owned, Claim]] = []
        try:
            at = self._store.clock.now() + _CLAIM
            async with self._store.write() as conn:
                fences = await self._rows.fences(conn, [owned.key for owned, _ in held])
                for owned, rows in held:
                    if fences.get(owned.key) != owned.fence:
                        continue
                    ids = [row.session_id for row in rows]
                    await self._links.claim(conn, owned.key, ids, at)
                    own = await self._links.own_ids(conn, owned.key, ids)
                    claims += [(owned, _claim(owned, row, own.get(row.session_id, frozenset()), at)) for row in rows]
        except BaseException:
            claims = []
            raise
        finally:
            claimed = {(owned.key, claim.session.id) for owned, claim in claims}
            for owned, rows in held:
                for row in rows:
                    if (owned.key, row.session_id) not in claimed:
                        owned.lines.let_go(row.session_id)
                        owned.look = True
        return claims


def _ready(
    owned: Owned, one: Waiting, named: tuple[str, ...], sessions: dict[str, KnownSession], since: datetime | None
) -> Ready:
    known = {id_: sessions[id_] for id_ in named if id_ in sessions}
    waits = len(known) < len(named) and starts_before(one.received_at, since)
    return Ready(owned, one, frozenset(named), known, read=not waits or frozenset(known) not in {frozenset(), one.seen})


def _claim(owned: Owned, row: Row, own_ids: frozenset[str], at: datetime) -> Claim:
    known = known_session(owned, row, own_ids)
    return Claim(known.session, row.cursor, own_ids, row.linked_at, row.open, at)
