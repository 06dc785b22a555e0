"""From the helpdesk: webhook deliveries, and reading sessions where a delivery was lost or says too little."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from hitl_core.bridge.desk_side import DeadLetter
from hitl_core.bridge.host import Receipt
from hitl_core.bridge.inputs import Failure
from hitl_core.bridge.lanes import Tasks
from hitl_core.bridge.links import Link, Links
from hitl_core.bridge.writing import classify, describe
from hitl_core.calls import SessionState
from hitl_core.clock import Clock
from hitl_core.connection import Connection
from hitl_core.errors import HitlError, NotFoundError, WebhookVerificationError
from hitl_core.events import AnyEvent, Ignored, SessionChanged, SessionEvent, SessionStopped, StopReason
from hitl_core.webhooks import WebhookDelivery, WebhookReply

__all__ = ["Intake"]

logger = logging.getLogger(__name__)

_REMEMBERED: Final = 10_000
_WAITING_AT_MOST: Final = 10_000
_ATTEMPTS: Final = 5


class Intake:
    """One connection's way in.

    :param take: takes an event of one of our sessions.
    :param compare: takes a session's state, as read.
    :param starting: whether a start is under way on this connection, so that an unknown session may be ours soon.
    :param dead: takes deliveries that cannot be read.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        clock: Clock,
        links: Links,
        tasks: Tasks,
        take: Callable[[Link, AnyEvent], None],
        compare: Callable[[Link, SessionState], None],
        starting: Callable[[], bool],
        dead: Callable[[DeadLetter], None],
    ) -> None:
        self.connection = connection
        self._clock = clock
        self._links = links
        self._tasks = tasks
        self._take = take
        self._compare = compare
        self._starting = starting
        self._dead = dead
        self._queue: deque[WebhookDelivery] = deque()
        self._parked: deque[WebhookDelivery] = deque()
        self._remembered: OrderedDict[str, None] = OrderedDict()
        self._running = False

    # Deliveries -----------------------------------------------------------------------------------------------

    def receive(
        self,
        *,
        headers: Mapping[str, str] | Iterable[tuple[str, str]],
        body: bytes,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
    ) -> Receipt:
        """Prove and remember a delivery, and say what to answer; the work is done afterwards."""
        if method.upper() in self.connection.info.intake.probe_methods:
            return Receipt(accepted=False, reply=WebhookReply())
        try:
            delivery = self.connection.verify_webhook(headers=headers, body=body, method=method, path=path, query=query)
        except WebhookVerificationError as error:
            logger.warning("a webhook was refused: %s", error)
            return Receipt(accepted=False, reply=WebhookReply(status=401))
        if delivery.id not in self._remembered:
            if len(self._queue) + len(self._parked) >= _WAITING_AT_MOST:
                return Receipt(accepted=False, reply=self._busy())
            self._remember(delivery.id)
            self._queue.append(delivery)
            self._wake()
        return Receipt(accepted=True, reply=delivery.reply or WebhookReply())

    def _busy(self) -> WebhookReply:
        intake = self.connection.info.intake
        headers = {} if intake.busy_retry_after is None else {"retry-after": str(intake.busy_retry_after)}
        return WebhookReply(status=intake.busy_status, headers=headers)

    def _remember(self, delivery_id: str) -> None:
        self._remembered[delivery_id] = None
        while len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)

    def _wake(self) -> None:
        if not self._running and self._queue:
            self._running = True
            self._tasks.work(self._work())

    def release(self) -> None:
        """Look at parked deliveries again, before anything newer: a start has come to an end."""
        self._queue.extendleft(reversed(self._parked))
        self._parked.clear()
        self._wake()

    async def _work(self) -> None:
        try:
            while self._queue:
                delivery = self._queue.popleft()
                known = self._links.known(self.connection.key, delivery.session_ids)
                if len(known) < len(set(delivery.session_ids)) and self._starting():
                    self._parked.append(delivery)
                else:
                    await self._read(delivery)
        finally:
            self._running = False

    async def _read(self, delivery: WebhookDelivery) -> None:
        failed: Exception | None = None
        for attempt in range(_ATTEMPTS):
            # Asked each time: a session may have become ours while we waited.
            known = self._links.known(self.connection.key, delivery.session_ids)
            try:
                parsed = await self.connection.parse_delivery(delivery, known)
            except Exception as error:  # noqa: BLE001 - a provider is somebody else's code; its class decides
                failed = error
                if classify(error) is not Failure.UNAVAILABLE:
                    break
                await self._clock.sleep(2.0**attempt)
            else:
                for session_id, cursor in parsed.cursors.items():
                    if session_id in known and (link := self._links.get(known[session_id].session.ref)):
                        link.cursor = cursor
                self.take_all(parsed.events)
                return
        assert failed is not None  # noqa: S101 - the loop ends in no other way; this tells the type checker
        # Forgotten, so that the vendor may deliver it again.
        self._remembered.pop(delivery.id, None)
        detail = describe(failed)
        logger.error("delivery %s could not be read: %s", delivery.id, detail)
        self._dead(DeadLetter(None, "delivery", delivery.id, classify(failed), detail))

    def take_all(self, events: Iterable[AnyEvent]) -> None:
        """Pass events on to the hand-offs they belong to; what is not for a hand-off goes no further."""
        for event in events:
            if isinstance(event, Ignored):
                logger.debug("event %s is ignored: %s", event.event_id, event.reason)
                continue
            link = self._links.get(event.session) if isinstance(event, SessionEvent) else None
            if link is None or not isinstance(event, SessionEvent):
                logger.debug("event %s (%s) concerns no hand-off", event.event_id, event.kind)
            elif isinstance(event, SessionChanged):
                self.pull(link)
            else:
                link.facts += 1
                self._take(link, event)

    # Reading --------------------------------------------------------------------------------------------------

    def pull(self, link: Link) -> None:
        """Read a session in the background; several wishes at once are served by one read."""
        if not self.connection.capabilities.pull:
            return
        if link.reading:
            link.read_again = True
        else:
            self._tasks.work(self.read(link))

    async def read(self, link: Link) -> None:
        """Read what is new in a session, and compare its state with ours."""
        link.read_again = True
        if link.reading:
            return
        link.reading = True
        try:
            while link.read_again:
                link.read_again = False
                await self._read_session(link)
        finally:
            link.reading = False

    async def _read_session(self, link: Link) -> None:
        try:
            while await self._read_page(link):
                pass
        except NotFoundError:
            event_id = f"state:{link.session.id}:gone:{link.facts}"
            gone = SessionStopped(event_id=event_id, session=link.session.ref, reason=StopReason.DELETED)
            self.take_all([gone])
        except HitlError as error:
            logger.info("session %s could not be read now: %s", link.session.id, describe(error))

    async def _read_page(self, link: Link) -> bool:
        facts, cursor = link.facts, link.cursor
        page = await self.connection.list_events(
            link.session, cursor=cursor, own_message_ids=frozenset(link.own_message_ids)
        )
        overtaken = link.facts != facts
        if page.gap:
            logger.warning("session %s: the helpdesk no longer shows all that was said", link.session.id)
        self.take_all(page.events)
        if link.cursor == cursor and page.cursor is not None:
            link.cursor = page.cursor
        if page.more:
            return page.cursor != cursor
        if page.state is not None and not overtaken:
            self._compare(link, page.state)
        return False
