"""The bridge: hands conversations over and back, and survives whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from hitl_core.bridge.asking import age_of, id_of
from hitl_core.bridge.bot_side import BotSide
from hitl_core.bridge.host import Receipt
from hitl_core.bridge.store.retention import Retention
from hitl_core.calls import AttachmentStream
from hitl_core.messages import AttachmentRef

__all__ = ["Bridge"]


class Bridge(BotSide):
    """Keeps a bot's conversations and a helpdesk's sessions in step.

    Use it with ``async with``, inside that of its connections::

        async with hitl.connect("desk", ...) as desk, Bridge(desk, host, "sqlite:///hitl.db") as bridge:
            await bridge.start_hitl("conv-42", user, "Refund", history=history)

    Whatever a method has taken in is on disk when it returns. What is to be done about it is done afterwards, by this
    process or, on PostgreSQL, by any that runs a bridge on the same database.

    :param connections: open connections, alone or by the name they are called here; all of one tenant.
    :param host: the bot's side; must not close the bridge from within a call.
    :param store: where hand-offs are kept, or its URL.
    :param policy: texts and choices, or their fields by name; each start may lay its own over them.
    :param routing: which connections a start tries; without a rule that fits, all of them in the order given.
    :param tenant: whose conversations these are; connections are of the same tenant.
    :param work: ``False`` only takes in and answers: another process does the work.
    :param drive: ``False`` leaves it to :meth:`settle` to do anything at all, for tests that decide when time passes.
    :param reconcile_seconds: how often open sessions are read, for deliveries that were lost; ``None`` for never.
    :param poll_seconds: how often to ask whether another process has written anything, which is cheap; everything is
        looked at when one has, and every half minute.
    :param lease_seconds: after how long a worker that was not heard of is taken for dead; PostgreSQL only.
    :param start_patience: seconds a start is tried for before the next connection is tried, or the customer is told.
    :param concurrency: attempts at a time, for each connection and for the host.
    :raises ConfigurationError: no connection, or one of another tenant; or anything else that cannot work.
    """

    # The helpdesk's side --------------------------------------------------------------------------------------

    async def receive_webhook(
        self,
        connection: str,
        *,
        headers: Mapping[str, str] | Iterable[tuple[str, str]],
        body: bytes,
        method: str = "POST",
        path: str = "/",
        query: Mapping[str, str] | None = None,
    ) -> Receipt:
        """Prove and keep a delivery, and say what to answer; the work is done afterwards (behaviour F21).

        :param connection: name or key of the connection.
        :param body: the raw bytes as received.
        """
        self._driver.require_open()
        key = self._connection(connection).key
        return await self._intake.receive(key, headers=headers, body=body, method=method, path=path, query=query)

    async def reconcile(self) -> None:
        """Read all open sessions: what was lost on the way is found in the vendor's record (behaviour F13)."""
        self._driver.require_open()
        await self._lookups.want_all(self.store.clock.now())
        self._intake.wake()
        await self._driver.settle_if_undriven()

    async def open_attachment(
        self, connection: str, ref: AttachmentRef, *, max_bytes: int = 25 * 1024 * 1024
    ) -> AttachmentStream:
        """Open a file the helpdesk holds; close the stream when done.

        :param connection: name or key of the connection; see :attr:`Handoff.connection`.
        """
        return await self._connection(connection).open_attachment(ref, max_bytes=max_bytes)

    # What is kept ---------------------------------------------------------------------------------------------

    async def purge(self, older_than: timedelta) -> Mapping[str, int]:
        """Let go of hand-offs that ended longer ago than this, with everything of theirs; call it once a day.

        Open work is never touched, and nobody who writes is kept waiting for long.

        :returns: how many rows of each table are gone.
        :raises InvalidRequestError: ``older_than`` is no such time, or in the future.
        """
        self._driver.require_open()
        age = age_of("older_than", older_than, self.store.clock.now())
        return await Retention(self.store, self.tenant).purge(age)

    async def erase_customer(self, user_key: str, *, force: bool = False) -> Mapping[str, int]:
        """Forget a customer: all that was said in their hand-offs, and what links them to a helpdesk.

        :param user_key: the ``external_id`` the bot knows them by.
        :param force: also while a hand-off of theirs is open, which is then cut off.
        :returns: how many rows of each table are gone.
        :raises InvalidRequestError: ``user_key`` is no id.
        :raises StoreError: a hand-off of theirs is open, or the database is lost.
        """
        self._driver.require_open()
        known_by = id_of("user_key", user_key, "the bot knows the customer by")
        return await Retention(self.store, self.tenant).erase_customer(known_by, force=force)
