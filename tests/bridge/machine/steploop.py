"""An event loop that goes only as far as it is told, on a time of its own.

Nothing waits: time all but stands still until it is moved, and then whatever was due by then happens. What two runs do
is the same, step by step, so that a test can stop between any two of them.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from heapq import heappop

_SPINS = 200_000
"""More steps than anything takes in one moment: it would go on for ever."""

_TAKES = 1e-6
"""Seconds a step takes, so that no two things happen at the same time."""

_BEGINNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class StepLoop(asyncio.BaseEventLoop):
    """Runs in the thread of whoever steps it; there are no others, and no sockets.

    :ivar failures: exceptions of tasks and callbacks that nobody took.
    :ivar steps: how many were taken.
    :ivar worked: called after what would be done in a thread, and may still make it fail.
    """

    def __init__(self):
        super().__init__()
        self._moment = 0.0
        self.steps = 0
        self.failures = []
        self.worked = lambda: None
        self.set_exception_handler(lambda _, context: self.failures.append(context))

    def time(self):
        return self._moment

    def reset(self):
        """Begin again at the beginning of time; nobody is left."""
        assert not asyncio.all_tasks(self)
        self._ready.clear()
        self._scheduled.clear()
        self._moment = 0.0
        self.failures.clear()

    def _write_to_self(self):
        """Nobody sleeps in a select."""

    def run_in_executor(self, executor, func, *args):
        """Do it in a step of its own, where a thread would: whoever is cut before it has not done it."""
        del executor
        future = self.create_future()

        def work():
            try:
                result = func(*args)
                self.worked()
            except Exception as error:  # noqa: BLE001 - it is told to whoever waits
                future.set_exception(error)
            else:
                future.set_result(result)

        self.call_soon(work)
        return future

    # Stepping -------------------------------------------------------------------------------------------------

    def step(self, most=1):
        """Take up to ``most`` steps, each of one task from one await to the next; return how many there were."""
        taken = 0
        asyncio._set_running_loop(self)
        try:
            while taken < most and self._ready:
                handle = self._ready.popleft()
                if not handle._cancelled:
                    self._moment += _TAKES
                    handle._run()
                    taken += 1
        finally:
            asyncio._set_running_loop(None)
        self.steps += taken
        return taken

    def rest(self):
        """Go on until everybody waits for time to pass."""
        if self.step(_SPINS) == _SPINS:
            raise AssertionError("it goes on for ever without time passing")

    def due(self):
        """Return when something is due next, in seconds from now; ``None`` for never."""
        while self._scheduled and self._scheduled[0]._cancelled:
            heappop(self._scheduled)._scheduled = False
        return self._scheduled[0]._when - self._moment if self._scheduled else None

    def jump(self, seconds):
        """Let time pass at once, as for a process that was stopped: everything due meanwhile is due now."""
        self._moment += max(seconds, 0.0)
        while (left := self.due()) is not None and left <= 0:
            handle = heappop(self._scheduled)
            handle._scheduled = False
            self._ready.append(handle)

    def spend(self, seconds):
        """Let time pass, doing at each moment what is due."""
        end = self._moment + seconds
        self.rest()
        while (left := self.due()) is not None and self._moment + left <= end:
            self.jump(left)
            self.rest()
        self.jump(end - self._moment)

    def finish(self, work, patience=3600.0):
        """Run a coroutine to its end, letting time pass only while nothing else can be done."""
        task = self.create_task(work)
        end = self._moment + patience
        while not task.done():
            if self.step():
                continue
            left = self.due()
            assert left is not None, "everybody waits for somebody else"
            assert self._moment + left <= end, f"not done in {patience:g} s"
            self.jump(left)
        return task.result()


class LoopClock:
    """The time of a loop as a clock."""

    def __init__(self, loop):
        self._loop = loop

    def now(self):
        return _BEGINNING + timedelta(seconds=self._loop.time())

    def monotonic(self):
        return self._loop.time()

    async def sleep(self, seconds):
        await asyncio.sleep(max(seconds, 0.0))
