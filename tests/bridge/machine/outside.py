"""What lives on whatever happens to a bridge: helpdesks, their deliveries, and the channel to the customers."""

import asyncio
import itertools
from dataclasses import dataclass, field

from hitl_core import AccountProfile
from hitl_core._http.asgi import AsgiTransport
from hitl_core._http.transport import TransportFailure
from hitl_core.info import RateLimit
from hitl_core.people import Agent
from hitl_core.spec import hookimpl
from hitl_core.state import MemoryState
from hitl_core.testing.reference.provider import ReferenceProvider
from hitl_core.testing.reference.simulator import ReferenceSimulator

KIM, LOU = ReferenceSimulator.agents
ACCESS = "access-token-that-does-not-expire"


class CountingProvider(ReferenceProvider):
    """The same helpdesk on a plan that counts updates, so that quick messages go as one (behaviour F38)."""

    @hookimpl
    async def open(self):
        profile = await super().open()
        limits = self.info.limits.model_copy(update={"updates": RateLimit(count=1, seconds=10)})
        return AccountProfile(account=profile.account, limits=limits)


class BlindProvider(ReferenceProvider):
    """The same helpdesk on a plan without searches: nobody can tell what became of a write without an answer."""

    @hookimpl
    async def open(self):
        profile = await super().open()
        blind = {"find_session": False, "find_message": False, "idempotent": frozenset()}
        return AccountProfile(account=profile.account, capabilities=self.info.capabilities.model_copy(update=blind))


PROVIDERS = {"seeing": ReferenceProvider, "counting": CountingProvider, "blind": BlindProvider}


@dataclass
class Reply:
    """Something an agent said to the customer.

    :param event: the helpdesk's id of the event that told of it.
    """

    desk: str
    ticket: str
    event: str
    token: str
    at: object


@dataclass
class Delivery:
    """A webhook on its way.

    :param tries: how often it was handed to the bridge.
    """

    desk: str
    id: str
    body: bytes
    tries: int = 0


class Desk:
    """A helpdesk and its account, as seen from nowhere in particular.

    :ivar down: it cannot be reached.
    :ivar reopened: tickets that agents opened again.
    :ivar deleted: tickets that are gone.
    """

    def __init__(self, name, clock, first_id):
        self.name = name
        self.sim = ReferenceSimulator(clock=clock)
        self.sim.ids = itertools.count(first_id)
        self.sim.access_tokens.add(ACCESS)
        self.state = MemoryState()
        self.down = False
        self.reopened = set()
        self.deleted = {}
        self.foreign = set()
        self._told = 0

    async def prepare(self):
        await self.state.put("oauth", {"access_token": ACCESS, "refresh_token": "unused"}, None)

    async def deliveries(self):
        """Return the webhooks that have left since the last time."""
        await self.sim.pump()
        new = self.sim.webhooks.sent[self._told :]
        self._told += len(new)
        return [Delivery(self.name, one.id, one.body) for one in new]

    def signed(self, delivery):
        """Return a webhook as it is sent now."""
        return self.sim.webhook(delivery.body, id=delivery.id)

    def texts(self, ticket):
        """Return what is written in a ticket, oldest first, as one text each."""
        return [" ".join([one["text"], *(self.sim.files[id_].name for id_ in one["files"])]) for one in ticket.messages]

    def delete(self, ticket_id):
        """Let a ticket be as if it had never been; the vendor tells nobody."""
        self.deleted[ticket_id] = self.sim.tickets.pop(ticket_id)

    @property
    def everything(self):
        """Every ticket there ever was, by id."""
        return {**self.sim.tickets, **self.deleted}


