"""The bot, as what carries effects out sees it: its hand-backs are those of :mod:`hitl_core.bridge.handoff`."""

from __future__ import annotations

from typing import Protocol

from hitl_core.bridge.handoff.records import HandBack
from hitl_core.bridge.host import Notice
from hitl_core.messages import AnyMessage
from hitl_core.people import Author

__all__ = ["Host", "Notice"]


class Host(Protocol):
    """The bot.

    Calls for one conversation come one after the other, in the order the customer should see them. A call that raises,
    or takes longer than 30 seconds, is repeated with the same ``key``: show what carries a known key once.
    """

    async def send(self, conversation_id: str, message: AnyMessage, sender: Author, *, key: str) -> None:
        """Show a message to the customer.

        :param message: media may carry a ``ref``, to be opened through the bridge.
        :param sender: an agent, or ``system`` for the bridge's own texts.
        """
        ...

    async def resume(self, conversation_id: str, hand_back: HandBack, *, key: str) -> None:
        """Take the conversation back."""
        ...

    async def notify(self, event: Notice, *, key: str) -> None:
        """Take note of an event. Never let the bot answer it: a human may have the conversation (behaviour R03)."""
        ...
