"""Reading the helpdesk's own record: one session from where it was read last, or what moved in the account."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.engine.classify import asked_wait, classify, describe, of_provider
from hitl_core.bridge.engine.intake.owning import Owned
from hitl_core.bridge.engine.intake.parsing import back_off
from hitl_core.bridge.handoff.inputs import Failure, SessionRead
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.intake_rows import IntakeRows
from hitl_core.bridge.store.link_rows import LinkRows
from hitl_core.bridge.store.tables import storable
from hitl_core.calls import EventPage, SessionState
from hitl_core.clock import Clock
from hitl_core.context import deadline_of_call
from hitl_core.errors import SessionClosedError
from hitl_core.events import AnyEvent
from hitl_core.sessions import HitlSession

__all__ = ["Claim", "Comparison", "SessionPages", "read_session"]

logger = logging.getLogger(__name__)

_PAGES: Final = 20
_CALL: Final = timedelta(seconds=60)
_MENDING: Final = 60.0
_CHANGE_PAGES: Final = 50
_NAMED: Final = 500  # more sessions are not named one by one
_AT_ONCE: Final = 20
_PER_SECOND: Final = 5
_IN_ONE_GO: Final = 500


@dataclass(frozen=True, slots=True)
class Claim:
    """A session we are reading.

    :param at: what ``wanted_at`` says while nobody else wants it read.
    """

    session: HitlSession
    cursor: str | None
    own_ids: frozenset[str]
    linked_at: datetime
    open: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class SessionPages:
    """What reading a session gave.

    :param events: in the order of the pages.
    :param cursor: where the next reading begins, if it is known.
    :param read: how it stands, once all of it was read and if the helpdesk tells.
    :param again: when it is to be read again.
    :param gap: the helpdesk does not show all that happened any more.
    :param failed: it could not be read, or not to its end.
    """

    owned: Owned
    claim: Claim
    events: tuple[AnyEvent, ...]
    cursor: str | None
    read: SessionRead | None
    again: datetime | None = None
    gap: bool = False
    failed: bool = False


async def read_session(owned: Owned, claim: Claim, clock: Clock) -> SessionPages:
    """Read what is new in a session and how it stands; raises nothing but cancellation."""
    began = clock.now()
    events: list[AnyEvent] = []
    cursor, gap, more, gone = claim.cursor, False, True, False
    state: SessionState | None = None
    try:
        for _ in range(_PAGES):
            page = await _page(owned, claim, cursor, clock)
            events += page.events
            gap = gap or page.gap
            moved = page.cursor is not None and page.cursor != cursor
            cursor, state, more = page.cursor or cursor, page.state, page.more
            if more and not moved:
                logger.warning("connection %s: a session has more to read, and no cursor to go on from", owned.key)
                more = False
            if not more:
                break
    except Exception as error:  # noqa: BLE001 - a provider is somebody else's code; its class decides
        now = clock.now()
        if classify(error) is not Failure.CLOSED or _may_lag(owned, claim, now):
            again = _again(owned, claim, error, now)
            return SessionPages(owned, claim, tuple(events), cursor, None, again, gap, failed=True)
        # Ended for reading too, or not known any more.
        state = SessionState(open=False) if isinstance(error, SessionClosedError) else None
        gone, more = state is None, False
    owned.failures.pop(claim.session.id, None)
    if more:
        return SessionPages(owned, claim, tuple(events), cursor, None, clock.now(), gap)
    told = state is not None or gone
    read = SessionRead(session=claim.session.ref, state=state, began_at=began) if told else None
    return SessionPages(owned, claim, tuple(events), cursor, read, gap=gap)


async def _page(owned: Owned, claim: Claim, cursor: str | None, clock: Clock) -> EventPage:
    with deadline_of_call(clock.now() + _CALL):
        call = owned.connection.list_events(claim.session, cursor=cursor, own_message_ids=claim.own_ids)
        return await of_provider(call)


def _may_lag(owned: Owned, claim: Claim, now: datetime) -> bool:
    """Whether a read may still miss that the session was made."""
    return (now - claim.linked_at).total_seconds() < owned.connection.limits.settle_seconds


def _again(owned: Owned, claim: Claim, error: Exception, now: datetime) -> datetime | None:
    """Return when to try again; what nobody needs any more is given up."""
    id_ = claim.session.id
    failures = owned.failures.get(id_, 0)
    logger.info("connection %s: a session cannot be read now: %s", owned.key, describe(error))
    if not claim.open and failures >= 5:
        owned.failures.pop(id_, None)
        return None
    owned.failures[id_] = failures + 1
    wait = max(back_off(failures), asked_wait(error) or 0.0)
    if classify(error) is Failure.NOT_ALLOWED:
        wait = max(wait, _MENDING)
    return now + timedelta(seconds=wait)


class Comparison:
    """Finds out which sessions are to be read so that nothing that was said stays unheard (behaviour F13)."""

    def __init__(self, store: Store, rows: IntakeRows, links: LinkRows) -> None:
        self._store = store
        self._rows = rows
        self._links = links

    async def run(self, owned: Owned) -> None:
        """Ask for the sessions that moved to be read; where the helpdesk cannot tell, for all that are open.

        :raises StoreError: it is to be done again.
        """
        async with self._store.read() as conn:
            sessions = await self._links.open_sessions(conn, owned.key)
            [row] = await self._rows.connections(conn, [owned.key])
        cursor: str | None = row.changes_cursor
        try:
            if not owned.connection.capabilities.changes or not sessions:
                # Without anything open a cursor would only grow old: the next comparison begins anew.
                await self._all(owned, sessions, anew=True)
            elif not await self._changes(owned, cursor, sessions):
                await self._all(owned, sessions, anew=True)
            elif cursor is None:  # what moved before this first page may be in no page
                await self._all(owned, sessions, anew=False)
        except _NotNowError as error:
            now = self._store.clock.now()
            owned.compare = True
            owned.compare_after = now + timedelta(seconds=error.wait)
        except _LostError:
            logger.info("connection %s was taken over by another worker", owned.key)

    async def _changes(self, owned: Owned, cursor: str | None, sessions: Sequence[str]) -> bool:
        """Read what moved since the last time; ``False`` when that cannot be told."""
        named = sessions if len(sessions) <= _NAMED else ()
        for _ in range(_CHANGE_PAGES):
            try:
                with deadline_of_call(self._store.clock.now() + _CALL):
                    page = await of_provider(owned.connection.list_changes(cursor=cursor, sessions=named))
            except Exception as error:  # noqa: BLE001 - a provider is somebody else's code; its class decides
                return _judge(owned, error)
            last = not page.more or page.cursor in {None, cursor}
            cursor = page.cursor or cursor
            now = self._store.clock.now()
            moved = {ref.id for ref in page.sessions if storable(ref.id)}
            async with self._ours(owned) as conn:
                await self._links.want(conn, [(owned.key, id_, now) for id_ in moved])
                done = {"reconciled_at": now} if last else {}
                await self._rows.save_comparison(conn, owned.key, changes_cursor=cursor, **done)
            owned.look = True
            if last:
                return True
        owned.compare = True
        return True

    async def _all(self, owned: Owned, sessions: Sequence[str], *, anew: bool) -> None:
        """Ask for all to be read, a few at once and the others over time: people's messages need the account too.

        :param anew: forget how far the account's changes were read.
        """
        now = self._store.clock.now()
        at = now
        if owned.can_read:
            for start in range(0, len(sessions), _IN_ONE_GO):
                wishes = []
                for number, id_ in enumerate(sessions[start : start + _IN_ONE_GO], start):
                    at = now + timedelta(seconds=max(0, number + 1 - _AT_ONCE) / _PER_SECOND)
                    wishes.append((owned.key, id_, at))
                async with self._ours(owned) as conn:
                    await self._links.want(conn, wishes)
        async with self._ours(owned) as conn:
            # As if it ended with the last of them, so that the next one does not begin in the middle of this one.
            forgotten = {"changes_cursor": None} if anew else {}
            await self._rows.save_comparison(conn, owned.key, reconciled_at=at, **forgotten)
        owned.look = True

    @asynccontextmanager
    async def _ours(self, owned: Owned) -> AsyncIterator[AsyncConnection]:
        async with self._store.write() as conn:
            fences = await self._rows.fences(conn, [owned.key])
            if fences.get(owned.key) != owned.fence:
                raise _LostError
            yield conn


class _LostError(Exception):
    """Another worker has the connection now."""


class _NotNowError(Exception):
    """The helpdesk cannot be asked now."""

    def __init__(self, wait: float) -> None:
        super().__init__(wait)
        self.wait = wait


def _judge(owned: Owned, error: Exception) -> bool:
    logger.info("connection %s: what moved cannot be read: %s", owned.key, describe(error))
    if classify(error) in {Failure.UNAVAILABLE, Failure.UNRESOLVED, Failure.NOT_ALLOWED}:
        raise _NotNowError(max(_MENDING, asked_wait(error) or 0.0)) from error
    return False  # such as a cursor it does not know any more
