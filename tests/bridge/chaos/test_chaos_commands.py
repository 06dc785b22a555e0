"""`hitl` beside a server that is busy on the same SQLite file: no command fails, and no write of either is lost."""

import asyncio
import json
import sys
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from hitl_core.bridge.handoff.inputs import StopRequested
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.inbox import input_row
from hitl_core.bridge.store.letters import Letters
from hitl_core.bridge.store.tables import InputState, inputs

from .desk import Desk
from .fleet import HERE, ROOT, eventually
from .storm import Storm, told

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("backend", ["sqlite"], indirect=True)]

CONVERSATIONS = 200  # of the server's own: 5,000 inputs
BY_COMMAND = 60  # hand-offs that commands end, and whose customers they forget
LETTERS = 120
CLERKS = 2


class Clerks:
    """Processes that run `hitl`.

    :ivar ran: how often each command was run.
    :ivar bad: what ended otherwise than it should have.
    """

    def __init__(self, url):
        self._url = url
        self._free = asyncio.Queue()
        self.ran = Counter()
        self.bad = []

    @property
    def written(self):
        """How many of them were to write."""
        return sum(count for command, count in self.ran.items() if command not in {"sessions list", "sessions show"})

    @asynccontextmanager
    async def at_work(self, count):
        pipe = asyncio.subprocess.PIPE
        command = [sys.executable, "-W", "error", str(HERE / "clerk.py")]
        processes = [
            await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, cwd=ROOT) for _ in range(count)
        ]
        try:
            for process in processes:
                self._free.put_nowait(process)
            yield self
        finally:
            for process in processes:
                process.stdin.close()
                await process.wait()

    async def hitl(self, command, *also, unless=None):
        """Run a command and return what it printed; whatever it tells on stderr is bad, unless it is ``also`` right.

        :param unless: what it says where it may refuse; then nothing is returned.
        """
        process = await self._free.get()
        try:
            process.stdin.write(json.dumps([*command.split(), "--db", self._url]).encode() + b"\n")
            code, out, err = json.loads(await process.stdout.readline())
        finally:
            self._free.put_nowait(process)
        if unless and unless in err:
            return None
        self.ran[" ".join(command.split()[:2])] += 1
        if (code, err) != (0, "") and not (code == 0 and err in also):
            self.bad.append((command, code, err))
        return out


async def dead_letters(url):
    """Put commands that came to nothing into the database, and return their numbers."""
    now = datetime.now(UTC)
    async with Store(url) as store, store.write() as conn:
        numbers = []
        for number in range(LETTERS):
            row = input_row("default", f"dead-{number}", f"command:dead-{number}", StopRequested(), now)
            row |= {"state": InputState.DEAD.value, "outcome": "dead letter", "done_at": now}
            position = (await conn.execute(inputs.insert(), row)).inserted_primary_key[0]
            facts = {"key": f"command:dead-{number}", "kind": "stop_requested", "failure": "refused", "detail": "x"}
            letter = Letters(store, "default").add
            numbers.append(
                await letter(
                    conn,
                    source="input",
                    source_position=position,
                    at=now,
                    conversation_id=f"dead-{number}",
                    **facts,
                )
            )
    return numbers


async def operate(scene, clerks, names, letters):
    """Do with commands what operators do, while the server is busy."""
    for place, name in enumerate(names):
        await clerks.hitl(f"sessions end {name} --wait 60", "It has ended: stop_requested.\n")
        await clerks.hitl(f"deadletters drop {letters[2 * place]}")
        await clerks.hitl(f"deadletters replay {letters[2 * place + 1]}")
        await clerks.hitl(
            "sessions list --json --limit 10", "These are 10; --limit shows more.\n", "No hand-off is open.\n"
        )
        if place % 10 == 0:
            await clerks.hitl("reconcile", "No ticket is open.\n")
            await clerks.hitl("db upgrade", "The database is up to date.\n")
            await clerks.hitl("db purge --older-than 1", "There was nothing to let go of.\n")
        if place % 2:
            await eventually(lambda name=name: back(scene, name), what=f"{name} is handed back")
            assert json.loads(await clerks.hitl(f"sessions show {name} --json"))["end_reason"]
            await eventually(lambda name=name: erased(clerks, name), every=0.1, what=f"{name} is forgotten")


async def erased(clerks, name):
    """Forget a customer, and return whether it was done: what is still under way for them is done first."""
    return await clerks.hitl(f"db erase-customer u-{name}", unless="ask again in a moment") is not None


def back(scene, name):
    """Return how often a conversation was handed back to the bot."""
    scene.channel.read()
    return sum(row["kind"] == "resume" for row in scene.channel.shown[name])


async def test_10000_writes_of_a_server_and_of_commands_meet_without_an_error_or_a_loss(
    backend, database_url, stage, figures
):
    async with stage(database_url, desk=Desk("keyed", latency=0.002)) as scene:
        worker = await scene.fleet.begin()
        letters = await dead_letters(database_url)
        names = [f"e{number}" for number in range(BY_COMMAND)]
        for name in names:
            assert (await worker.ask("start", conversation=name))["status"] == "started"
        storm = Storm(scene, count=CONVERSATIONS)
        async with Clerks(database_url).at_work(CLERKS) as clerks, asyncio.TaskGroup() as group:
            group.create_task(storm.run())
            half = BY_COMMAND // CLERKS
            for number in range(CLERKS):
                mine = slice(number * half, (number + 1) * half), slice(number * 2 * half, (number + 1) * 2 * half)
                group.create_task(operate(scene, clerks, names[mine[0]], letters[mine[1]]))
        await storm.settled()
        tally = await storm.tally()
        left = json.loads(f"[{','.join((await _once(database_url, 'deadletters list --json')).splitlines())}]")
        handed_back = {name: back(scene, name) for name in names}
    ran = ", ".join(f"{count} {command}" for command, count in sorted(clerks.ran.items()))
    writes = storm.total + storm.expected + clerks.written
    figures(f"{told('commands beside a server, sqlite', storm, tally)}; {writes} writes, with {ran}")
    assert writes >= 10_000
    assert not clerks.bad
    assert tally.clean, tally
    assert set(handed_back.values()) == {1}
    assert not left


async def _once(url, command):
    async with Clerks(url).at_work(1) as clerks:
        out = await clerks.hitl(command, "There is no dead letter.\n")
    assert not clerks.bad
    return out
