"""Telling the host that an agent is typing: past all lanes, best effort, and never in anybody's way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from hitl_core.bridge.engine.classify import is_stray
from hitl_core.events import AgentTyping

__all__ = ["Tell", "Typing"]

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 64

Tell = Callable[[str, str, AgentTyping], Awaitable[None]]


class Typing:
    """What is being told just now.

    :param tell: takes (conversation, hand-off, event).
    :param told: called when one has been told.
    """

    def __init__(self, tell: Tell, told: Callable[[], None]) -> None:
        self._tell = tell
        self._told = told
        self._tasks: set[asyncio.Task[None]] = set()

    def __bool__(self) -> bool:
        return bool(self._tasks)

    def notice(self, conversation_id: str, handoff_id: str, event: AgentTyping) -> None:
        """Tell it; when whoever takes it is too slow for what is only good for a moment, leave it."""
        if len(self._tasks) >= _AT_ONCE:
            return
        task = asyncio.create_task(self._run(conversation_id, handoff_id, event))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def aclose(self) -> None:
        """Break off what is being told."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, conversation_id: str, handoff_id: str, event: AgentTyping) -> None:
        try:
            await self._tell(conversation_id, handoff_id, event)
        except BaseException as error:  # the host's code; nothing depends on it
            if not isinstance(error, Exception) and not is_stray(error):
                raise
            logger.warning("that an agent is typing could not be shown (%s)", type(error).__name__)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._told()
