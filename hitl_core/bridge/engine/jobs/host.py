"""Towards the bot: carrying out the effects of the customer lane on the host, one call at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

from hitl_core.bridge.engine.classify import frames, is_stray
from hitl_core.bridge.engine.jobs.writes import grown, since
from hitl_core.bridge.engine.progress import Advance, Directory, Progress
from hitl_core.bridge.handoff.effects import AnyEffect, NotifyBot, Resume, TellCustomer
from hitl_core.bridge.handoff.inputs import EffectFailed, Failure
from hitl_core.bridge.handoff.records import HandBack
from hitl_core.bridge.host import Host, Notice
from hitl_core.clock import Clock
from hitl_core.errors import HitlError, InvalidRequestError, StoreError, UnsupportedError
from hitl_core.events import AgentMessageDeleted, AgentMessageUpdated
from hitl_core.sessions import HistoryEntry

__all__ = ["HostJobs"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

_FIRST_WAIT: Final = 0.2
_LONGEST_WAIT: Final = 30.0
_STORE_WAIT: Final = 1.0


class HostJobs:
    """The bot's part of every hand-off.

    The host knows what it has shown by the key, so a call nobody knows the end of is made again.

    :param host_timeout: seconds a call may take; one that takes longer is given up and made again.
    :param patience: seconds one effect is tried for: a bot that is being deployed must not cost an agent's words.
    """

    def __init__(
        self,
        host: Host,
        *,
        directory: Directory,
        clock: Clock,
        host_timeout: float = 30.0,
        patience: float = 3600.0,
    ) -> None:
        self._host = host
        self._directory = directory
        self._clock = clock
        self._timeout = host_timeout
        self._patience = patience

    def plan(self, effect: AnyEffect) -> Progress:
        """Everything is in the effect already."""
        del effect
        return Progress()

    async def advance(self, effect: AnyEffect, progress: Progress, *, conversation_id: str, handoff_id: str) -> Advance:
        """Call the host once; one that refuses the content, or keeps failing for too long, is not asked again."""
        try:
            call = await self._prepared(effect, conversation_id, handoff_id)
        except StoreError as error:
            logger.warning("effect %s: %s", effect.key, error)
            return Advance(progress=progress, verdict="again", wait=_STORE_WAIT)  # the host was not asked
        timeout = asyncio.timeout(self._timeout)
        try:
            async with timeout:
                await call()
        except BaseException as error:  # the host is somebody else's code
            if not isinstance(error, Exception) and not is_stray(error):
                raise
            return self.failed(effect, progress, error, late=timeout.expired())
        return Advance(progress=progress, verdict="done")

    async def resolve(self, effect: AnyEffect, progress: Progress, *, conversation_id: str, handoff_id: str) -> Advance:
        """Say of an effect nobody wants any more that it is left: a host cannot be asked what it has shown."""
        del effect, conversation_id, handoff_id
        return Advance(progress=progress, verdict="failed")

    def interrupted(self, progress: Progress, attempted_at: datetime) -> Advance:
        """Say where an effect stands whose call was begun at that time and never ended, as its process died."""
        progress = grown(progress, began_at=progress.began_at or attempted_at)
        return Advance(progress=progress, verdict="again")

    async def _prepared(
        self, effect: AnyEffect, conversation_id: str, handoff_id: str
    ) -> Callable[[], Coroutine[Any, Any, None]]:
        match effect:
            case TellCustomer():
                return partial(self._host.send, conversation_id, effect.message, effect.sender, key=effect.key)
            case NotifyBot():
                notice = await self._notice(effect, conversation_id, handoff_id)
                return partial(self._host.notify, notice, key=effect.key)
            case Resume():
                back = await self._hand_back(effect, conversation_id, handoff_id)
                return partial(self._host.resume, conversation_id, back, key=effect.key)
            case _:
                msg = f"{effect.kind!r} is not carried out on the host"
                raise TypeError(msg)

    async def _notice(self, effect: NotifyBot, conversation_id: str, handoff_id: str) -> Notice:
        event = effect.event
        keys: tuple[str, ...] = ()
        if isinstance(event, AgentMessageUpdated | AgentMessageDeleted):
            keys = await _or(keys, self._directory.shown_keys(event.session, event.message_id))
        return Notice(conversation_id=conversation_id, handoff_id=handoff_id, event=event, message_keys=keys)

    async def _hand_back(self, effect: Resume, conversation_id: str, handoff_id: str) -> HandBack:
        nothing: tuple[HistoryEntry, ...] = ()
        changes: dict[str, object] = {"transcript": await _or(nothing, self._directory.transcript(handoff_id))}
        if effect.hand_back.continue_flow and not await _or(True, self._directory.bot_has(conversation_id)):
            # The next hand-off has begun meanwhile: the bot takes its history and stays silent.
            changes["continue_flow"] = False
        return effect.hand_back.model_copy(update=changes)

    def failed(self, effect: AnyEffect, progress: Progress, error: BaseException, *, late: bool = False) -> Advance:
        """Say where an effect stands after a call that raised an error.

        :param late: it is no error of the host's own, but took too long.
        """
        number, kind = progress.failures + 1, type(error).__name__
        what = f"took longer than {self._timeout:g} s" if late else f"raised {kind}"
        if isinstance(error, HitlError):
            more = f": {error}"
        else:  # without its own words: they may quote the customer
            more = f"\n{frames(error)}" if number == 1 and not late else ""
        logger.warning("effect %s: call %d, the host %s%s", effect.key, number, what, more)
        now = self._clock.now()
        progress = grown(progress, failures=number, began_at=progress.began_at or now)
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(number - 1, 16))
        refused = isinstance(error, InvalidRequestError | UnsupportedError)
        if not refused and since(now, progress.began_at) + wait <= self._patience:
            return Advance(progress=progress, verdict="again", wait=wait)
        detail = f"the host {what}" if refused else f"the host failed {number} times; the last call {what}"
        report = EffectFailed(key=effect.key, failure=Failure.REFUSED, detail=detail)
        return Advance(progress=progress, verdict="failed", report=report)


async def _or(otherwise: T, looked_up: Awaitable[T]) -> T:
    """Look something up; what cannot be read must not keep the conversation from the bot.

    :raises StoreError: the database is lost; ask again.
    """
    try:
        return await looked_up
    except StoreError:
        raise
    except BaseException as error:  # one row of another version is enough
        if not isinstance(error, Exception) and not is_stray(error):
            raise
        logger.error("a look-up for the host failed with %s\n%s", type(error).__name__, frames(error))
        return otherwise
