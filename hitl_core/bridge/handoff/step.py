"""A decision in the making: the record so far and the effects so far."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Final

from hitl_core.bridge.handoff.decision import Decision, StartOutcome
from hitl_core.bridge.handoff.effects import (
    AnyEffect,
    NotifyBot,
    ReadSession,
    SendToDesk,
    TellCustomer,
    effect_key,
)
from hitl_core.bridge.handoff.records import Handoff
from hitl_core.bridge.policy import Policy, TextName
from hitl_core.events import AgentMessage, SessionEvent
from hitl_core.messages import Text
from hitl_core.people import Agent, Author, Role
from hitl_core.sessions import SessionRef

__all__ = ["Step", "policy_text", "system"]

_OFF_HOURS: Final = frozenset({"on_off_hours_message", "on_off_hours_refused_message"})


@cache
def system() -> Author:
    """Return the author of our own texts; made once, at first use."""
    return Author.system()


def policy_text(
    handoff: Handoff, name: TextName, *, agent: Agent | None = None, now: datetime | None = None
) -> str | None:
    """Return one of the policy's texts in the customer's language, its variables filled in (behaviour F33).

    :param now: lets a text say when somebody is there again.
    """
    session, agent = handoff.session, agent or handoff.agent
    opens_at = handoff.policy.next_opening(now) if now is not None and name in _OFF_HOURS else None
    return handoff.policy.text(
        name,
        locale=handoff.user.locale,
        agent_name=agent.name if agent else None,
        user_name=handoff.user.name,
        ticket_url=session.url if session else None,
        ticket_id=session.ref.id if session else None,
        opens_at=opens_at,
    )


class Step:
    """What one input leads to; changed in place while it is decided, by nobody else.

    :ivar handoff: the record so far.
    :ivar cancelled: keys of earlier effects that must not be begun any more.
    """

    __slots__ = ("_before", "_effects", "_reason", "cancelled", "handoff", "now")

    def __init__(self, handoff: Handoff, now: datetime) -> None:
        self.handoff = handoff
        self.now = now
        self.cancelled: list[str] = []
        self._before = handoff
        self._effects: list[AnyEffect] = []
        self._reason: str | None = None

    @property
    def policy(self) -> Policy:
        """The policy frozen at the start (behaviour S045, S046)."""
        return self.handoff.policy

    def key(self, what: str, id: str | int = "") -> str:
        """Return the key of an effect of this hand-off."""
        return effect_key(self.handoff.id, what, id)

    def change(self, **changes: object) -> None:
        """Change fields of the record; a decision makes it one version newer, however much it changes."""
        handoff = self.handoff
        if handoff is self._before:
            changes["version"] = handoff.version + 1
        self.handoff = handoff.model_copy(update=changes)

    def learn(self, **changes: object) -> None:
        """Take in a fact about the session's state: a reading begun before now may be stale."""
        self.change(facts_at=self.now, **changes)

    def replace(self, fresh: Handoff) -> None:
        """Go on with a new hand-off; the one before stays as it ended."""
        self.handoff = fresh

    def ignore(self, reason: str) -> None:
        """Say why the input changes nothing."""
        self._reason = reason

    def add(self, effect: AnyEffect) -> None:
        """Ask for an effect."""
        self._effects.append(effect)

    def tell(self, what: str, name: TextName, *, id: str | int = "", agent: Agent | None = None) -> None:
        """Tell the customer one of our texts, unless it is configured away (behaviour S030)."""
        text = policy_text(self.handoff, name, agent=agent, now=self.now)
        if text:
            self.add(TellCustomer(key=self.key(what, id), message=Text(text=text), sender=system()))

    def tell_agent(self, what: str, name: TextName, *, id: str) -> bool:
        """Tell the agent one of our texts, as a note where the vendor has notes (behaviour F18).

        :returns: whether there is anything to tell, and a session to tell it in.
        """
        text = policy_text(self.handoff, name)
        session = self.handoff.session
        if not text or session is None:
            return False
        key = self.key(what, id)
        self.add(SendToDesk(key=key, session=session, message=Text(text=text), author=system(), internal=True))
        return True

    def notify(self, event: SessionEvent) -> None:
        """Let the host know."""
        self.add(NotifyBot(key=self.key("notify", event.event_id), event=event))

    def read(self, session: SessionRef, *, id: str) -> None:
        """Ask how the session stands."""
        self.add(ReadSession(key=self.key("read", id), session=session))

    def show(self, event: AgentMessage) -> None:
        """Show an agent's message to the customer, under what they may see of the agent (S081, S082, S140)."""
        agent = event.agent
        name = self.policy.agent_name(agent.name if agent else None, locale=self.handoff.user.locale)
        if agent is not None and self.policy.use_human_agent_info:
            sender = Author(role=Role.AGENT, id=agent.id, name=name, avatar_url=agent.avatar_url)
        else:
            sender = Author(role=Role.AGENT, name=name)
        key = self.key("agent", event.event_id)
        self.add(TellCustomer(key=key, message=event.message, sender=sender, vendor_message_id=event.message_id))

    def decision(self, start: StartOutcome | None = None) -> Decision:
        """Return what it has come to; nothing is left without a change, an effect or a reason."""
        cancelled = tuple(self.cancelled)
        effects = self._effects
        if cancelled:
            effects = [effect for effect in effects if effect.key not in cancelled]
        unchanged = self.handoff is self._before
        reason = self._reason if unchanged else None
        if unchanged and not effects:
            reason = reason or "no change"
        return Decision(handoff=self.handoff, effects=tuple(effects), cancelled=cancelled, ignored=reason, start=start)
