"""Workers as the test sees them: made, killed, stopped and asked."""

import asyncio
import itertools
import json
import random
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from .wire import Client

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


async def eventually(condition, *, patience=60.0, every=0.01, what="it"):
    """Return what a condition gives once it holds; the bound only ends a test that has failed.

    :param what: what was waited for, or how to tell how far it has come.
    """
    try:
        async with asyncio.timeout(patience):
            while True:
                found = condition()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return found
                await asyncio.sleep(every)
    except TimeoutError:
        told = what() if callable(what) else what
        raise AssertionError(f"in {patience:g} s did not come true: {told}") from None


class Nursery:
    """The process that makes workers."""

    def __init__(self, process):
        self._process = process
        self._answer()

    def tell(self, **told):
        """Have it do something, and return its answer."""
        self._process.stdin.write(json.dumps(told).encode() + b"\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        assert line, "the nursery has died"
        return json.loads(line)


@contextmanager
def nursery(log):
    """Have a nursery while the block lasts.

    :param log: the file it and its workers write to.
    """
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-W", "error", str(HERE / "worker.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, cwd=ROOT,
        ) as process,
    ):  # fmt: skip
        try:
            yield Nursery(process)
        finally:
            process.stdin.close()
            process.wait(20)


class GoneError(Exception):
    """A worker did not answer: what was asked may have been done."""


class Worker:
    """A worker.

    :ivar ready: it takes questions.
    :ivar stopped: it was sent SIGSTOP.
    """

    def __init__(self, pid, client):
        self.pid = pid
        self.ready = False
        self.stopped = False
        self._client = client

    async def ask(self, what, *, patience=30.0, **arguments):
        """Ask it, and return the answer.

        :raises GoneError: there is none.
        :raises RefusedError: it is an error.
        """
        try:
            async with asyncio.timeout(patience):
                return await self._client.ask(what, **arguments)
        except (ConnectionError, TimeoutError):
            raise GoneError(what) from None

    async def close(self):
        """Hang up."""
        await self._client.close()


class Fleet:
    """All workers of a test, on one database.

    :param settings: of each worker.
    :ivar workers: those that live.
    :ivar kills: how many were killed.
    """

    def __init__(self, nursery, home, seed=0, **settings):
        self.workers = []
        self.kills = 0
        self._nursery = nursery
        self._home = home
        self._settings = settings
        self._numbers = itertools.count(1)
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self._changed = asyncio.Event()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        for worker in list(self.workers):
            await self._end(worker)

    async def begin(self, **more):
        """Begin a worker, and return it once it takes questions."""
        path = str(self._home / f"w{next(self._numbers)}")
        pid = self._nursery.tell(fork={**self._settings, **more, "socket": path})["pid"]
        client = Client(path)
        worker = Worker(pid, client)
        self.workers.append(worker)  # to be ended, whatever comes

        async def connected():
            try:
                return await client.open()
            except OSError:
                return None

        await eventually(connected, what=f"worker {pid}", every=0.02)
        worker.ready = True
        self._changed.set()
        return worker

    async def kill(self, worker):
        """Kill it with SIGKILL; it is dead when this returns."""
        await self._end(worker)
        self.kills += 1

    async def _end(self, worker):
        self.workers.remove(worker)
        self._signal(worker, signal.SIGKILL)
        await worker.close()

    def stop(self, worker):
        """Let it stand still."""
        worker.stopped = True
        self._signal(worker, signal.SIGSTOP)

    def go_on(self, worker):
        """Let it go on."""
        self._signal(worker, signal.SIGCONT)
        worker.stopped = False
        self._changed.set()

    def _signal(self, worker, number):
        answer = self._nursery.tell(signal=int(number), pid=worker.pid)
        assert "error" not in answer, answer

    async def any(self):
        """Return a worker that can be asked, once there is one."""
        async with asyncio.timeout(60):
            while not (able := [worker for worker in self.workers if worker.ready and not worker.stopped]):
                self._changed.clear()
                await self._changed.wait()
        return self._random.choice(able)
