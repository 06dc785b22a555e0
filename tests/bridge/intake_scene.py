"""The way in alone: a helpdesk whose answers a test scripts, sessions that are linked by hand, rows to look at."""

import asyncio
import dataclasses
import itertools
import json
from contextlib import asynccontextmanager
from datetime import timedelta

import sqlalchemy as sa

from hitl_core import standard_webhooks
from hitl_core.bridge.engine.intake import Intake
from hitl_core.bridge.handoff.inputs import parse_input
from hitl_core.bridge.store.inbox import Inbox
from hitl_core.bridge.store.tables import (
    audit,
    connections,
    conversations,
    dead_letters,
    deliveries,
    handoffs,
    inputs,
    links,
    message_links,
)
from hitl_core.connect import connect_class
from hitl_core.people import Agent
from hitl_core.sessions import HitlSession, SessionRef
from hitl_core.spec import hookimpl
from hitl_core.testing.memory import MemoryHelpdesk, MemoryProvider, MemoryTicket

KEY = "default/memory"
TENANT = "default"
BEA = Agent(id="a1", name="Bea")


class Desk(MemoryHelpdesk):
    """A helpdesk in memory; what its provider does can be held up, made to fail, or replaced.

    :ivar gates: deliveries, by id, and sessions whose reading hangs until the event is set.
    :ivar errors: raised by the next readings of a delivery or a session, one each.
    :ivar means: what deliveries mean, by id, instead of what is in them.
    :ivar pages: what sessions show, page by page, instead of what is in them.
    :ivar parsed: what was read, in order: a delivery's id, and which of its sessions were ours.
    :ivar asked: the requests for pages of sessions.
    :ivar changes: the requests for what moved; ``moved`` are the answers, instead of its own.
    :ivar running: what is being read now; ``together`` every set of it there has been.
    """

    def __init__(self):
        super().__init__()
        self.gates, self.errors, self.means, self.pages = {}, {}, {}, {}
        self.parsed, self.asked, self.changes, self.moved = [], [], [], []
        self.running, self.together = set(), []

    def open(self, *ids):
        for id_ in ids:
            self.tickets[id_] = MemoryTicket(id_, start=None)

    @asynccontextmanager
    async def doing(self, name):
        self.running.add(name)
        self.together.append(frozenset(self.running))
        try:
            if name in self.gates:
                await self.gates[name].wait()
            if self.errors.get(name):
                raise self.errors[name].pop(0)
            yield
        finally:
            self.running.discard(name)


class DeskProvider(MemoryProvider):
    """The provider of a :class:`Desk`."""

    @hookimpl
    async def parse_webhook(self, request):
        """Read a delivery as the test says."""
        desk, id_ = self._desk, request.delivery.id
        desk.parsed.append((id_, sorted(request.known or ())))
        desk.last_known = request.known
        async with desk.doing(id_):
            if id_ in desk.means:
                return desk.means[id_]
            return await super().parse_webhook(request)

    @hookimpl
    async def list_events(self, request):
        """Read a session as the test says."""
        desk, id_ = self._desk, request.session.id
        desk.asked.append(request)
        async with desk.doing(id_):
            if desk.pages.get(id_):
                page = desk.pages[id_].pop(0)
                return page() if callable(page) else page
            return await super().list_events(request)

    @hookimpl
    async def list_changes(self, request):
        """Tell what moved as the test says."""
        desk = self._desk
        desk.changes.append(request)
        async with desk.doing("changes"):
            return desk.moved.pop(0) if desk.moved else await super().list_changes(request)


def provider(**capabilities):
    """Return a provider class with other capabilities."""
    return _changed(capabilities=DeskProvider.info.capabilities.model_copy(update=capabilities))


def with_intake(**facts):
    """Return a provider class whose vendor wants its webhooks answered in another way."""
    return _changed(intake=DeskProvider.info.intake.model_copy(update=facts))


def with_limits(limits):
    """Return a provider class with other limits."""
    return _changed(limits=limits)


def _changed(**fields):
    return type("ChangedProvider", (DeskProvider,), {"info": dataclasses.replace(DeskProvider.info, **fields)})


