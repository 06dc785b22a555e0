"""The calls every provider answers, each ready to go wrong: four that write, and those that read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from hitl_core.connection import Connection
from hitl_core.errors import HitlError
from hitl_core.people import Author, ExternalUser
from hitl_core.sessions import HitlSession
from hitl_core.testing.conformance.attempts import outcome
from hitl_core.testing.conformance.room import Room

__all__ = ["Arm", "Operation", "Operations", "nothing"]

Arm: TypeAlias = Callable[[], object]
"""Called just before the request that is to go wrong, such as ``lambda: room.wire.cut(…)``."""

Operation: TypeAlias = Callable[[Arm], Awaitable[Any]]
"""Makes one call that is new each time, and gives its result or the error it raised; mends the wire afterwards."""


def nothing() -> None:
    """Let nothing go wrong."""


class Operations:
    """Calls of one room. Whoever the bot is has been asked before, so that each call makes its own requests only.

    :ivar session: the session that messages go to and that is read.
    """

    def __init__(self, room: Room, user: ExternalUser, session: HitlSession) -> None:
        self._room = room
        self._user = user
        self._count = 0
        self._doomed: HitlSession | None = None
        self._fresh: Connection | None = None
        self.session = session

    @classmethod
    async def of(cls, room: Room) -> Operations:
        """Open a session to work on."""
        await room.connection.identify()
        return cls(room, await room.user(), await room.session())

    @property
    def writes(self) -> Mapping[str, Operation]:
        """What changes something, by hook."""
        return {
            "create_user": self.create_user,
            "start_hitl": self.start_hitl,
            "send_message": self.send_message,
            "stop_hitl": self.stop_hitl,
        }

    @property
    def reads(self) -> Mapping[str, Operation]:
        """What only looks, by hook."""
        reads: dict[str, Operation] = {"identify": self.identify}
        if self._room.capabilities.pull:
            reads["list_events"] = self.list_events
        return reads

    @property
    def all(self) -> Mapping[str, Operation]:
        """All of them, by hook."""
        return {**self.writes, **self.reads}

    @property
    def text(self) -> str:
        """The words of the message that was sent last."""
        return f"kit-message-{self._count} of the operations"

    async def create_user(self, arm: Arm) -> Any:
        """Create another customer."""
        return await self._armed(arm, lambda: self._room.user(self._next()))

    async def start_hitl(self, arm: Arm) -> Any:
        """Open another session of the customer."""
        plan = await self._room.plan(external_id=f"kit-{self._room.name}{self._next()}", description="kit-description")
        return await self._armed(arm, lambda: self._room.connection.begin(plan))

    async def send_message(self, arm: Arm) -> Any:
        """Send another message of the customer's to the session."""
        self._next()
        room = self._room
        (part,) = room.connection.plan_message(
            self.session, self.text, author=Author.user(self._user), idempotency_key=room.key()
        )
        return await self._armed(arm, lambda: room.execute(part))

    async def stop_hitl(self, arm: Arm) -> Any:
        """End a session of its own."""
        self._doomed = session = self._doomed or await self._room.session()
        _, request = self._room.connection.plan_stop(session, idempotency_key=self._room.key())
        ended = await self._armed(arm, lambda: self._room.connection.finish(request))
        self._doomed = session if isinstance(ended, HitlError) else None
        return ended

    async def identify(self, arm: Arm) -> Any:
        """Ask who we are, as an instance that has not asked yet."""
        self._fresh = fresh = self._fresh or await self._room.another()
        ended = await self._armed(arm, fresh.identify)
        self._fresh = fresh if isinstance(ended, HitlError) else None
        return ended

    async def list_events(self, arm: Arm) -> Any:
        """Read the session."""
        return await self._armed(arm, lambda: self._room.connection.list_events(self.session))

    def _next(self) -> str:
        self._count += 1
        return f"-{self._count}"

    async def _armed(self, arm: Arm, call: Callable[[], Awaitable[Any]]) -> Any:
        arm()
        try:
            return await outcome(call())
        finally:
            self._room.wire.mend()
