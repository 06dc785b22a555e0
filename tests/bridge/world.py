"""A bridge between a host and helpdesks that are all in memory, on a store that is not; time moves when told to."""

import asyncio
import itertools
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import sqlalchemy as sa

from hitl_core.bridge import Policy
from hitl_core.bridge.bridge import Bridge
from hitl_core.bridge.store.tables import dead_letters
from hitl_core.calls import AccountProfile
from hitl_core.connect import connect_class
from hitl_core.people import Agent, EndUser, Role
from hitl_core.spec import hookimpl
from hitl_core.testing.memory import MemoryHelpdesk, MemoryProvider

ADA = EndUser(external_id="u1", name="Ada")
BEA = Agent(id="a1", name="Bea")
CAI = Agent(id="a2", name="Cai")
JOINED = "Bea has joined the conversation."
_numbers = itertools.count(1)
LEASE = 10.0
"""Seconds after which a worker that was not heard of is taken for dead."""


def told(name, **more):
    """Return what a customer is told unless it is configured otherwise."""
    return Policy().text(name, **more)


class Gate:
    """Something waits here until the test lets it go on."""

    def __init__(self, after=0):
        self.reached = asyncio.Event()
        self.waiting = 0
        self._after = after
        self._open = asyncio.Event()

    async def __call__(self):
        if self._after > 0:
            self._after -= 1
            return
        self.waiting += 1
        self.reached.set()
        try:
            await self._open.wait()
        finally:
            self.waiting -= 1

    def open(self):
        self._open.set()


class Desk(MemoryHelpdesk):
    """A helpdesk that can be made to take its time, and to be capable of other things."""

    def __init__(self):
        super().__init__()
        self.stops = []
        self.capabilities = MemoryProvider.info.capabilities
        self.limits = MemoryProvider.info.limits
        self._gates = {}

    def may(self, **capabilities):
        self.capabilities = self.capabilities.model_copy(update=capabilities)
        return self

    def limited(self, **limits):
        self.limits = self.limits.model_copy(update=limits)
        return self

    @property
    def waiting(self):
        """How many writes wait."""
        return sum(self._gates[key].waiting for key in self._gates if key[0] not in {"parse_webhook", "list_events"})

    def hold(self, hook, when="before", *, after=0):
        """Let calls of a hook wait, before or after they took effect, until the gate is opened.

        :param after: how many pass first.
        """
        gate = self._gates[hook, when] = Gate(after)
        return gate

    async def passes(self, hook, when):
        if (gate := self._gates.get((hook, when))) is not None:
            await gate()


class Account(MemoryProvider):
    """The memory provider, as its desk wants it to be."""

    @hookimpl
    async def open(self):
        return AccountProfile(capabilities=self._desk.capabilities, limits=self._desk.limits)

    @hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        await self._desk.passes("start_hitl", "before")
        started = await super().create_ticket(request)
        await self._desk.passes("start_hitl", "after")
        return started

    @hookimpl(specname="send_message")
    async def add_message(self, request):
        await self._desk.passes("send_message", "before")
        sent = await super().add_message(request)
        await self._desk.passes("send_message", "after")
        return sent

    @hookimpl(specname="stop_hitl")
    async def close_ticket(self, request):
        await self._desk.passes("stop_hitl", "before")
        await super().close_ticket(request)
        self._desk.stops.append(request)
        await self._desk.passes("stop_hitl", "after")

    @hookimpl
    async def parse_webhook(self, request):
        await self._desk.passes("parse_webhook", "before")
        return await super().parse_webhook(request)

    @hookimpl
    async def list_events(self, request):
        page = await super().list_events(request)
        await self._desk.passes("list_events", "after")
        return page


class Chat:
    """A host that writes down what it is told, once for each key; ``broken`` calls fail first."""

    def __init__(self):
        self.lines = []
        self.handed_back = []
        self.notices = []
        self.calls = []
        self.keys = set()
        self.broken = 0
        self.gate = None

    async def send(self, conversation_id, message, sender, *, key):
        if await self._new(key):
            name = sender.name if sender.role is Role.AGENT else str(sender.role)
            self.lines.append((name, getattr(message, "text", message.type)))

    async def resume(self, conversation_id, hand_back, *, key):
        if await self._new(key):
            self.handed_back.append(hand_back)
            self.lines.append(("resume", hand_back.reason.value))

    async def notify(self, event, *, key):
        if await self._new(key):
            self.notices.append(event)

    async def _new(self, key):
        if self.broken:
            self.broken -= 1
            raise RuntimeError("the host is restarting")
        self.calls.append(key)
        new = key not in self.keys
        self.keys.add(key)
        if self.gate is not None:
            await self.gate()
        return new

    @property
    def texts(self):
        return [text for _, text in self.lines]


