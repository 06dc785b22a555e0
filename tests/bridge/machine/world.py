"""Everything of one run: the outside, the process there is or is not, and what is done with them."""

import shutil
import sqlite3

from hitl_core.bridge.handoff.records import Owner
from hitl_core.errors import StoreError

from .book import CONVERSATIONS, Book
from .outside import Agents, Channel, Desk
from .process import Process
from .steploop import LoopClock

DESKS = ("first", "second")


class World:
    """A bridge and all around it.

    :ivar process: the one that runs; ``None`` between a crash and the next beginning.
    :ivar on_the_way: webhooks that have not arrived.
    :ivar troubled: something went wrong on purpose: dead letters may be.
    """

    def __init__(self, loop, disk, template, *, provider, policy):
        shutil.copy(template, disk.path)
        self.disk = disk
        self.provider = provider
        self.policy = policy
        self.loop = loop
        self.clock = LoopClock(self.loop)
        self.desks = {name: Desk(name, self.clock, 1 + 10_000 * number) for number, name in enumerate(DESKS)}
        self.channel = Channel()
        self.agents = Agents(self.desks)
        self.book = Book()
        self.on_the_way = []
        self.arrived = set()
        self.process = None
        self.troubled = False
        self.crashes = 0
        self.loop.finish(self._prepare())
        self.db = sqlite3.connect(disk.path, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.begin()

    async def _prepare(self):
        for desk in self.desks.values():
            await desk.prepare()

    # The process ----------------------------------------------------------------------------------------------

    def begin(self):
        """Begin a process, if there is none."""
        if self.process is not None and self.process.stillborn:
            self.crash()
        if self.process is None:
            self.process = Process(
                self.loop, self.disk, self.desks, self.channel, provider=self.provider, policy=self.policy
            )

    def crash(self):
        """Let the process die where it is."""
        if self.process is not None:
            self.crashes += 1
            self.troubled = True
            self.process.die()
            self.process = None

    def end(self):
        """Take everything down."""
        self.crash()
        self.db.close()
        self.disk.mend()
        self.disk.wipe()
        self.loop.reset()

    @property
    def bridge(self):
        """The bridge, while one runs."""
        return self.process.bridge if self.process is not None and self.process.open else None

    def go(self, steps):
        """Go on for so many steps; ``None``: until everybody waits for time to pass."""
        if steps is None:
            self.loop.rest()
        else:
            self.loop.step(steps)
        if self.process is not None:
            self.process.check()
        failures = [one for one in self.loop.failures if "process is dead" not in str(one.get("exception"))]
        assert not failures, failures

    def rows(self, query, *args):
        """Ask the database, past everything."""
        return self.db.execute(query, args).fetchall()

    # The bot --------------------------------------------------------------------------------------------------

    def hand_in(self, said):
        """Let the host hand a message in; what is not answered is handed in again later."""
        if self.bridge is not None:
            self.process.ask(self._hand_in(self.bridge, said))

    async def _hand_in(self, bridge, said):
        try:
            handled = await bridge.handle_user_message(
                said.conversation, said.message, message_id=said.id, user=said.user
            )
        except StoreError:
            assert self.troubled
            return
        said.answers.append(handled.silence)

    def start(self, start):
        """Let the bot ask for a human."""
        if self.bridge is not None:
            self.process.ask(self._start(self.bridge, start))

    async def _start(self, bridge, start):
        user = CONVERSATIONS[start.conversation]
        try:
            result = await bridge.start_hitl(
                start.conversation, user, f"Parcel {start.key}", idempotency_key=start.key, **start.more
            )
        except StoreError:
            assert self.troubled
            return
        start.results.append(result)

    def command(self, work):
        """Let the bot command something; what fails is left."""

        async def ask():
            try:
                await work
            except StoreError:
                assert self.troubled

        if self.bridge is not None:
            self.process.ask(ask())
        else:
            work.close()

    def answer(self, said, hand_over):
        """Let the bot take a turn: it answers, or hands over."""
        if self.bridge is not None:
            self.process.ask(self._answer(self.bridge, said, hand_over))

    async def _answer(self, bridge, said, hand_over):
        async def send(conversation_id, message):
            self.channel.said.append((conversation_id, message.text))

        turn = bridge.turn(said.conversation, said.message, message_id=said.id, send=send)
        try:
            async with turn:
                said.answers.append(turn.silent)
                if hand_over is not None and not turn.silent:
                    self.book.starts.append(hand_over)
                    user = CONVERSATIONS[said.conversation]
                    title = f"Parcel {hand_over.key}"
                    hand_over.results.append(
                        await turn.hand_over(user, title, idempotency_key=hand_over.key, **hand_over.more)
                    )
                    assert not await turn.say("never")
                before = self.ownership(said.conversation)
                spoke = await turn.say("Hello")
                after = self.ownership(said.conversation)
                if before == after and before[0] != Owner.BOT:
                    assert not spoke, "the bot spoke over whoever owns"
        except StoreError:
            assert self.troubled

    def ownership(self, conversation):
        """Return who owns a conversation, and the record's version: when both are the same nothing happened."""
        found = self.rows(
            "SELECT c.speaker, h.id, h.version FROM hitl_conversations c"
            " LEFT JOIN hitl_handoffs h ON h.id = c.handoff_id WHERE c.id = ?",
            conversation,
        )
        return tuple(found[0]) if found else ("bot", None, None)

    # The helpdesks --------------------------------------------------------------------------------------------

    def tickets(self):
        """Return desk and id of every ticket, those with an open hand-off first."""
        tickets = [(desk.name, id_) for desk in self.desks.values() for id_ in desk.sim.tickets]
        wanted = {
            (row["connection"].partition("/")[2], row["session_id"])
            for row in self.rows("SELECT connection, session_id FROM hitl_links WHERE open")
        }
        return sorted(tickets, key=lambda one: one not in wanted)

    def act(self, number, what, agent, *, told):
        """Let an agent do something in a ticket.

        :param told: its webhook arrives at once.
        """
        tickets = self.tickets()
        desk, ticket = tickets[number % len(tickets)]
        self.collect()
        before = len(self.on_the_way)
        self.loop.finish(self.agents.act(desk, ticket, what, agent))
        self.collect()
        for delivery in self.on_the_way[before:] if told else ():
            self.deliver(delivery)

    def collect(self):
        """Take the webhooks that have left the helpdesks."""
        for desk in self.desks.values():
            self.on_the_way += self.loop.finish(desk.deliveries())

    def deliver(self, delivery, forged=None):
        """Let a webhook arrive; one that is refused for now stays on the way, as its sender repeats it."""
        if self.bridge is None:
            return
        desk = self.desks[delivery.desk]
        signed = desk.signed(delivery)
        headers, body = dict(signed.headers), signed.body
        match forged:
            case "body":
                body = body.replace(b"acct-1", b"acct-1 ")
            case "account":
                body = desk.sim.foreign_body(body)
                headers = dict(desk.sim.webhook(body, id=delivery.id).headers)
            case "signature":
                headers = {name: "00" + value[2:] if "signature" in name else value for name, value in headers.items()}
        self.process.ask(self._deliver(self.bridge, delivery, headers, body, forged))

    async def _deliver(self, bridge, delivery, headers, body, forged):
        delivery.tries += 1
        receipt = await bridge.receive_webhook(delivery.desk, headers=headers, body=body)
        if forged is not None:
            assert not receipt.accepted
        elif receipt.accepted:
            self.arrived.add((delivery.desk, delivery.id))
            if delivery in self.on_the_way:
                self.on_the_way.remove(delivery)
        else:
            assert self.troubled
