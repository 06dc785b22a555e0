"""Doing each request once: the answer to an ``Idempotency-Key`` is kept beside the effect, in one transaction."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import sqlalchemy as sa
from fastapi import Request, Response
from pydantic import BaseModel

from hitl_core.database import insert
from hitl_desk.server import tables
from hitl_desk.server.auth import Caller
from hitl_desk.server.desk import Desk
from hitl_desk.server.housekeeping import KEY_LIFETIME
from hitl_desk.server.problems import Problem
from hitl_desk.server.unit import Unit

__all__ = ["HEADER", "once"]

HEADER: Final = "Idempotency-Key"

Work = Callable[[Unit], Awaitable[BaseModel | None]]

_t = tables.idempotency


async def once(
    caller: Caller, request: Request, key: str | None, work: Work, *, status: int, fingerprint: str | None = None
) -> Response:
    """Do a bot's request in a transaction; under a key at most once, however often it comes.

    A repeat within 24 hours gets the first answer again, with ``Idempotency-Replayed: true``; while the first request
    is under way it waits for it. Requests that failed changed nothing and are not remembered: their repeat is a new
    attempt.

    :param work: what to do; its result is the answer, None an empty one.
    :param fingerprint: what tells this request from others, when it is not its body.
    :raises Problem: 409 when the first request of the key does not end in time, or was another request.
    """
    desk = caller.desk
    if key is None:
        async with desk.write() as unit:
            return _answer(status, _text(await work(unit)))
    # What the key was first used with; reading it again costs nothing, it is kept by the request.
    content = fingerprint.encode() if fingerprint is not None else await request.body()
    mark = hashlib.sha256(f"{request.method} {request.url.path}\n".encode() + content).hexdigest()
    async with _turn(desk, (caller.id, key)):
        async with desk.write() as unit:
            kept = await _claim(unit, caller.id, key, mark)
            if kept is not None:
                return kept
            text = _text(await work(unit))
            which = sa.and_(_t.c.bot_id == caller.id, _t.c.key == key)
            await unit.conn.execute(sa.update(_t).where(which).values(status=status, body=text))
        return _answer(status, text)


@asynccontextmanager
async def _turn(desk: Desk, key: tuple[str, str]) -> AsyncIterator[None]:
    """Let one request of a key in at a time; the others wait, since the answer they want is about to be there."""
    turn = desk.turns.get(key)
    if turn is None:
        turn = desk.turns[key] = asyncio.Lock()
    try:
        async with asyncio.timeout(desk.settings.key_wait):
            await turn.acquire()
    except TimeoutError:
        raise Problem(
            409,
            "idempotency_in_progress",
            "The first request with this Idempotency-Key is still under way; repeat in a moment.",
            headers={"Retry-After": "1"},
        ) from None
    try:
        yield
    finally:
        turn.release()


async def _claim(unit: Unit, bot_id: str, key: str, mark: str) -> Response | None:
    """Take a key, or return the answer it has; another process's claim on it is waited for."""
    values = {"fingerprint": mark, "status": None, "body": None, "created_at": unit.now}
    claimed = await unit.conn.execute(
        insert(unit.conn, _t)
        .values(bot_id=bot_id, key=key, **values)
        .on_conflict_do_nothing(index_elements=[_t.c.bot_id, _t.c.key])
        .returning(_t.c.key)
    )
    if claimed.one_or_none() is not None:
        return None
    which = sa.and_(_t.c.bot_id == bot_id, _t.c.key == key)
    row: sa.Row[Any] = (await unit.conn.execute(sa.select(_t).where(which).with_for_update())).one()
    if row.created_at < unit.now - KEY_LIFETIME:
        await unit.conn.execute(sa.update(_t).where(which).values(values))
        return None
    if row.fingerprint != mark:
        raise Problem(
            409,
            "idempotency_mismatch",
            "This Idempotency-Key was used for another request; use a new key for each request.",
        )
    return _answer(row.status, row.body, replayed=True)


def _text(result: BaseModel | None) -> str:
    return "" if result is None else result.model_dump_json()


def _answer(status: int, text: str, *, replayed: bool = False) -> Response:
    headers = {"Idempotency-Replayed": "true"} if replayed else None
    return Response(text, status, headers=headers, media_type="application/json" if text else None)
