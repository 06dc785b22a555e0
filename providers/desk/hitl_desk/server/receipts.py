"""Which of the agents' messages have reached their bot, told to open inboxes as it happens."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hitl_core.eventlog import Event, EventLog, Sender, SendResult
from hitl_desk.server.unit import INBOX

__all__ = ["Receipts"]

_MOST: Final = 10_000


class Receipts:
    """Messages handed to their bots lately, by whichever way; ``message_id in receipts``.

    What it forgets the database knows: the delivery log of webhooks, and how far each bot has pulled.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._messages: OrderedDict[str, None] = OrderedDict()
        self._reached: dict[str, int] = {}

    def __contains__(self, message_id: object) -> bool:
        return message_id in self._messages

    def reached(self, bot_id: str) -> int | None:
        """Return the position a bot was handed its events up to, as far as this process knows."""
        return self._reached.get(bot_id)

    def handed(self, bot_id: str, events: Iterable[Event], *, whole: bool) -> None:
        """Note events a bot was handed by pull or stream.

        :param whole: nothing before them was held back by a filter.
        """
        for event in events:
            if whole:
                self._reached[bot_id] = max(event.position, self._reached.get(bot_id, 0))
            if event.type == "message.created":
                self._note(event.subject, event.data)

    def noting(self, sender: Sender) -> Sender:
        """Wrap a sender so that what it delivers is noted."""
        return _NotingSender(sender, self)

    def posted(self, body: bytes) -> None:
        """Note an event that was delivered by webhook."""
        event = json.loads(body)
        if event["type"] == "message.created":
            self._note(event["subject"], event["data"])

    def _note(self, ticket_id: str | None, data: Mapping[str, Any]) -> None:
        message_id = data["message"]["id"]
        if message_id in self._messages:
            return
        self._messages[message_id] = None
        if len(self._messages) > _MOST:
            self._messages.popitem(last=False)
        # Like the stored event of a message, so that the inbox shows it again; only its delivery has changed.
        self._log.publish_transient(INBOX, "message", {"data": {"ticket_id": ticket_id, "message_id": message_id}})


class _NotingSender:
    def __init__(self, sender: Sender, receipts: Receipts) -> None:
        self._sender = sender
        self._receipts = receipts

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        content: bytes,
        timeout: float,  # noqa: ASYNC109  the protocol's parameter
    ) -> SendResult:
        result = await self._sender.post(url, headers, content, timeout)
        if result.status is not None and 200 <= result.status < 300:
            self._receipts.posted(content)
        return result