class Wire:
    """The way of one process to one helpdesk; nothing is sent once the process is dead.

    Who we are can always be asked: without it no connection opens, and nothing at all would happen.
    """

    def __init__(self, desk, store):
        self._desk = desk
        self._store = store
        self._wire = AsgiTransport(desk.sim)
        self._sure = AsgiTransport(desk.sim._vendor)

    async def send(self, request, *, timeout, max_bytes):  # noqa: ASYNC109 - the transport's contract
        await asyncio.sleep(0)
        if request.url.endswith("/me") and not self._store.dead:
            return await self._sure.send(request, timeout=timeout, max_bytes=max_bytes)
        if self._store.dead or self._desk.down:
            raise TransportFailure(False, "nobody answers")
        answer = await self._wire.send(request, timeout=timeout, max_bytes=max_bytes)
        await asyncio.sleep(0)
        return answer

    def stream(self, request, **options):
        return self._wire.stream(request, **options)

    async def aclose(self):
        await self._wire.aclose()


@dataclass
class Shown:
    """A call of the host that took effect.

    :param what: ``send``, ``resume`` or ``notify``.
    """

    conversation: str
    key: str
    what: str
    content: object
    sender: object = None


@dataclass
class Channel:
    """The bot's side, which knows what it has shown by the key.

    :ivar shown: what took effect, in order.
    :ivar troubles: what happens to the next calls: ``before``, ``after`` or ``hang``.
    """

    shown: list = field(default_factory=list)
    keys: set = field(default_factory=set)
    troubles: list = field(default_factory=list)
    said: list = field(default_factory=list)
    calls: int = 0
    checked: int = 0


class HostEnd:
    """The host of one process."""

    def __init__(self, channel, store):
        self._channel = channel
        self._store = store

    async def send(self, conversation_id, message, sender, *, key):
        await self._call(Shown(conversation_id, key, "send", message, sender))

    async def resume(self, conversation_id, hand_back, *, key):
        await self._call(Shown(conversation_id, key, "resume", hand_back))

    async def notify(self, event, *, key):
        await self._call(Shown(event.conversation_id, key, "notify", event.event))

    async def _call(self, shown):
        channel = self._channel
        await asyncio.sleep(0)
        if self._store.dead:
            raise RuntimeError("the process is dead")
        channel.calls += 1
        trouble = channel.troubles.pop(0) if channel.troubles else None
        if trouble == "before":
            raise RuntimeError("the host is restarting")
        if shown.key not in channel.keys:
            channel.keys.add(shown.key)
            channel.shown.append(shown)
        await asyncio.sleep(0)
        if trouble == "after":
            raise RuntimeError("the host was restarted")
        if trouble == "hang":
            await asyncio.sleep(3600)


class Agents:
    """People in the helpdesks: what they do, and what they said."""

    def __init__(self, desks):
        self._desks = desks
        self._numbers = itertools.count(1)
        self.replies = []

    def _note(self, desk, ticket_id, token):
        desk = self._desks[desk]
        event = next(one for one in reversed(desk.sim.tickets[ticket_id].events) if one["type"] == "message.created")
        self.replies.append(Reply(desk.name, ticket_id, event["id"], token, desk.sim.clock.now()))

    async def act(self, desk, ticket_id, what, agent=KIM):
        """Let an agent do something; what makes no sense just now is not done."""
        sim = self._desks[desk].sim
        token = f"a{next(self._numbers):04}."
        match what:
            case "assign" | "unassign" | "solve" | "close":
                await getattr(sim, what)(ticket_id, agent=agent)
            case "reopen":
                if sim.tickets[ticket_id].status != "open":
                    self._desks[desk].reopened.add(ticket_id)
                    await sim.reopen(ticket_id, agent=agent)
            case "note":
                await sim.note(ticket_id, token, agent=agent)
            case "reply" | "reply_and_assign" | "reply_and_close":
                await getattr(sim, what)(ticket_id, token, agent=agent)
                self._note(desk, ticket_id, token)
            case "edit" | "delete":
                mine = [one for one in self.replies if (one.desk, one.ticket) == (desk, ticket_id)]
                if mine and what == "edit":
                    await self._edit(sim, ticket_id, mine[-1], agent)
            case _:
                raise ValueError(what)

    async def _edit(self, sim, ticket_id, reply, agent):
        messages = [one for one in sim.tickets[ticket_id].messages if reply.token in one["text"]]
        if messages:
            await sim.edit(ticket_id, messages[0]["id"], f"{reply.token} edited", agent=agent)


ALL_AGENTS: tuple[Agent, ...] = (KIM, LOU)
