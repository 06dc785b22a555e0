"""Many customers and agents at the same time, each in order, and what came of it in the end."""

import asyncio
import json
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import sqlalchemy as sa

from hitl_core.bridge import Policy
from hitl_core.bridge.store.tables import conversations, dead_letters, deliveries, inputs, outbox
from hitl_core.errors import StoreError

from .fleet import GoneError, eventually
from .wire import RefusedError

TEXTS = Policy()
OPENED = TEXTS.text("on_handoff_message")
JOINED = TEXTS.text("on_human_agent_assigned_message", agent_name="Bea")
IN_DOUBT = TEXTS.text("on_message_failed_message")
ENDED = TEXTS.text("on_hitl_stopped_message")


class Channel:
    """What customers have been shown, out of the file that the hosts write.

    :ivar shown: by conversation, each call in order, the first of each key.
    :ivar repeats: further calls with a known key.
    """

    def __init__(self, path):
        path.touch()
        self.rows = []
        self.shown = defaultdict(list)
        self.repeats = 0
        self._file = path.open("rb")
        self._keys = set()
        self._rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def read(self):
        """Take in what is new, and return how many calls there have been with a key of their own."""
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        for line in lines:
            self._take(line)
        try:
            json.loads(self._rest)
        except ValueError:
            pass  # torn, or still being written
        else:
            self._take(self._rest)
            self._rest = b""
        return len(self._keys)

    def _take(self, line):
        try:
            row = json.loads(line)
        except ValueError:
            return  # the process died in the act: the call did not take place
        self.rows.append(row)
        if row["key"] in self._keys:
            self.repeats += 1
            return
        self._keys.add(row["key"])
        if row["kind"] != "notify":
            self.shown[row["conversation"]].append(row)


@dataclass
class Tally:
    """What came of it; all but ``accepted``, ``again``, ``given_back`` and ``unresolved`` is to be zero."""

    accepted: int = 0
    again: int = 0
    lost: list = field(default_factory=list)
    doubled: list = field(default_factory=list)
    disordered: list = field(default_factory=list)
    wrong: list = field(default_factory=list)
    given_back: int = 0
    unresolved: int = 0
    letters: Counter = field(default_factory=Counter)

    @property
    def clean(self):
        """Whether nothing is lost, doubled, out of order, or wrong otherwise."""
        return not (self.lost or self.doubled or self.disordered or self.wrong)


