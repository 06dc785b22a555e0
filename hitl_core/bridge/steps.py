"""A decision in the making: the record so far and the effects so far."""

from __future__ import annotations

from datetime import datetime

from hitl_core.bridge.effects import Effect, NotifyBot, Resume, SendToDesk, TellCustomer, effect_key
from hitl_core.bridge.policy import NOTHING, Policy
from hitl_core.bridge.records import ASSIGNMENT_TIMER, EndReason, HandBack, Handoff, PendingMessage, Phase
from hitl_core.events import AgentMessage, AgentMessageDeleted, AgentMessageUpdated, SessionEvent, StopReason
from hitl_core.messages import Text
from hitl_core.people import Agent, Author, Role
from hitl_core.sessions import HitlSession

__all__ = ["Step"]


class Step:
    """What one input leads to; changed in place while it is decided, by nobody else."""

    def __init__(self, handoff: Handoff, now: datetime) -> None:
        self.handoff = handoff
        self.now = now
        self.effects: list[Effect] = []
        self.cancelled: list[str] = []

    @property
    def policy(self) -> Policy:
        """The policy frozen at the start (behaviour S045, S046)."""
        return self.handoff.policy

    def key(self, what: str, id: str | int = "") -> str:
        """Return the key of an effect of this hand-off."""
        return effect_key(self.handoff.id, what, id)

    def change(self, **changes: object) -> None:
        """Change fields of the record."""
        self.handoff = self.handoff.with_changes(**changes)

    def add(self, effect: Effect) -> None:
        """Ask for an effect."""
        self.effects.append(effect)

    def first_time(self, id: str) -> bool:
        """Remember a fact by its id; ``False`` when it was taken in before (behaviour F22)."""
        if id in self.handoff.seen:
            return False
        self.change(seen=self.handoff.seen | {id})
        return True

    def tell(self, what: str, text: str, *, id: str | int = "", after: tuple[str, ...] = ()) -> None:
        """Tell the customer one of our texts, unless it is configured away (behaviour S030)."""
        if text != NOTHING:
            key = self.key(what, id)
            self.add(TellCustomer(key=key, after=after, message=Text(text=text), sender=Author.system()))

    def notify(self, event: SessionEvent) -> None:
        """Let the host know."""
        keys: tuple[str, ...] = ()
        if isinstance(event, AgentMessageUpdated | AgentMessageDeleted):
            keys = self.handoff.shown.get(event.message_id, ())
        self.add(NotifyBot(key=self.key("notify", event.event_id), event=event, message_keys=keys))

    def relay_agent(self, event: AgentMessage) -> None:
        """Show an agent's message to the customer, under the agent's name (behaviour S081, S082)."""
        sender = Author.agent(event.agent) if event.agent else Author(role=Role.AGENT)
        if not sender.name:
            sender = sender.model_copy(update={"name": self.policy.agent_fallback_name})
        key = self.key("agent", event.event_id)
        keys = (*self.handoff.shown.get(event.message_id, ()), key)
        self.change(shown={**self.handoff.shown, event.message_id: keys})
        self.add(TellCustomer(key=key, message=event.message, sender=sender))

    def answer_agent(self, session: HitlSession, event_id: str) -> None:
        """Tell the agent that the customer cannot see that kind of message (behaviour S079)."""
        text = Text(text=self.policy.on_incompatible_msg_type_message)
        key = self.key("incompatible", event_id)
        self.add(SendToDesk(key=key, session=session, message=text, author=Author.system()))

    def assign(self, agent: Agent | None, at: datetime | None, *, implied: bool = False) -> None:
        """Let this agent have it; compare-and-set on the agent's id (behaviour S090, S091, F09).

        :param implied: concluded from a message rather than told by the helpdesk.
        """
        self.change(
            phase=Phase.ACTIVE,
            agent=agent or self.handoff.agent,
            agent_implied=implied,
            agent_at=at or self.handoff.agent_at,
            timers={name: due for name, due in self.handoff.timers.items() if name != ASSIGNMENT_TIMER},
        )
        self.announce(agent)

    def announce(self, agent: Agent | None) -> None:
        """Tell the customer who joined, once for each change of agent (behaviour F09)."""
        agent_id = agent.id if agent else ""
        if self.handoff.announced == agent_id or (agent is None and self.handoff.announced is not None):
            return
        number = self.handoff.announcements + 1
        self.change(announced=agent_id, announcements=number)
        text = self.policy.text("on_human_agent_assigned_message", agent_name=agent.name if agent else None)
        self.tell("joined", text or NOTHING, id=number)

    def hand_back(
        self,
        reason: EndReason,
        pending: tuple[PendingMessage, ...],
        stop_reason: StopReason | None,
        *,
        flow: bool,
    ) -> None:
        """Give the conversation back to the bot, with what was not relayed."""
        marker = self.policy.hand_back_marker
        back = HandBack(
            handoff_id=self.handoff.id,
            conversation_id=self.handoff.conversation_id,
            reason=reason,
            stop_reason=stop_reason,
            session=self.handoff.session,
            agent=self.handoff.agent,
            pending=pending,
            marker="" if marker == NOTHING else marker,
            continue_flow=flow,
        )
        self.add(Resume(key=self.key("resume"), hand_back=back))
