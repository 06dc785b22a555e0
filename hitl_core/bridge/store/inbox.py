"""Taking in: what was accepted is on disk before anybody hears that it was.

Accepting never touches a hand-off's row, nor waits for whoever works on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.handoff.inputs import AnyInput
from hitl_core.bridge.store.among import among
from hitl_core.bridge.store.base import RefusedError, Store
from hitl_core.bridge.store.grouping import Grouped
from hitl_core.bridge.store.tables import DeliveryState, InputState, conversations, deliveries, inputs
from hitl_core.errors import InvalidRequestError
from hitl_core.webhooks import WebhookDelivery

__all__ = ["Inbox", "input_row"]

_BOT: Final = "bot"


@dataclass(frozen=True, slots=True)
class _Input:
    """An input to be accepted.

    :param begins: it may be the first that is ever heard of the conversation.
    :param while_open: it is only wanted while the bot does not have the conversation.
    """

    row: dict[str, Any]
    begins: bool
    while_open: bool


@dataclass(frozen=True, slots=True)
class _Delivery:
    row: dict[str, Any]


_Job = _Input | _Delivery


def input_row(tenant: str, conversation_id: str, key: str, input: AnyInput, at: datetime) -> dict[str, Any]:
    """Return the row an input is kept as."""
    return {
        "tenant": tenant,
        "conversation_id": conversation_id,
        "key": key,
        "kind": input.kind,
        "handoff_id": None,
        "state": InputState.OPEN.value,
        "outcome": None,
        "accepted_at": at,
        "done_at": None,
        "payload": input.model_dump_json(),
    }


class Inbox:
    """The way in of one tenant, for all tasks of a process."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant
        c, i = conversations.c, inputs.c
        self._handed_over = sa.select(c.id).where(c.tenant == tenant, among(store, c.id, "b_ids"), c.speaker != _BOT)
        self._taken_in = sa.select(i.key).where(i.tenant == tenant, among(store, i.key, "b_keys"))
        self._new_inputs = store.insert(inputs).on_conflict_do_nothing()
        self._new_deliveries = store.insert(deliveries).on_conflict_do_nothing()
        self._group: Grouped[_Job, bool] = Grouped(self._commit, alone=_is_ones_own_fault)

    async def deliver(self, connection: str, delivery: WebhookDelivery) -> None:
        """Keep a delivery; one that is kept already is fine."""
        row = {
            "tenant": self._tenant,
            "connection": connection,
            "id": delivery.id,
            "state": DeliveryState.OPEN.value,
            "attempts": 0,
            "not_before": None,
            "received_at": delivery.received_at or self._store.clock.now(),
            "done_at": None,
            "detail": None,
            "payload": delivery.model_dump_json(),
        }
        await self._group.do(_Delivery(row))

    async def accept(self, conversation_id: str, key: str, input: AnyInput, *, begins: bool = False) -> None:
        """Keep an input; one that is kept already, by its key, is fine.

        :param key: unique in the tenant.
        :param begins: it may be the first that is ever heard of the conversation.
        :raises InvalidRequestError: there is text in it that is no text.
        """
        row = self._row(conversation_id, key, input)
        await self._group.do(_Input(row, begins, while_open=False))

    async def accept_while_open(self, conversation_id: str, key: str, input: AnyInput) -> bool:
        """Keep an input if the bot does not have the conversation.

        :returns: whether it was kept, now or before.
        :raises InvalidRequestError: as :meth:`accept`.
        """
        row = self._row(conversation_id, key, input)
        return await self._group.do(_Input(row, begins=False, while_open=True))

    def _row(self, conversation_id: str, key: str, input: AnyInput) -> dict[str, Any]:
        try:
            return input_row(self._tenant, conversation_id, key, input, self._store.clock.now())
        except ValueError:  # pydantic's own error would quote it
            msg = "there is text in it that is no text, such as half of a surrogate pair; hand in what is whole"
            raise InvalidRequestError(msg) from None

    async def drain(self) -> None:
        """Return once nothing is being accepted."""
        await self._group.drain()

    async def _commit(self, jobs: list[_Job]) -> list[bool]:
        delivered = [job.row for job in jobs if isinstance(job, _Delivery)]
        given = [job for job in jobs if isinstance(job, _Input)]
        asking = [job for job in given if job.while_open]
        async with self._store.write() as conn:
            if delivered:
                await conn.execute(self._new_deliveries, delivered)
            owned, known = await self._look(conn, asking) if asking else (set(), set())
            beginnings = {job.row["conversation_id"] for job in given if job.begins}
            if beginnings:
                await conn.execute(
                    self._store.insert(conversations).on_conflict_do_nothing(),
                    [
                        {"tenant": self._tenant, "id": id_, "handoff_id": None, "speaker": _BOT, "fence": 0}
                        for id_ in sorted(beginnings)
                    ],
                )
            rows = [job.row for job in given if not job.while_open or job.row["conversation_id"] in owned]
            if rows:
                await conn.execute(self._new_inputs, rows)
        return [
            not isinstance(job, _Input)
            or not job.while_open
            or job.row["conversation_id"] in owned
            or job.row["key"] in known
            for job in jobs
        ]

    async def _look(self, conn: AsyncConnection, asking: list[_Input]) -> tuple[set[str], set[str]]:
        """Say which conversations the bot does not have, and which inputs for the others were taken in before."""
        ids = {job.row["conversation_id"] for job in asking}
        owned = set((await conn.execute(self._handed_over, {"b_ids": ids})).scalars())
        keys = {job.row["key"] for job in asking if job.row["conversation_id"] not in owned}
        if not keys:
            return owned, set()
        return owned, set((await conn.execute(self._taken_in, {"b_keys": keys})).scalars())


def _is_ones_own_fault(error: Exception) -> bool:
    """Whether an error is about one of the rows rather than about the database."""
    return isinstance(error, RefusedError | StatementError | ValueError)
