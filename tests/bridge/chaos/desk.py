"""The helpdesk, in the test's own process: it lives on while workers die, and keeps every write with its key."""

import asyncio
import itertools
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hitl_core import standard_webhooks

from .provider import SECRET
from .wire import serve


@dataclass
class Ticket:
    """A ticket.

    :ivar sent: the texts written into it, oldest first.
    """

    id: str
    conversation: str
    sent: list[str] = field(default_factory=list)
    facts: int = 0
    closed: bool = False


class Desk:
    """A helpdesk.

    :param kind: ``keyed``: a repeat of a key is answered as before, and nothing is written; else it is written again.
    :param latency: seconds a call takes at most, before it takes effect and once more after that.
    :param trouble: share of the writes that fail, half of them after they took effect; never the ``blind`` one's.
    :ivar absorbed: repeats that were known by their key.
    :ivar written: by which process, how many writes took effect.
    """

    def __init__(self, kind="keyed", *, latency=0.01, trouble=0.0, seed=0):
        self.kind = kind
        self.tickets = {}
        self.of = {}
        self.keys = {}
        self.absorbed = 0
        self.writes = 0
        self.calls = Counter()
        self.written = Counter()
        self.gate = None
        self.gated = 0
        self._latency = latency
        self._trouble = 0.0 if kind == "blind" else trouble
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self._numbers = itertools.count(1)
        self._changed = asyncio.Condition()

    async def serve(self, path):
        """Serve workers on a socket."""
        return await serve(path, self._answer)

    async def ticket_of(self, conversation):
        """Return the ticket of a conversation, once there is one."""
        async with self._changed:
            await self._changed.wait_for(lambda: conversation in self.of)
        return self.of[conversation]

    async def received(self, ticket, count):
        """Return once so many messages are in a ticket."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(ticket.sent) >= count)

    # What workers ask -----------------------------------------------------------------------------------------

    async def _answer(self, what, *, by, key, **arguments):
        self.calls[what, by] += 1
        if what == "find":
            return {"id": self.keys.get(key)}
        trouble = self._random.random() < self._trouble and self._random.choice(["before", "after"])
        await self._moment()
        if trouble == "before":
            return {"trouble": trouble}
        known = self.keys.get(key) if self.kind == "keyed" else None
        if known is not None:
            self.absorbed += 1
        else:
            self.keys[key] = known = getattr(self, f"_{what}")(**arguments)
            self.writes += 1
            self.written[by] += 1
        async with self._changed:
            self._changed.notify_all()
        await self._passes()
        await self._moment()
        return {"trouble": trouble} if trouble else {"id": known}

    async def _passes(self):
        gate = self.gate
        if gate is not None:
            self.gated += 1
            await gate.wait()

    async def _moment(self):
        if self._latency:
            await asyncio.sleep(self._random.uniform(0, self._latency))

    def _start(self, conversation):
        ticket = Ticket(f"t{next(self._numbers)}", conversation)
        self.tickets[ticket.id] = ticket
        self.of.setdefault(conversation, ticket)
        return ticket.id

    def _send(self, ticket, text):
        self.tickets[ticket].sent.append(text)
        return f"{ticket}-sent-{len(self.tickets[ticket].sent)}"

    def _stop(self, ticket):
        self.tickets[ticket].closed = True
        return ticket

    # What agents do -------------------------------------------------------------------------------------------

    def says(self, ticket, kind, text=None):
        """Return the webhook that tells what an agent did, as it may be sent any number of times."""
        ticket.facts += 1
        now = datetime.now(UTC)
        id_ = f"{ticket.id}-{ticket.facts}"
        fact = {"id": id_, "ticket": ticket.id, "kind": kind, "text": text, "at": now.isoformat()}
        body = json.dumps(fact)
        signed = standard_webhooks.sign([SECRET], id=f"d-{id_}", timestamp=now, body=body.encode())
        return {"headers": {**signed, "x-ticket": ticket.id}, "body": body}
