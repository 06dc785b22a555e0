"""One unit of work: a transaction with the events it tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.eventlog import EventLog
from hitl_desk.server import tables

__all__ = ["INBOX", "Unit"]

INBOX: Final = "inbox"
"""The stream of everything agents see. Its events name what changed; the words stay in their own tables."""


@dataclass(frozen=True, slots=True)
class _Fact:
    stream: str
    type: str
    subject: str
    data: Mapping[str, Any]
    message_id: str | None = None


class Unit:
    """A write transaction. Facts told to it are appended to the event log just before it commits.

    Appending takes the counters of the streams, and bots' streams sort before the inbox: so every transaction takes
    them in one order, holds them shortly, and none waits for another in a circle.

    :param now: one time for everything in it.
    """

    def __init__(self, conn: AsyncConnection, log: EventLog, now: datetime) -> None:
        self.conn = conn
        self.now = now
        self._log = log
        self._for_bots: list[_Fact] = []
        self._for_inbox: dict[str, _Fact] = {}

    def tell_bot(
        self, bot_id: str, type: str, ticket_id: str, data: Mapping[str, Any], *, message_id: str | None = None
    ) -> None:
        """Tell a bot something, in the order told.

        :param message_id: the message the event hands over; the event's id is noted on it.
        """
        self._for_bots.append(_Fact(bot_id, type, ticket_id, data, message_id))

    def tell_inbox(self, ticket_id: str, message_id: str | None = None) -> None:
        """Tell agents that a ticket is new or changed, and with it a message, when one is named."""
        if message_id is None:
            self._for_inbox.setdefault(ticket_id, _Fact(INBOX, "ticket", ticket_id, {"ticket_id": ticket_id}))
            return
        data = {"ticket_id": ticket_id, "message_id": message_id}
        self._for_inbox[message_id] = _Fact(INBOX, "message", ticket_id, data)

    async def finish(self) -> frozenset[str]:
        """Append what was told; return the streams to notify after the commit."""
        # A message tells of its ticket as well.
        told = {fact.subject for fact in self._for_inbox.values() if fact.type == "message"}
        inbox = [fact for fact in self._for_inbox.values() if fact.type == "message" or fact.subject not in told]
        facts = [*sorted(self._for_bots, key=lambda fact: fact.stream), *inbox]
        for fact in facts:
            event = await self._log.append(
                self.conn, stream=fact.stream, type=fact.type, subject=fact.subject, data=fact.data
            )
            if fact.message_id is not None:
                await self.conn.execute(
                    sa.update(tables.messages)
                    .where(tables.messages.c.id == fact.message_id)
                    .values(event_id=event.id, event_position=event.position)
                )
        return frozenset(fact.stream for fact in facts)
