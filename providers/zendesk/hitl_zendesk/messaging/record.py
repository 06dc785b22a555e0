"""The vendor's record: pages of messages, read backwards, and who has control of a conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, NamedTuple

import hitl_core as hitl
from hitl_zendesk.messaging.api import SunshineApi
from hitl_zendesk.messaging.events import Reader
from hitl_zendesk.messaging.incoming import moment

__all__ = ["Cursor", "has_control", "newest_first", "read_page"]

_WORKSPACE: Final = "zd:agentWorkspace"


class Cursor(NamedTuple):
    """How far a conversation was read, and who had it there.

    :param message: id of the last message that was read.
    :param agent: id of the agent who wrote last.
    :param at: when that message was written, in ISO 8601; what is older is not read again, even if it was deleted.
    """

    message: str | None = None
    agent: str | None = None
    at: str | None = None

    @classmethod
    def read(cls, text: str | None) -> Cursor:
        """Read what :meth:`written` gave."""
        message, _, more = (text or "").partition(" ")
        agent, _, at = more.partition(" ")
        return cls(message or None, agent or None, at or None)

    def written(self) -> str | None:
        """Return it as a text; ``None`` when there is nothing to tell."""
        return f"{self.message or ''} {self.agent or ''} {self.at or ''}".rstrip() or None

    def is_behind(self, message: Mapping[str, Any]) -> bool:
        """Whether a message was read already."""
        if self.message is None:
            return False
        mine, theirs = moment(self.at), moment(message.get("received"))
        return message.get("id") == self.message or (mine is not None and theirs is not None and theirs < mine)


def has_control(conversation: Mapping[str, Any], integration: str, *, pending: bool = False) -> bool:
    """Whether an integration of the switchboard, by name, id or kind, has a conversation.

    :param pending: whether it is offered control instead.
    """
    found = conversation.get("pendingSwitchboardIntegration" if pending else "activeSwitchboardIntegration")
    if not isinstance(found, dict):
        return False
    if integration in {found.get("name"), found.get("id"), found.get("integrationId")}:
        return True
    return integration == "zd-agentWorkspace" and found.get("integrationType") == _WORKSPACE


async def newest_first(
    api: SunshineApi, operation: str, conversation: str, *, pages: int
) -> AsyncIterator[Mapping[str, Any] | None]:
    """Give a conversation's messages, the newest first; ``None`` at the end when older ones were not read.

    :param pages: how many pages of a hundred to read at most.
    """
    before: str | None = None
    for _ in range(pages):
        messages, before = await api.messages(operation, conversation, before)
        for message in reversed(messages):
            yield message
        if before is None:
            return
    yield None


async def read_page(
    api: SunshineApi, reader: Reader, request: hitl.ListEvents, *, pages: int
) -> tuple[tuple[hitl.Event, ...], Cursor, bool, bool]:
    """Read what follows a cursor: the events, the next cursor, whether there is more, and whether some is missing."""
    session_id = request.session.id
    place = Cursor.read(request.cursor)
    new: list[Mapping[str, Any]] = []
    gap = False
    async for message in newest_first(api, "list_events", session_id, pages=pages):
        if message is None:
            gap = True
            break
        if place.is_behind(message):
            break
        new.append(message)
    events: list[hitl.Event] = []
    taken = 0
    for message in reversed(new):
        if taken and len(events) >= request.limit:
            break
        found = reader.listed(message, session_id, own=request.own_message_ids, agent_id=place.agent)
        events += found
        taken += 1
        agents = [event.agent.id for event in found if isinstance(event, hitl.AgentMessage) and event.agent]
        at = moment(message.get("received"))
        place = Cursor(
            str(message.get("id")), agents[-1] if agents else place.agent, at.isoformat() if at else place.at
        )
    return tuple(events), place, taken < len(new), gap
