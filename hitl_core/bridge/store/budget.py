"""The allowance of an account, shared by all replicas (behaviour F38).

Every request that counts in a known limit is counted in the limit's row before it is sent, so that replicas cannot
spend the same allowance twice. Where no limit is known, which is the rule, a look once a second tells whether another
replica has met one. While the database is away, each replica goes by what it knew last.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.store.allowance import Allowance
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.tables import budgets
from hitl_core.errors import StoreError

__all__ = ["StoreBudget"]

_log = logging.getLogger(__name__)

_REFRESH: Final = 1.0  # seconds what was read is relied upon
_MANY_SCOPES: Final = 1024
# Differences in what is left that are not worth a write while plenty is left.
_UNIMPORTANT_SHARE: Final = 0.02
_TIMES: Final = ("resets_at", "rolled_at", "next_at", "blocked_until")


@dataclass(slots=True)
class _Known:
    """What was read of one scope.

    :param allowance: ``None`` when no limit is known.
    :param read_at: by the monotonic clock.
    :param ahead: seconds the store's clock is ahead of it.
    :param promised: the last time somebody was told to ask again at, by the store's clock.
    """

    allowance: Allowance | None
    read_at: float
    ahead: float
    promised: float = 0.0


class StoreBudget:
    """The allowance of one account (:class:`~hitl_core.http.Budget`).

    :param connection: its whole key, ``"tenant/alias"``.
    """

    def __init__(self, store: Store, tenant: str, connection: str) -> None:
        self._store = store
        self._tenant = tenant
        self._connection = connection
        self._known: dict[str, _Known] = {}
        self._one_by_one = asyncio.Lock()
        self._away = False

    async def reserve(self, scope: str, cost: float = 1) -> float:
        """Ask to send now.

        :returns: 0 to go ahead, the request being counted; else the seconds after which to ask again.
        """
        known = self._known.get(scope)
        if known is None or (known.allowance is None and self._is_old(known)):
            known = await self._look(scope)
        if (answer := self._answer(known, cost)) is not None:
            return answer
        async with self._one_by_one:
            known = self._known.get(scope, known)
            if (answer := self._answer(known, cost)) is not None:
                return answer
            return await self._count(scope, cost, known)

    def observe(
        self, scope: str, limit: float | None, remaining: float | None, reset_after: float | None
    ) -> Awaitable[None] | None:
        """Learn from an answer; returns a coroutine only when it tells something new."""
        if limit is None and remaining is None:
            return None
        known = self._known.get(scope)
        if known is not None and known.allowance is not None:
            before, after = known.allowance.copy(), known.allowance.copy()
            now = self._now(known)
            after.observe(now, limit, remaining, reset_after)
            if not _is_news(before, after):
                return None
        return self._learn(scope, lambda allowance, now: allowance.observe(now, limit, remaining, reset_after))

    def penalise(self, scope: str, retry_after: float) -> Awaitable[None] | None:
        """Send nothing for so many seconds, from any replica; only ever moves the time forward."""
        if (known := self._known.get(scope)) is not None:
            known.promised = 0.0
        return self._learn(scope, lambda allowance, now: allowance.penalise(now, retry_after))

    # Here -----------------------------------------------------------------------------------------------------

    def _now(self, known: _Known) -> float:
        return self._store.clock.monotonic() + known.ahead

    def _is_old(self, known: _Known) -> bool:
        return self._store.clock.monotonic() - known.read_at >= _REFRESH

    def _answer(self, known: _Known, cost: float) -> float | None:
        """Answer without the database, if what was read lately says enough."""
        allowance = known.allowance
        if allowance is None:
            return 0.0
        if self._is_old(known):
            return None
        now = self._now(known)
        wait = allowance.copy().reserve(now, cost)
        if wait > 0:
            return self._turn(known, allowance, now, wait)
        return 0.0 if allowance.remaining is None else None

    @staticmethod
    def _turn(known: _Known, allowance: Allowance, now: float, wait: float) -> float:
        """Let those who wait come one after the other, instead of all for the next slot."""
        spacing = allowance.spacing(now + wait) if allowance.is_low else 0.0
        if wait * 2 < spacing:  # who was told to come now, and is a moment early
            return wait
        behind = known.promised + spacing if known.promised > now else now
        known.promised = max(now + wait, behind if allowance.resets_at is None else min(behind, allowance.resets_at))
        return known.promised - now

    def _keep(self, scope: str, allowance: Allowance | None, now: float) -> _Known:
        before = self._known.pop(scope, None)
        while len(self._known) >= _MANY_SCOPES:  # scopes may be tickets, and tickets do not end
            del self._known[next(iter(self._known))]
        read_at = self._store.clock.monotonic()
        known = _Known(allowance, read_at, now - read_at, before.promised if before is not None else 0.0)
        self._known[scope] = known
        return known

    def _guess(self, scope: str, error: StoreError) -> _Known:
        """Go on with what was known while the database is away."""
        if not self._away:
            _log.warning("the allowance of %s is not shared for now: %s", self._connection, error)
        self._away = True
        known = self._known.get(scope)
        if known is None:
            return self._keep(scope, None, self._store.clock.now().timestamp())
        known.read_at = self._store.clock.monotonic()
        return known

    # There ----------------------------------------------------------------------------------------------------

    async def _look(self, scope: str) -> _Known:
        known = self._known.get(scope)
        if known is not None:
            known.read_at = self._store.clock.monotonic()  # one of those who ask looks; the others go on meanwhile
        try:
            async with self._store.read() as conn:
                row = (await conn.execute(sa.select(budgets).where(self._at(scope)))).one_or_none()
                now = (await self._store.now(conn)).timestamp()
        except StoreError as error:
            return self._guess(scope, error)
        self._away = False
        return self._keep(scope, _allowance(row), now)

    async def _count(self, scope: str, cost: float, known: _Known) -> float:
        try:
            async with self._store.write() as conn:
                allowance, now = await self._locked(conn, scope)
                wait = 0.0
                if allowance is not None:
                    wait = allowance.reserve(now, cost)
                    if wait <= 0 and allowance.remaining is not None:
                        await self._write(conn, scope, allowance, now)
        except StoreError as error:
            known = self._guess(scope, error)
            return 0.0 if known.allowance is None else known.allowance.reserve(self._now(known), cost)
        self._away = False
        known = self._keep(scope, allowance, now)
        return self._turn(known, allowance, now, wait) if allowance is not None and wait > 0 else 0.0

    async def _learn(self, scope: str, change: Callable[[Allowance, float], None]) -> None:
        async with self._one_by_one:
            try:
                async with self._store.write() as conn:
                    allowance, now = await self._locked(conn, scope)
                    if allowance is None:
                        await self._make(conn, scope, now)
                        allowance, now = await self._locked(conn, scope)
                    allowance = allowance or Allowance()
                    change(allowance, now)
                    await self._write(conn, scope, allowance, now)
            except StoreError as error:
                known = self._guess(scope, error)
                known.allowance = known.allowance or Allowance()
                change(known.allowance, self._now(known))
            else:
                self._away = False
                self._keep(scope, allowance, now)

    async def _locked(self, conn: AsyncConnection, scope: str) -> tuple[Allowance | None, float]:
        row = (await conn.execute(sa.select(budgets).where(self._at(scope)).with_for_update())).one_or_none()
        # Asked for last: the row may have been waited for.
        return _allowance(row), (await self._store.now(conn)).timestamp()

    async def _make(self, conn: AsyncConnection, scope: str, now: float) -> None:
        row = {"tenant": self._tenant, "connection": self._connection, "scope": scope, "updated_at": _moment(now)}
        await conn.execute(self._store.insert(budgets).values(row).on_conflict_do_nothing())

    async def _write(self, conn: AsyncConnection, scope: str, allowance: Allowance, now: float) -> None:
        values: dict[str, Any] = {name: _moment(getattr(allowance, name)) for name in _TIMES}
        values |= {"limit_count": allowance.limit, "remaining": allowance.remaining, "updated_at": _moment(now)}
        await conn.execute(sa.update(budgets).where(self._at(scope)).values(values))

    def _at(self, scope: str) -> sa.ColumnElement[bool]:
        b = budgets.c
        return sa.and_(b.tenant == self._tenant, b.connection == self._connection, b.scope == scope)


def _allowance(row: sa.Row[Any] | None) -> Allowance | None:
    if row is None:
        return None
    times = {name: getattr(row, name) for name in _TIMES}
    return Allowance(
        limit=row.limit_count,
        remaining=row.remaining,
        **{name: None if moment is None else moment.timestamp() for name, moment in times.items()},
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _is_news(before: Allowance, after: Allowance) -> bool:
    """Whether an answer told more than our own count did."""
    if (before.limit, before.resets_at, before.rolled_at) != (after.limit, after.resets_at, after.rolled_at):
        return True
    if before.remaining is None or after.remaining is None:
        return before.remaining is not after.remaining
    unimportant = 0.0 if after.is_low else (after.limit or 0.0) * _UNIMPORTANT_SHARE
    return abs(before.remaining - after.remaining) > unimportant
