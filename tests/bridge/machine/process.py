"""One life of a bridge: begun on a file, stepped through, and ended in order or in the middle of anything."""

import asyncio

from hitl_core.bridge.bridge import Bridge
from hitl_core.connect import connect_class
from hitl_core.errors import StoreError

from .diskstore import DiskStore
from .outside import PROVIDERS, HostEnd, Wire
from .steploop import LoopClock

LIMITS = {"poll_seconds": 5.0, "reconcile_seconds": None, "start_patience": 30.0}


class Process:
    """A process that runs a bridge.

    :ivar bridge: once it is open.
    :ivar calls: what the bot has asked and has not been answered.
    """

    def __init__(self, loop, disk, desks, channel, *, provider, policy):
        self.loop = loop
        self.store = DiskStore(disk, clock=LoopClock(loop))
        disk.dead = False
        self.connections = {
            name: connect_class(
                PROVIDERS[provider],
                alias=name,
                transport=Wire(desk, self.store),
                clock=LoopClock(loop),
                state=desk.state,
                waits="raise",
                **desk.sim.settings("https://desk.test"),
            )
            for name, desk in desks.items()
        }
        self.bridge = Bridge(self.connections, HostEnd(channel, self.store), self.store, policy, **LIMITS)
        self.calls = []
        self.opening = loop.create_task(self._open())

    async def _open(self):
        for connection in self.connections.values():
            await connection.open()
        await self.store.open(migrate=False)
        await self.bridge.__aenter__()

    @property
    def open(self):
        """Whether it has begun to work."""
        return self.opening.done() and self.opening.exception() is None

    @property
    def stillborn(self):
        """Whether it failed to begin, as a process does that a supervisor begins again."""
        return self.opening.done() and self.opening.exception() is not None

    def ask(self, work):
        """Let the bot ask something, without waiting for the answer."""
        task = self.loop.create_task(work)
        self.calls.append(task)
        return task

    def check(self):
        """See to it that nothing has died of itself, and that every call was answered or goes on."""
        for task in [one for one in self.calls if one.done()]:
            self.calls.remove(task)
            task.result()
        if self.open:
            for task in self.bridge._driver._tasks:
                assert not task.done(), f"the bridge stands still: {task}"

    def die(self):
        """Stop where it is. What its tasks do about it reaches nobody any more."""
        self.store.disk.die()
        self._end_tasks()
        self.loop.finish(self._leave())

    async def _leave(self):
        """Let go of what a process holds; on a dead store this writes nothing."""
        try:
            await self.bridge.aclose(grace=0)
        except StoreError:
            assert self.store.dead
        for connection in self.connections.values():
            await connection.close()
        await self.store.close()

    def _end_tasks(self):
        """Cancel everything; what only gives connections back to their pool comes to its end."""
        for task in asyncio.all_tasks(self.loop):
            if not task.get_coro().__qualname__.endswith("AsyncConnection.close"):
                task.cancel()
        while tasks := asyncio.all_tasks(self.loop):
            self.loop.finish(_ended(tasks))


async def _ended(tasks):
    await asyncio.gather(*tasks, return_exceptions=True)
