"""Processes of our own: started, told to stop, asked for what they have seen."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess
from typing import Any, Final

from benchmarks.bridge.nothing import Counter
from benchmarks.bridge.scene import bridged

__all__ = ["Child", "child", "work"]

_PATIENCE: Final = 3600.0  # the longest measurement there is
_END: Final = 10.0


class Child:
    """A process and the pipe to it."""

    def __init__(self, process: BaseProcess, pipe: Pipe) -> None:
        self._process = process
        self._pipe = pipe

    async def hear(self) -> Any:
        """Return the next thing it says.

        :raises EOFError: it ended without a word.
        """
        return await asyncio.to_thread(self.hear_now)

    def hear_now(self) -> Any:
        """Wait for the next thing it says."""
        if not self._pipe.poll(_PATIENCE):
            msg = "a process of the benchmark says nothing"
            raise TimeoutError(msg)
        return self._pipe.recv()

    def tell(self, what: Any) -> None:
        """Say something to it."""
        self._pipe.send(what)


@contextmanager
def child(run: Callable[..., None], *arguments: Any) -> Iterator[Child]:
    """Run a function in a process of its own, its pipe to us behind the arguments; it is gone at the end."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=run, args=(*arguments, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Child(process, ours)
    finally:
        ours.close()
        process.join(_END)
        process.terminate()
        process.join()


def work(url: str, pipe: Pipe) -> None:
    """Be a worker until told to stop, then say how many messages the vendor got from here."""
    asyncio.run(_work(url, pipe))


async def _work(url: str, pipe: Pipe) -> None:
    counter = Counter()
    async with bridged(url, counter):
        pipe.send("ready")
        await asyncio.to_thread(pipe.recv)
    pipe.send(counter.sent)
