"""Looking at hand-offs from outside: what there is, what happened to each, and who works on them.

For people and the command line, beside a running server: nothing here locks a row or waits for a writer. Customers'
words are read only where they are asked for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.tables import (
    EffectState,
    InputState,
    conversations,
    handoffs,
    inputs,
    links,
    outbox,
    workers,
)
from hitl_core.messages import parse_message
from hitl_core.rendering.lines import message_lines

__all__ = [
    "HandoffFacts",
    "Happening",
    "Source",
    "Working",
    "get_handoff",
    "happenings",
    "input_outcome",
    "list_handoffs",
    "schema_revision",
    "want_readings",
    "working",
]

Source: TypeAlias = Literal["input", "effect"]

_ALIVE: Final = timedelta(seconds=15)
"""A worker says that it lives every second."""

# As the partial indexes say it: with a bound value SQLite does not use them.
_OPEN_HANDOFF: Final = sa.text("hitl_handoffs.open")
_OPEN_LINK: Final = sa.text("hitl_links.open")
_OPEN_INPUT: Final = sa.text("hitl_inputs.state = 0")

_INPUT_STATES: Final = {state.value: state.name.lower() for state in InputState}
_EFFECT_STATES: Final = {state.value: state.name.lower() for state in EffectState}

# Where an input's payload says what it is about, in a word that is nobody's own.
_ABOUT: Final[dict[str, tuple[str, ...]]] = {
    "agent_event": ("event", "kind"),
    "effect_failed": ("failure",),
    "notify_bot": ("event", "kind"),
    "pause_requested": (),
    "start_requested": ("relay",),
    "stop_requested": ("reason",),
    "stop_session": ("reason",),
    "timer_fired": ("name",),
    "user_message": ("message", "type"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffFacts:
    """A hand-off without anybody's words.

    :param owner: who answers the customer.
    :param session_id: the helpdesk's id of the ticket.
    :param url: the ticket's page.
    :param agent_id: the helpdesk's id of who has it, or had it last.
    :param failed: why the start failed.
    :param timers: what is due when.
    """

    id: str
    conversation_id: str
    connection: str
    phase: str
    owner: str
    session_id: str | None
    url: str | None
    agent_id: str | None
    started_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    failed: str | None
    timers: dict[str, str]

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.ended_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that was taken in, or was decided to be done.

    :param at: when it was taken in, or decided.
    :param about: what kind of it, in a word.
    :param told: what became of it.
    :param speaker: ``customer``, ``agent`` or ``system``, where something was said.
    :param words: what was said; only where it was asked for.
    """

    source: Source
    position: int
    at: datetime
    conversation_id: str
    handoff_id: str | None
    kind: str
    about: str | None
    key: str
    state: str
    settled_at: datetime | None
    told: str | None
    attempts: int
    speaker: str | None = None
    words: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Working:
    """Whether anybody works on the database.

    :param seen_at: when a worker last said that it lives; ``None`` for never, or after each has ended in good order.
    """

    alive: bool
    seen_at: datetime | None


# Hand-offs ----------------------------------------------------------------------------------------------------------


async def list_handoffs(
    conn: AsyncConnection,
    tenant: str,
    *,
    ended: bool = False,
    connection: str | None = None,
    limit: int = 50,
) -> list[HandoffFacts]:
    """Return open hand-offs, the newest first.

    :param ended: behind them those that have ended, the latest first.
    :param connection: key of one connection.
    """
    h = handoffs.c
    mine: list[sa.ColumnElement[bool]] = [h.tenant == tenant]
    if connection is not None:
        mine.append(h.connection == connection)
    query = sa.select(handoffs).where(*mine, _OPEN_HANDOFF).order_by(h.started_at.desc(), h.id).limit(limit)
    rows = list((await conn.execute(query)).all())
    if ended and len(rows) < limit:
        query = (
            sa.select(handoffs)
            .where(*mine, h.ended_at.is_not(None))
            .order_by(h.ended_at.desc(), h.id)
            .limit(limit - len(rows))
        )
        rows += (await conn.execute(query)).all()
    return [_facts(row) for row in rows]


async def get_handoff(conn: AsyncConnection, tenant: str, name: str) -> HandoffFacts | None:
    """Return a hand-off by its id, or the latest one of a conversation by the conversation's."""
    c, h = conversations.c, handoffs.c
    row = (await conn.execute(sa.select(handoffs).where(h.tenant == tenant, h.id == name))).one_or_none()
    if row is None:
        query = (
            sa.select(handoffs)
            .join(conversations, sa.and_(c.tenant == h.tenant, c.handoff_id == h.id))
            .where(c.tenant == tenant, c.id == name)
        )
        row = (await conn.execute(query)).one_or_none()
    return None if row is None else _facts(row)


def _facts(row: Any) -> HandoffFacts:
    # Not by the model: a newer version's record is to be shown as well.
    record = json.loads(row.record)
    return HandoffFacts(
        id=row.id,
        conversation_id=row.conversation_id,
        connection=row.connection,
        phase=row.phase,
        owner=str(record.get("owner") or ""),
        session_id=row.session_id,
        url=_at(record, "session", "url"),
        agent_id=_at(record, "agent", "id"),
        started_at=row.started_at,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
        failed=_at(record, "failed"),
        timers=dict(record.get("timers") or {}),
    )


# What happened ------------------------------------------------------------------------------------------------------


