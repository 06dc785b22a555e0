"""The calls every provider answers, each ready to go wrong: four that write, and those that read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

from hitl_core.connection import Connection
from hitl_core.people import Author, ExternalUser
from hitl_core.sessions import HitlSession
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.tools.attempts import outcome

__all__ = ["ALL_HOOKS", "Arm", "Call", "Operations"]

Arm: TypeAlias = Callable[[], object]
"""Called just before the requests that are to go wrong, such as ``lambda: room.wire.cut(…)``."""

Call: TypeAlias = Callable[[], Awaitable[Any]]
"""Makes a call with its key; the same one each time."""

ALL_HOOKS: Final = ("create_user", "start_hitl", "send_message", "stop_hitl", "identify", "list_events")


class Operations:
    """Calls of one room. Whoever the bot is has been asked before, so that each call makes its own requests only.

    :ivar session: the session that messages go to and that is read.
    :ivar writes: hooks that change something.
    :ivar reads: hooks that only look.
    """

    def __init__(self, room: Room, user: ExternalUser, session: HitlSession) -> None:
        self._room = room
        self._user = user
        self._count = 0
        self._doomed: HitlSession | None = None
        self._fresh: Connection | None = None
        self.session = session
        self.writes: tuple[str, ...] = ALL_HOOKS[:4] if room.simulator.keeps_customers else ALL_HOOKS[1:4]
        self.reads: tuple[str, ...] = ("identify", "list_events") if room.capabilities.pull else ("identify",)

    @classmethod
    async def of(cls, room: Room) -> Operations:
        """Open a session to work on."""
        await room.connection.identify()
        return cls(room, await room.user(), await room.session())

    @property
    def hooks(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.writes, *self.reads)

    @property
    def text(self) -> str:
        """The words of the message that was made last."""
        return f"kit-message-{self._count} of the operations"

    async def attempt(self, hook: str, arm: Arm | None = None) -> Any:
        """Make a new call; give its result, or the error it raised. The wire is mended afterwards."""
        return await self.carry_out(await self.ready(hook), arm)

    async def carry_out(self, call: Call, arm: Arm | None = None) -> Any:
        """Make a call that is ready."""
        if arm is not None:
            arm()
        try:
            return await outcome(call())
        finally:
            self._room.wire.mend()

    async def ready(self, hook: str) -> Call:
        """Return a new call, everything it needs being there."""
        self._count += 1
        makers: Mapping[str, Callable[[], Awaitable[Call]]] = {
            "create_user": self._create_user,
            "start_hitl": self._start_hitl,
            "send_message": self._send_message,
            "stop_hitl": self._stop_hitl,
            "identify": self._identify,
            "list_events": self._list_events,
        }
        return await makers[hook]()

    async def _create_user(self) -> Call:
        room, key, identity = self._room, self._room.key(), f"kit-{self._room.name}-{self._count}"
        return lambda: room.connection.create_user(name="Ada Kit", external_id=identity, idempotency_key=key)

    async def _start_hitl(self) -> Call:
        room = self._room
        plan = await room.plan(external_id=f"kit-{room.name}-{self._count}", description="kit-description")
        return lambda: room.connection.begin(plan)

    async def _send_message(self) -> Call:
        room, author = self._room, Author.user(self._user)
        parts = room.connection.plan_message(self.session, self.text, author=author, idempotency_key=room.key())
        return lambda: room.execute(parts[0])

    async def _stop_hitl(self) -> Call:
        """End a session of its own; one that could not be ended serves again."""
        room = self._room
        session = self._doomed or await room.session()
        self._doomed = session
        _, request = room.connection.plan_stop(session, idempotency_key=room.key())

        async def stop() -> None:
            await room.connection.finish(request)
            self._doomed = None

        return stop

    async def _identify(self) -> Call:
        """Ask as an instance that has not asked yet."""
        fresh = self._fresh or await self._room.another()
        self._fresh = fresh

        async def identify() -> Any:
            identity = await fresh.identify()
            self._fresh = None
            return identity

        return identify

    async def _list_events(self) -> Call:
        return lambda: self._room.connection.list_events(self.session)