class Scene:
    """What a test holds in hand: one helpdesk, one store, and as many workers as it makes."""

    def __init__(self, store, desk, connection, others=()):
        self.store, self.desk, self.connection = store, desk, connection
        self.connections = {one.key: one for one in (connection, *others)}
        self.inbox = Inbox(store, TENANT)
        self.live = {"w1"}
        self.touched, self.typed = [], []
        self.numbers = itertools.count(1)
        self.intake = self.worker("w1")

    @property
    def clock(self):
        return self.store.clock

    @property
    def now(self):
        return self.store.clock.now()

    def worker(self, name, *, store=None, **more):
        """Make another worker's intake; it is not taken for alive unless its name is in ``live``."""
        store = store or self.store
        more.setdefault("reconcile_seconds", None)
        return Intake(
            store,
            Inbox(store, TENANT),
            TENANT,
            self.connections,
            worker=name,
            live=lambda: frozenset({name, *self.live}),
            touched=lambda ids: self.touched.extend(sorted(ids)),
            typing=self.take_typing,
            **more,
        )

    async def take_typing(self, conversation_id, handoff_id, event):
        self.typed.append((conversation_id, handoff_id, event.typing))

    # The world --------------------------------------------------------------------------------------------------

    async def link(self, session, conversation=None, *, connection=KEY, open=True, handoff="waiting", **fields):
        """Let a session be a conversation's; with a hand-off that is open on it, unless there is none."""
        conversation = conversation or f"c-{session}"
        ref = SessionRef(connection=connection, id=session)
        row = {
            "tenant": TENANT,
            "connection": connection,
            "session_id": session,
            "conversation_id": conversation,
            "session": HitlSession(ref=ref, provider="memory").model_dump_json(),
            "cursor": None,
            "wanted_at": None,
            "linked_at": self.now,
            "open": open,
            **fields,
        }
        await self.add(links, row)
        if handoff:
            await self.handoff(conversation, phase=handoff, session_id=session, connection=connection)

    async def handoff(self, conversation, *, phase="starting", connection=KEY, session_id=None, started_at=None):
        known = {"tenant": TENANT, "id": conversation, "handoff_id": f"h-{conversation}", "speaker": "queue"}
        await self.add(conversations, {**known, "fence": 0})
        await self.add(
            handoffs,
            {
                "tenant": TENANT,
                "id": f"h-{conversation}",
                "conversation_id": conversation,
                "connection": connection,
                "key": "k",
                "phase": phase,
                "session_id": session_id,
                "started_at": started_at or self.now,
                "open": phase != "ended",
                "version": 1,
                "record": "{}",
                "policy": "{}",
            },
        )

    async def own_message(self, session, vendor_id):
        fields = {"direction": "out", "vendor_id": vendor_id, "key": vendor_id, "linked_at": self.now}
        await self.add(message_links, {"tenant": TENANT, "connection": KEY, "session_id": session, **fields})

    async def add(self, table, row):
        async with self.store.write() as conn:
            await conn.execute(self.store.insert(table).on_conflict_do_nothing(), row)

    async def change(self, table, condition, **values):
        async with self.store.write() as conn:
            await conn.execute(sa.update(table).where(condition).values(**values))

    # Deliveries -------------------------------------------------------------------------------------------------

    async def receive(self, delivery, *, id=None, intake=None, connection=None, at=None, **more):
        """Let a webhook arrive, signed now."""
        number = next(self.numbers)
        headers = standard_webhooks.sign(
            [self.desk.secret], id=id or f"d{number}", timestamp=at or self.now, body=delivery.body
        )
        more.setdefault("headers", headers)
        receiver = intake or self.intake
        return await receiver.receive(connection or self.connection, body=delivery.body, **more)

    async def says(self, session, text, **more):
        """Let an agent write, and the webhook arrive."""
        return await self.receive(self.desk.reply(session, text, BEA), **more)

    async def settle(self, intake=None):
        """Do all that is to be done now."""
        intake = intake or self.intake
        await intake.poll()
        while await intake.work():
            pass

    def working(self, intake=None):
        """Let work go on by itself; end it with :meth:`finish`."""
        return asyncio.create_task((intake or self.intake).work())

    # What came of it --------------------------------------------------------------------------------------------

    async def rows(self, table, *conditions):
        async with self.store.read() as conn:
            query = sa.select(table).where(*conditions)
            if "position" in table.c:
                query = query.order_by(table.c.position)
            return (await conn.execute(query)).all()

    async def inputs(self, *conditions):
        """The inputs to be decided on, in order."""
        return [parse_input(row.payload) for row in await self.rows(inputs, inputs.c.state == 0, *conditions)]

    async def said(self, conversation=None):
        """The agents' texts among the inputs, in order."""
        found = await self.inputs(*([inputs.c.conversation_id == conversation] if conversation else []))
        events = [one.event for one in found if one.kind == "agent_event"]
        return [event.message.text for event in events if event.kind == "agent_message"]

    async def states(self):
        """State and detail of each delivery, by id."""
        return {row.id: (row.state, row.detail) for row in await self.rows(deliveries)}

    async def state(self, id_):
        return (await self.states())[id_][0]

    async def link_of(self, session):
        [row] = await self.rows(links, links.c.session_id == session)
        return row

    async def owner(self, key=KEY):
        [row] = await self.rows(connections, connections.c.connection == key)
        return row

    async def letters(self):
        return await self.rows(dead_letters)

    async def notes(self):
        return await self.rows(audit)

    async def pass_time(self, seconds, step=None):
        """Let time pass, in steps, and do what is due at each."""
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.clock.advance(min(step or seconds, (end - self.now).total_seconds()))
            await self.settle()


async def until(condition):
    """Let the loop run until a condition holds; the bound only ends a test that has failed."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - conditions of all kinds
            await asyncio.sleep(0.002)


def body_of(*facts):
    """Return the body of a delivery of several facts."""
    return json.dumps({"facts": list(facts)}).encode()


@asynccontextmanager
async def scene(store, cls=DeskProvider, **settings):
    """Open a connection to a helpdesk, and an intake that nobody has polled yet."""
    desk = Desk()
    settings.setdefault("webhook_secret", desk.secret)
    async with connect_class(cls, helpdesk=desk, clock=store.clock, waits="raise", **settings) as connection:
        made = Scene(store, desk, connection)
        yield made
        await made.intake.aclose()