async def happenings(
    conn: AsyncConnection,
    tenant: str,
    *,
    handoff_id: str | None = None,
    conversation_id: str | None = None,
    limit: int = 1000,
    words: bool = False,
) -> list[Happening]:
    """Return the last things that happened, oldest first.

    :param handoff_id: to one hand-off.
    :param conversation_id: or to all of a conversation; left out both, to all of the tenant.
    :param words: with what was said.
    """
    i, o = inputs.c, outbox.c
    of_inputs: list[sa.ColumnElement[bool]] = []
    of_outbox: list[sa.ColumnElement[bool]] = []
    found: list[Happening] = []
    if handoff_id is not None:
        of_inputs, of_outbox = [i.handoff_id == handoff_id], [o.handoff_id == handoff_id]
    elif conversation_id is not None:
        h = handoffs.c
        known = sa.select(h.id).where(h.tenant == tenant, h.conversation_id == conversation_id)
        ids = list((await conn.execute(known)).scalars())
        of_inputs, of_outbox = [i.handoff_id.in_(ids)], [o.handoff_id.in_(ids)]
        waiting = sa.select(inputs).where(
            i.tenant == tenant, i.conversation_id == conversation_id, _OPEN_INPUT, i.handoff_id.is_(None)
        )
        found += [_taken(row, words) for row in await conn.execute(waiting.order_by(i.position).limit(limit))]
    taken = sa.select(inputs).where(i.tenant == tenant, *of_inputs).order_by(i.position.desc()).limit(limit)
    decided = sa.select(outbox).where(o.tenant == tenant, *of_outbox).order_by(o.position.desc()).limit(limit)
    found += [_taken(row, words) for row in await conn.execute(taken)]
    found += [_decided(row, words) for row in await conn.execute(decided)]
    # What was decided comes after what it was decided for, at one and the same moment.
    found.sort(key=lambda one: (one.at, one.source == "effect", one.position))
    return found[-limit:]


def _taken(row: Any, words: bool) -> Happening:
    payload = json.loads(row.payload)
    speaker, message = None, None
    if row.kind == "user_message":
        speaker, message = "customer", _at(payload, "message")
    elif row.kind == "agent_event" and (message := _at(payload, "event", "message")) is not None:
        speaker = "agent"
    return Happening(
        source="input",
        position=row.position,
        at=row.accepted_at,
        conversation_id=row.conversation_id,
        handoff_id=row.handoff_id,
        kind=row.kind,
        about=_about(row.kind, payload),
        key=row.key,
        state=_INPUT_STATES.get(row.state, str(row.state)),
        settled_at=row.done_at,
        told=row.outcome,
        attempts=0,
        speaker=speaker,
        words=_words(message) if words else None,
    )


def _decided(row: Any, words: bool) -> Happening:
    payload = json.loads(row.payload)
    # An agent's message was said when it was taken in; only the bridge's own texts are said here.
    own = row.kind == "tell_customer" and _at(payload, "sender", "role") == "system"
    told = ": ".join(part for part in (row.failure, row.detail) if part)
    if row.merged_into:
        told = f"with {row.merged_into}{'; ' if told else ''}{told}"
    return Happening(
        source="effect",
        position=row.position,
        at=row.created_at,
        conversation_id=row.conversation_id,
        handoff_id=row.handoff_id,
        kind=row.kind,
        about=_about(row.kind, payload),
        key=row.key,
        state=_EFFECT_STATES.get(row.state, str(row.state)),
        settled_at=row.done_at,
        told=told or None,
        attempts=row.attempts,
        speaker="system" if own else None,
        words=_words(_at(payload, "message")) if own and words else None,
    )


def _about(kind: str, payload: Any) -> str | None:
    path = _ABOUT.get(kind)
    return _at(payload, *path) if path else None


def _words(message: Any) -> str | None:
    if not isinstance(message, dict):
        return None
    try:
        return "\n".join(message_lines(parse_message(message)))
    except ValidationError:
        return "(a message of a form this version does not know)"


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


# Who works ----------------------------------------------------------------------------------------------------------


async def working(store: Store, conn: AsyncConnection) -> Working:
    """Say whether a server works on the database; one that was killed a moment ago is taken for alive."""
    seen_at: datetime | None = (
        await conn.execute(sa.select(sa.func.max(workers.c.seen_at, type_=workers.c.seen_at.type)))
    ).scalar_one()
    alive = seen_at is not None and await store.now(conn) - seen_at <= _ALIVE
    return Working(alive, seen_at)


async def input_outcome(conn: AsyncConnection, tenant: str, key: str) -> str | None:
    """Return what became of an input; ``None`` while it is open."""
    i = inputs.c
    query = sa.select(i.outcome).where(i.tenant == tenant, i.key == key, i.state != InputState.OPEN.value)
    row = (await conn.execute(query)).one_or_none()
    return None if row is None else str(row.outcome or "")


async def want_readings(
    conn: AsyncConnection, tenant: str, at: datetime, *, connection: str | None = None
) -> dict[str, int]:
    """Ask for every session with an open hand-off to be read (behaviour F13).

    :param connection: key of one connection.
    :returns: how many there are of each connection.
    """
    n = links.c
    mine: list[sa.ColumnElement[bool]] = [n.tenant == tenant]
    if connection is not None:
        mine.append(n.connection == connection)
    earliest = sa.case((n.wanted_at <= at, n.wanted_at), else_=at)
    await conn.execute(links.update().where(*mine, _OPEN_LINK).values(wanted_at=earliest))
    counted = sa.select(n.connection, sa.func.count()).where(*mine, _OPEN_LINK).group_by(n.connection)
    return {row[0]: row[1] for row in await conn.execute(counted.order_by(n.connection))}


async def schema_revision(conn: AsyncConnection) -> str | None:
    """Return the name of the schema the database is at; ``None`` for one without."""
    from alembic.runtime.migration import MigrationContext  # it takes its time

    from hitl_core.bridge.store.migrate import VERSION_TABLE

    def look(connection: sa.Connection) -> str | None:
        return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()

    return await conn.run_sync(look)
