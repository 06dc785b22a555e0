"""Adding one message to a session."""

from __future__ import annotations

from datetime import datetime

from hitl_core.bridge.engine.jobs.writes import Write
from hitl_core.bridge.engine.progress import Directory
from hitl_core.calls import Finding, Found, SendMessage, SentMessage
from hitl_core.connection import Connection

__all__ = ["PartWrite"]


class PartWrite(Write[SentMessage]):
    """One part of a message, of a history, or a last text."""

    in_session = True

    def __init__(self, connection: Connection, directory: Directory, part: SendMessage, *, patience: float) -> None:
        super().__init__(connection, patience=patience, holds=True)
        self._directory = directory
        self._part = part

    @property
    def findable(self) -> bool:
        """Whether the helpdesk can be searched for it."""
        return self.connection.capabilities.find_message

    @property
    def keyed(self) -> bool:
        """Whether the helpdesk honours its key."""
        return "send_message" in self.connection.capabilities.idempotent

    async def attempt(self) -> SentMessage:
        """Send it."""
        return await self.connection.execute(self._part)

    async def find(self, sent_after: datetime) -> Finding:
        """Look for it among the messages that are not accounted for."""
        known = await self._directory.own_message_ids(self._part.session.ref)
        return await self.connection.find_message(self._part, sent_after=sent_after, known_ids=known)

    def found(self, finding: Found) -> SentMessage | None:
        """Read it out of what was found."""
        return finding.sent
