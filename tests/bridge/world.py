"""A bridge between a host and a helpdesk that are both in memory, on a store that is not; time moves when told to."""

import itertools
from contextlib import asynccontextmanager
from datetime import timedelta

from hitl_core.bridge.bridge import Bridge
from hitl_core.connect import connect_class
from hitl_core.people import Agent, EndUser, Role
from hitl_core.testing.memory import MemoryHelpdesk, MemoryProvider

ADA = EndUser(external_id="u1", name="Ada")
BEA = Agent(id="a1", name="Bea")


class Chat:
    """A host that writes down what it is told, once for each key; ``broken`` calls fail first."""

    def __init__(self):
        self.lines = []
        self.handed_back = []
        self.notices = []
        self.calls = []
        self.keys = set()
        self.broken = 0

    async def send(self, conversation_id, message, sender, *, key):
        if self._new(key):
            name = sender.name if sender.role is Role.AGENT else str(sender.role)
            self.lines.append((name, getattr(message, "text", message.type)))

    async def resume(self, conversation_id, hand_back, *, key):
        if self._new(key):
            self.handed_back.append(hand_back)
            self.lines.append(("resume", hand_back.reason.value))

    async def notify(self, event, *, key):
        if self._new(key):
            self.notices.append(event)

    def _new(self, key):
        if self.broken:
            self.broken -= 1
            raise RuntimeError("the host is restarting")
        self.calls.append(key)
        new = key not in self.keys
        self.keys.add(key)
        return new

    @property
    def texts(self):
        return [text for _, text in self.lines]


class World:
    """What a test holds in hand."""

    def __init__(self, desk, connection, chat, bridge, clock):
        self.desk, self.connection, self.chat, self.bridge, self.clock = desk, connection, chat, bridge, clock
        self.numbers = itertools.count(1)

    async def start(self, conversation="c1", user=ADA, **more):
        more.setdefault("wait", 0)
        return await self.bridge.start_hitl(conversation, user, "Parcel", **more)

    async def say(self, text, conversation="c1", id=None):
        message_id = id or f"m{next(self.numbers)}"
        handled = await self.bridge.handle_user_message(conversation, text, message_id=message_id)
        await self.bridge.settle()
        return handled

    async def deliver(self, delivery, connection="memory"):
        receipt = await self.bridge.receive_webhook(connection, headers=delivery.headers, body=delivery.body)
        await self.bridge.settle()
        return receipt

    async def pass_time(self, seconds, step=1.0):
        """Let time pass in steps, doing what is due at each."""
        end = self.clock.now() + timedelta(seconds=seconds)
        while (left := (end - self.clock.now()).total_seconds()) > 0:
            self.clock.advance(min(step, left))
            await self.bridge.settle()

    def sent(self, ticket="t1"):
        return [request.message.text for request in self.desk.tickets[ticket].sent]

    @property
    def texts(self):
        return self.chat.texts


@asynccontextmanager
async def world(store, *, provider=MemoryProvider, desk=None, chat=None, policy=None, **more):
    """Open a bridge on a store; several of them one after the other are one bridge that was restarted."""
    desk, chat = desk or MemoryHelpdesk(), chat or Chat()
    more.setdefault("reconcile_seconds", None)
    async with (
        connect_class(provider, helpdesk=desk, webhook_secret=desk.secret, waits="raise") as connection,
        Bridge(connection, chat, store, policy, drive=False, **more) as bridge,
    ):
        yield World(desk, connection, chat, bridge, store.clock)