class World:
    """What a test holds in hand."""

    def __init__(self, desks, connections, chat, bridge, clock):
        self.desks, self.connections, self.chat, self.bridge, self.clock = desks, connections, chat, bridge, clock
        self.desk, self.connection = next(iter(desks.values())), next(iter(connections.values()))
        self.going = []

    # What happens -----------------------------------------------------------------------------------------------

    async def start(self, conversation="c1", user=ADA, **more):
        more.setdefault("wait", 0)
        return await self.bridge.start_hitl(conversation, user, "Parcel", **more)

    async def say(self, text, conversation="c1", id=None, **more):
        message_id = id or f"said-{next(_numbers)}"
        handled = await self.bridge.handle_user_message(conversation, text, message_id=message_id, **more)
        await self.settle()
        return handled

    async def deliver(self, delivery, connection=None):
        name = connection or next(iter(self.connections))
        receipt = await self.bridge.receive_webhook(name, headers=delivery.headers, body=delivery.body)
        await self.settle()
        return receipt

    async def pass_time(self, seconds, step=1.0):
        """Let time pass in steps, doing what is due at each."""
        end = self.clock.now() + timedelta(seconds=seconds)
        while (left := (end - self.clock.now()).total_seconds()) > 0:
            self.clock.advance(min(step, left))
            await self.settle()

    async def settle(self):
        """Do all that can be done now; what waits at a gate goes on waiting."""
        worker, intake = self.bridge._driver._worker, self.bridge._intake
        await worker.poll()
        did = True
        while did or worker._dirty:
            did = await worker.work()
            did = await intake.work() or did
            while len(worker._running) > self._waiting():  # noqa: ASYNC110 - no one event says so
                await asyncio.sleep(0)

    async def until(self, condition):
        """Do what can be done until something is so that other tasks bring about."""
        for _ in range(200):
            await self.settle()
            if condition():
                return
        raise AssertionError("it never came to be so")

    def _waiting(self):
        host = self.chat.gate.waiting if self.chat.gate is not None else 0
        return host + sum(desk.waiting for desk in self.desks.values())

    # How it stands ----------------------------------------------------------------------------------------------

    def sent(self, ticket="t1"):
        return [getattr(request.message, "text", None) for request in self.desk.tickets[ticket].sent]

    @property
    def texts(self):
        return self.chat.texts

    async def owner(self, conversation="c1"):
        return await self.bridge.owner(conversation)

    async def handoff(self, conversation="c1"):
        return await self.bridge.handoff(conversation)

    async def letters(self):
        """Return the open dead letters, oldest first."""
        query = sa.select(dead_letters).where(dead_letters.c.state == 0).order_by(dead_letters.c.position)
        async with self.bridge.store.read() as conn:
            return (await conn.execute(query)).all()

    # Dying ------------------------------------------------------------------------------------------------------

    def begin(self, coroutine):
        """Let something go on by itself, as a request of its own."""
        task = asyncio.ensure_future(coroutine)
        self.going.append(task)
        return task

    async def crash(self):
        """Die, as by ``kill -9``: whatever is going on ends where it is, and nothing more is written."""
        await abandon(self.bridge, self.going)

    async def wake_after_a_crash(self):
        """Let the dead worker's lease run out, so that another one goes on."""
        self.clock.advance(LEASE + 1)
        await self.settle()


async def abandon(bridge, going=()):
    """Let go of a bridge as a dying process does: its tasks end where they are, and nobody is told."""
    driver, intake, inbox = bridge._driver, bridge._intake, bridge._inbox
    driver._running = False  # so that aclose() finds nothing to give back
    slots = driver._worker.attempts._slots.values()
    tasks = [
        *going,
        *driver._tasks,
        *driver._worker._running,
        *(job.task for job in intake._jobs),
        *intake._typing._tasks,
        inbox._group._task,
        *(task for one in slots for task in (one._fetching, one._returning)),
    ]
    alive = [task for task in tasks if task is not None and not task.done()]
    for task in alive:
        task.cancel()
    await asyncio.gather(*alive, return_exceptions=True)
    driver._locks.close()  # the operating system lets go of the file


@asynccontextmanager
async def world(
    store, *, provider=Account, desk=None, desks=None, chat=None, policy=None, tenant="default", settings=None, **more
):
    """Open a bridge on a store; several of them one after the other are one bridge that was restarted.

    :param desks: several helpdesks, by the alias of their connection.
    :param provider: of all of them, or by the same aliases.
    """
    desks = desks or {"memory": desk or Desk()}
    chat = chat or Chat()
    more.setdefault("reconcile_seconds", None)
    more.setdefault("lease_seconds", LEASE)
    async with AsyncExitStack() as stack:
        connections = {}
        for alias, each in desks.items():
            cls = provider[alias] if isinstance(provider, dict) else provider
            connections[alias] = await stack.enter_async_context(
                connect_class(
                    cls,
                    alias=alias,
                    tenant=tenant,
                    helpdesk=each,
                    webhook_secret=each.secret,
                    waits="raise",
                    **(settings or {}),
                )
            )
        bridge = Bridge(connections, chat, store, policy, drive=False, tenant=tenant, **more)
        async with bridge:
            yield World(desks, connections, chat, bridge, store.clock)
