"""Towards the bot: carrying out the effects of the customer lane on the host."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from hitl_core.bridge.desk_side import DeadLetter
from hitl_core.bridge.effects import CustomerEffect, NotifyBot, Resume, TellCustomer
from hitl_core.bridge.host import Host, Notice
from hitl_core.bridge.inputs import Failure
from hitl_core.clock import Clock

__all__ = ["HostSide"]

logger = logging.getLogger(__name__)

_ATTEMPTS: Final = 8
_LONGEST_WAIT: Final = 30.0


class HostSide:
    """The host, as every customer lane sees it.

    :param may_resume: whether the bot has the conversation; asked right before it is given back.
    :param dead: takes what the host keeps refusing.
    """

    def __init__(
        self,
        host: Host,
        *,
        clock: Clock,
        may_resume: Callable[[str], bool],
        dead: Callable[[DeadLetter], None],
    ) -> None:
        self._host = host
        self._clock = clock
        self._may_resume = may_resume
        self._dead = dead

    async def run(self, conversation_id: str, handoff_id: str, effect: CustomerEffect) -> None:
        """Carry one effect out; a host that raises is asked again with the same key."""
        for attempt in range(_ATTEMPTS):
            try:
                await self._once(conversation_id, handoff_id, effect)
            except Exception as error:  # noqa: BLE001 - the host is somebody else's code
                kind = type(error).__name__
                logger.warning("the host failed at %s (%s), attempt %d", effect.kind, kind, attempt + 1)
                if attempt + 1 == _ATTEMPTS:
                    detail = f"the host raised {kind} {_ATTEMPTS} times"
                    self._dead(DeadLetter(handoff_id, effect.kind, effect.key, Failure.REFUSED, detail))
                    return
                await self._clock.sleep(min(_LONGEST_WAIT, 0.2 * 2.0**attempt))
            else:
                return

    async def _once(self, conversation_id: str, handoff_id: str, effect: CustomerEffect) -> None:
        match effect:
            case TellCustomer():
                await self._host.send(conversation_id, effect.message, effect.sender, key=effect.key)
            case NotifyBot():
                notice = Notice(
                    conversation_id=conversation_id,
                    handoff_id=handoff_id,
                    event=effect.event,
                    message_keys=effect.message_keys,
                )
                await self._host.notify(notice, key=effect.key)
            case Resume():
                back = effect.hand_back
                if not self._may_resume(conversation_id):
                    # The next hand-off has begun meanwhile: the bot takes its history and stays silent.
                    back = back.model_copy(update={"continue_flow": False})
                await self._host.resume(conversation_id, back, key=effect.key)
