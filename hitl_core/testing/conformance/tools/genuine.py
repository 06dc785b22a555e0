"""A delivery to try things with: one that is real, what proves it, and the hooks it goes to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import pluggy

from hitl_core.connection import Connection
from hitl_core.events import AgentMessage, SessionChanged
from hitl_core.sessions import HitlSession
from hitl_core.spec import PROJECT, ProviderHooks
from hitl_core.testing.clock import VirtualClock
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.tools.claims import promised
from hitl_core.testing.simulator import Simulator, SimWebhook

__all__ = ["REPLY", "Proof", "at", "bare_hooks", "changed", "genuine"]

REPLY: Final = "kit-reply-words: we have found your parcel"
"""What the agent says in a genuine delivery."""


async def genuine(room: Room, session: HitlSession | None = None) -> tuple[HitlSession, SimWebhook]:
    """Return a session and a delivery that tells of an agent's reply there, or hints at it.

    :param session: a new one when left out.
    """
    session = session or await room.session()
    await room.agent.reply(session.id, REPLY)
    while arrived := await room.webhooks():
        hint: SimWebhook | None = None
        for webhook in arrived:
            with promised("a delivery as the vendor sends it is accepted and read"):
                events = await room.parse(webhook)
            about = [event for event in events if event.session is not None and event.session.id == session.id]
            if any(isinstance(event, AgentMessage) for event in about):
                return session, webhook
            if any(isinstance(event, SessionChanged) for event in about):
                hint = webhook
        if hint is not None:
            return session, hint
    msg = f"an agent replied, and no webhook told of it within {room.patience} s"
    raise AssertionError(msg)


@dataclass(frozen=True, slots=True)
class Proof:
    """Which headers prove a delivery, found out by signing.

    :param signatures: those that cannot be made without the secret.
    :param covered: those the signature covers, such as the time.
    """

    signatures: frozenset[str]
    covered: frozenset[str]

    @classmethod
    def of(cls, simulator: Simulator) -> Proof:
        """Find out how a vendor signs."""
        now = simulator.clock.now()

        def signed(*, secret: str = simulator.secret, id: str = "kit-a", later: float = 0) -> Mapping[str, str]:
            return simulator.sign(secret, b"{}", id=id, at=now + timedelta(seconds=later))

        plain = signed()
        signatures = _different(plain, signed(secret=simulator.other_secret()))
        covered: frozenset[str] = frozenset()
        for other in (signed(id="kit-b"), signed(later=61)):
            moved = _different(plain, other)
            if moved & signatures:
                covered |= moved - signatures
        return cls(signatures, covered)

    @property
    def headers(self) -> list[str]:
        """Every header that counts."""
        return sorted(self.signatures | self.covered)


def _different(one: Mapping[str, str], other: Mapping[str, str]) -> frozenset[str]:
    return frozenset(name for name in one if one[name] != other.get(name))


def changed(
    webhook: SimWebhook, *, body: bytes | None = None, headers: Mapping[str, str | None] | None = None
) -> SimWebhook:
    """Return a delivery with another body or other headers; a header that is ``None`` is taken out."""
    every = {**webhook.headers, **(headers or {})}
    kept = {name: value for name, value in every.items() if value is not None}
    return webhook.model_copy(update={"headers": kept, "body": webhook.body if body is None else body})


@asynccontextmanager
async def at(room: Room, seconds: float = 0, **more: Any) -> AsyncIterator[Connection]:
    """Open another connection to the account whose clock stands still, so many seconds from now."""
    clock = VirtualClock(room.clock.now() + timedelta(seconds=seconds))
    async with room.connect(clock=clock, **more) as connection:
        yield connection


@asynccontextmanager
async def bare_hooks(room: Room) -> AsyncIterator[Any]:
    """Give the provider's hooks as they are: a connection would turn whatever escapes them into our errors."""
    made: list[Any] = []

    class Bare(room.cls):  # type: ignore[name-defined,misc]  # the class under test
        def __init__(self, ctx: Any) -> None:
            super().__init__(ctx)
            made.append(self)

    async with replace(room, cls=Bare).connect():
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(ProviderHooks)
        manager.register(made[0])
        yield manager.hook