class Storm:
    """So many conversations, each a hand-off from its start to its end.

    Each has a start, an assignment, ``each`` messages of either side in some order, and a close.

    :param at_once: how many conversations go on at a time.
    :param repeats: share of the inputs that is handed in twice.
    :ivar accepted: how many inputs were acknowledged; ``again``: how often one was handed in that was known.
    :ivar refused: why something was not acknowledged, and how often.
    """

    def __init__(self, scene, *, count, each=11, at_once=60, repeats=0.1, seed=0, patience=10.0):
        self.fleet, self.desk, self.channel = scene.fleet, scene.desk, scene.channel
        self._store = scene.store
        self.names = [f"c{number}" for number in range(count)]
        self.each = each
        self.total = count * (2 * each + 3)
        self.expected = count * (each + 1) + count * (each + 6)
        """Writes in the helpdesk, and calls of the host, each with a key of its own."""
        self.accepted = self.again = 0
        self._allowed = self.total
        self._more = asyncio.Event()
        self._handing = 0
        self.refused = Counter()
        self.failed = set()
        self.seconds = self._began = 0.0
        self._at_once = asyncio.Semaphore(at_once)
        self._repeats = repeats
        self._patience = patience
        self._random = random.Random(seed)  # noqa: S311 - no secret

    def allow(self, share):
        """Hold back what is beyond this share of all inputs."""
        self._allowed = self.total * share
        self._more.set()

    @property
    def held_back(self):
        """Whether all that is allowed is acknowledged."""
        return self.accepted >= self._allowed and not self._handing

    @property
    def done(self):
        """How many effects there have been."""
        return self.desk.writes + self.channel.read()

    # Handing in -----------------------------------------------------------------------------------------------

    async def run(self):
        """Let everybody say all they have to say; returns when all of it is acknowledged."""
        self._began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for name in self.names:
                group.create_task(self._live(name))

    async def _live(self, name):
        async with self._at_once:
            await self._talk(name)

    async def _talk(self, name):
        if not await self._start(name):
            self.failed.add(name)
            return
        ticket = await self.desk.ticket_of(name)
        await self._webhook(self.desk.says(ticket, "assigned"))
        said = Counter()
        sides = ["customer"] * self.each + ["agent"] * self.each
        self._random.shuffle(sides)
        for side in sides:
            text = f"{name} {side} {said[side]}"
            said[side] += 1
            if side == "customer":
                await self._say(name, text)
            else:
                await self._webhook(self.desk.says(ticket, "message", text))
        if self.desk.kind != "blind":  # where the agent may wait for ever for what is held
            await self.desk.received(ticket, self.each)
        # A session that is closed while it is in doubt whether a message has arrived leaves that to a person.
        await eventually(partial(self._quiet, name), every=0.2, patience=120, what=f"the last message of {name}")
        await self._webhook(self.desk.says(ticket, "closed"))

    async def _quiet(self, name):
        o = outbox.c
        sends = sa.select(o.key).where(o.conversation_id == name, o.state < 2, o.kind == "send_to_desk")
        try:
            async with self._store.read() as conn:
                return (await conn.execute(sends.limit(1))).first() is None
        except StoreError:
            return False  # it was crashed by the test

    async def _start(self, name):
        def begun(result):
            return result["status"] not in {"starting", "unavailable"}

        result = await self._hand_in("start", begun, conversation=name)
        return result["status"] == "started"

    async def _say(self, name, text):
        await self._hand_in("say", lambda silence: silence, conversation=name, id=text, text=text)

    async def _webhook(self, delivery):
        await self._hand_in("webhook", lambda receipt: receipt["accepted"], **delivery)

    async def _hand_in(self, what, is_taken, **arguments):
        """Hand something in until it is acknowledged, and some of it once more."""
        while self.accepted >= self._allowed:
            self._more.clear()
            await self._more.wait()
        self._handing += 1
        answer = await self._until_taken(what, is_taken, **arguments)
        self.accepted += 1
        if self._random.random() < self._repeats:
            self.again += 1
            await self._until_taken(what, is_taken, **arguments)
        self._handing -= 1
        return answer

    async def _until_taken(self, what, is_taken, **arguments):
        first = True
        while True:
            self.again += not first
            first = False
            worker = await self.fleet.any()
            try:
                answer = await worker.ask(what, patience=self._patience, **arguments)
            except GoneError:
                self.refused["gone"] += 1
                continue
            except RefusedError as error:
                if error.kind != "StoreError":
                    raise
                self.refused[error.detail] += 1
            else:
                if is_taken(answer):
                    return answer
                assert what != "say", f"{arguments} was not taken: the bot would answer as well"
                self.refused[f"{what} {answer['status']}"] += 1
            await asyncio.sleep(0.05)  # as whoever repeats it would

    # What came of it ------------------------------------------------------------------------------------------

    async def settled(self, *, patience=120.0):
        """Return once nothing is open any more."""

        async def nothing_open():
            return not await open_work(self._store)

        await eventually(nothing_open, patience=patience, every=0.1, what="the end of all work")
        self.seconds = since(self._began)
        self.channel.read()

    async def tally(self):
        """Compare what was said with what arrived."""
        tally = Tally(accepted=self.accepted, again=self.again)
        async with self._store.read() as conn:
            d, c = dead_letters.c, conversations.c
            letters = (await conn.execute(sa.select(d.source, d.kind, d.failure, d.detail, d.key))).all()
            owners = {row.id: row.speaker for row in await conn.execute(sa.select(c.id, c.speaker))}
        unresolved = {one.key for one in letters if one.failure == "unresolved"}
        tally.unresolved = len(unresolved)
        tally.letters = Counter(f"{one.source} {one.kind} {one.failure}" for one in letters)
        for name in self.names:
            if name not in self.failed:
                self._judge(name, tally, {key.rpartition(":")[2] for key in unresolved})
            if owners.get(name) != "bot":
                tally.wrong.append(f"{name}: the bot is silent for ever")
        return tally

    def _judge(self, name, tally, unresolved):
        tickets = [one for one in self.desk.tickets.values() if one.conversation == name]
        if len(tickets) != 1:
            tally.doubled.append(f"{name}: {len(tickets)} tickets")
        customer = [f"{name} customer {number}" for number in range(self.each)]
        agent = [f"{name} agent {number}" for number in range(self.each)]
        shown = self.channel.shown[name]
        given_back = {id_ for row in shown if row["kind"] == "resume" for id_ in row["pending"]}
        _compare(tally, customer, tickets[0].sent if tickets else [], unresolved | given_back)
        told = [row["text"] for row in shown if row["kind"] == "send"]
        if unresolved:
            told = [text for text in told if text != IN_DOUBT]
        _compare(tally, [OPENED, JOINED, *agent, ENDED], told, set())
        backs = [row for row in shown if row["kind"] == "resume"]
        if len(backs) != 1 or shown[-1] is not backs[0]:
            tally.wrong.append(f"{name}: handed back {len(backs)} times")
            return
        tally.given_back += len(backs[0]["pending"])
        said = backs[0]["transcript"]
        _compare(tally, customer, [text for role, text in said if role == "user"], set())
        _compare(tally, agent, [text for role, text in said if role == "agent"], set())
        if backs[0]["text"] != "agent_closed":
            tally.wrong.append(f"{name}: ended by {backs[0]['text']}")


def _compare(tally, wanted, found, excused):
    counts = Counter(found)
    tally.lost += [text for text in wanted if not counts[text] and text not in excused]
    tally.doubled += [text for text in wanted if counts[text] > 1]
    tally.wrong += [text for text in counts if text not in wanted]
    order = {text: place for place, text in enumerate(wanted)}
    places = [order[text] for text in dict.fromkeys(found) if text in order]
    tally.disordered += [wanted[later] for earlier, later in pairwise(places) if later < earlier]


async def open_work(store):
    """Return how many inputs, effects and deliveries are open."""
    async with store.read() as conn:
        counts = [
            sa.select(sa.func.count()).select_from(inputs).where(inputs.c.state == 0),
            sa.select(sa.func.count()).select_from(outbox).where(outbox.c.state < 2),
            sa.select(sa.func.count()).select_from(deliveries).where(deliveries.c.state.in_((0, 3))),
        ]
        return sum([(await conn.execute(count)).scalar_one() for count in counts])


def since(began):
    """Return the seconds since then, by the clock of ``time.monotonic``."""
    return time.monotonic() - began


def told(what, storm, tally):
    """Return the figures of a storm in one line."""
    desk, channel = storm.desk, storm.channel
    return (
        f"{what}: {tally.accepted} inputs and {tally.again} repeats over {len(storm.names)} hand-offs, "
        f"{storm.fleet.kills} kills, {storm.seconds:.0f} s: {len(tally.lost)} lost, {len(tally.doubled)} doubled, "
        f"{len(tally.disordered)} out of order, {tally.unresolved} unresolved "
        f"({desk.absorbed} repeats known to the helpdesk, {channel.repeats} to the host)"
    )
