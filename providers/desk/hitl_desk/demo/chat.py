"""The bot's side: it answers its customers or hands them over, and is silent while a human has the conversation."""

from __future__ import annotations

import logging
from typing import Any, Final

import hitl_core as hitl
from hitl_core.bridge import Bridge, EndReason, HandBack, Notice, Owner, Policy
from hitl_core.clock import Clock
from hitl_core.messages import AnyMessage
from hitl_core.people import Role as AuthorRole
from hitl_desk.demo.bot import GREETING, Reply
from hitl_desk.demo.store import Conversation, Conversations, Entry

__all__ = ["BOT_NAME", "POLICY", "Chat"]

logger = logging.getLogger(__name__)

BOT_NAME: Final = "Shop bot"
POLICY: Final = Policy(
    on_handoff_message="You are waiting for a human. Somebody from our team will be with you shortly.",
    on_hitl_stopped_message="Our team has closed the conversation.",
    on_user_hitl_close_message="You have left the conversation with our team.",
)
_BACK: Final = "I am the bot, and I am back. What else can I do for you?"
_TYPING_SECONDS: Final = 6.0
_TITLE: Final = 80


class Chat:
    """All conversations, between their customers, the bot and the bridge. It is the bridge's host.

    :ivar bridge: set once it runs; until then nobody can be reached but the bot.
    :ivar takes_reason: whether the helpdesk has an option of its own for why the bot hands over; where it has none, the
        reason is what describes the hand-off.
    :ivar closing: the demo is about to end: streams end too.
    """

    def __init__(self, conversations: Conversations, clock: Clock) -> None:
        self.conversations = conversations
        self.clock = clock
        self.bridge: Bridge | None = None
        self.takes_reason = True
        self.closing = False

    def close(self) -> None:
        """End every open stream."""
        self.closing = True
        self.conversations.wake_all()

    # The customer ---------------------------------------------------------------------------------------------

    def begin(self, before: Conversation | None = None) -> tuple[str, Conversation]:
        """Begin a conversation with the bot's greeting; return its secret and itself."""
        token, conversation = self.conversations.create(before)
        conversation.add("bot", hitl.Text(text=GREETING), hitl.Author.bot(BOT_NAME))
        return token, conversation

    async def say(self, conversation: Conversation, message: AnyMessage) -> None:
        """Take in what a customer wrote."""
        author = hitl.Author.user(conversation.customer)
        entry = conversation.add("customer", message, author)
        if entry is None:
            return
        if self.bridge is not None:
            handled = await self.bridge.handle_user_message(
                conversation.id, message, author, message_id=str(entry.number)
            )
            conversation.wake()
            if handled.silence:
                return
        await self._answer(conversation, entry, conversation.bot.answer(_words(message)))

    async def leave(self, conversation: Conversation) -> None:
        """Leave the conversation with a human, as `/end` does."""
        if self.bridge is not None:
            number = len(conversation.records)
            await self.bridge.handle_user_message(
                conversation.id, "/end", hitl.Author.user(conversation.customer), message_id=f"end-{number}"
            )
            conversation.wake()

    async def renew(self, conversation: Conversation | None) -> tuple[str, Conversation]:
        """Leave a conversation for good and begin another."""
        if conversation is not None:
            await self.leave(conversation)
        return self.begin(conversation)

    async def typing(self, conversation: Conversation, *, typing: bool) -> None:
        """Let agents know that the customer is typing."""
        if self.bridge is not None:
            await self.bridge.user_typing(conversation.id, typing=typing)

    async def status(self, conversation: Conversation) -> dict[str, Any]:
        """Say who answers the customer now."""
        handoff = await self.bridge.handoff(conversation.id) if self.bridge else None
        if handoff is None or not handoff.open:
            return {"owner": Owner.BOT.value, "agent": None}
        name = (handoff.agent.name or handoff.policy.agent_fallback_name) if handoff.agent else None
        return {"owner": handoff.owner.value, "agent": name}

    # The bot --------------------------------------------------------------------------------------------------

    async def _answer(self, conversation: Conversation, entry: Entry, reply: Reply) -> None:
        if reply.escalate is not None:
            await self._escalate(conversation, entry, reply.escalate)
        elif reply.text is not None and await self._bot_has(conversation):
            conversation.add("bot", hitl.Text(text=reply.text), hitl.Author.bot(BOT_NAME))

    async def _bot_has(self, conversation: Conversation) -> bool:
        """Whether the bot may speak; asked right before it does."""
        return self.bridge is None or not await self.bridge.silent(conversation.id)

    async def _escalate(self, conversation: Conversation, entry: Entry, reason: str) -> None:
        if self.bridge is None:
            text = "Our team cannot be reached just yet. Please try again in a moment."
            conversation.add("system", hitl.Text(text=text), hitl.Author.system())
            return
        await self.bridge.start_hitl(
            conversation.id,
            conversation.customer,
            _title(conversation),
            history=conversation.history(),
            description=None if self.takes_reason else reason,
            options={"reason": reason} if self.takes_reason else None,
            trigger_message_id=str(entry.number),
            wait=0,  # the customer is told by the bridge, whenever it is so far
        )
        conversation.wake()

    # The host -------------------------------------------------------------------------------------------------

    async def send(self, conversation_id: str, message: AnyMessage, sender: hitl.Author, *, key: str) -> None:
        """Show a message to the customer."""
        conversation = self.conversations.by_id(conversation_id)
        if conversation is not None:
            conversation.agent_typing_until = 0.0
            conversation.add("agent" if sender.role is AuthorRole.AGENT else "system", message, sender, key)

    async def resume(self, conversation_id: str, hand_back: HandBack, *, key: str) -> None:
        """Take the conversation back, say so, and answer what nobody has read."""
        conversation = self.conversations.by_id(conversation_id)
        if conversation is None:
            return
        conversation.bot.misses = 0
        conversation.wake()
        if not hand_back.continue_flow or not await self._bot_has(conversation):
            return
        if hand_back.reason is not EndReason.START_FAILED:
            conversation.add("bot", hitl.Text(text=_BACK), hitl.Author.bot(BOT_NAME), key)
        unread = [words for message in hand_back.pending_messages if (words := _words(message)) is not None]
        reply = conversation.bot.answer(unread[-1]) if unread else Reply()
        if reply.text is not None:
            conversation.add("bot", hitl.Text(text=reply.text), hitl.Author.bot(BOT_NAME), f"{key}:pending")

    async def notify(self, event: Notice, *, key: str) -> None:
        """Take note of what changed: who types, which message is different now."""
        del key  # taking note twice is as good as once
        conversation = self.conversations.by_id(event.conversation_id)
        if conversation is None:
            return
        match event.event:
            case hitl.AgentTyping(typing=typing):
                conversation.agent_typing_until = self.clock.monotonic() + _TYPING_SECONDS if typing else 0.0
            case hitl.AgentMessageUpdated(message=message):
                conversation.change(event.message_keys, message)
            case hitl.AgentMessageDeleted():
                conversation.change(event.message_keys, None)
            case _:
                pass
        conversation.wake()


def _words(message: AnyMessage) -> str | None:
    match message:
        case hitl.Text(text=text):
            return text
        case hitl.Bloc(items=items):
            return next((item.text for item in items if isinstance(item, hitl.Text)), None)
        case _:
            return None


def _title(conversation: Conversation) -> str:
    """Return the customer's last words that are no command, for the agents' list."""
    for record in reversed(conversation.records):
        if isinstance(record, Entry) and record.role == "customer":
            words = " ".join((_words(record.message) or "").split())
            if words and not words.startswith("/"):
                return words if len(words) <= _TITLE else f"{words[: _TITLE - 1].rstrip()}…"
    return "A customer asks for a human"
