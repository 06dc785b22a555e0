"""One conversation and the pure function: feed it inputs, look at what came of the last one."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

from hitl_core.bridge.handoff import (
    AgentEvent,
    EffectDone,
    EffectFailed,
    NotifyBot,
    ReadSession,
    Resume,
    SendToDesk,
    SessionRead,
    StartRequested,
    StopSession,
    TellCustomer,
    TimerFired,
    UserMessage,
    decide,
)
from hitl_core.bridge.policy import Policy
from hitl_core.calls.state import SessionState
from hitl_core.events import AgentAssigned, AgentMessage, SessionStopped, StopReason
from hitl_core.messages import Text
from hitl_core.people import Agent, Author, EndUser, ExternalUser, Role
from hitl_core.sessions import HistoryEntry, HitlSession, SessionRef

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
REF = SessionRef(connection="default/desk", id="t1")
SESSION = HitlSession(ref=REF, provider="desk", url="https://desk.example/t1")
CUSTOMER = ExternalUser(id="cus_1", name="Ada")
ADA = EndUser(external_id="u1", name="Ada")
BEA = Agent(id="a1", name="Bea", avatar_url="https://desk.example/bea.png")
CYD = Agent(id="a2", name="Cyd")
HISTORY = (HistoryEntry.of(Author.user(name="Ada"), "Where is my parcel?"),)


def after(seconds: float) -> datetime:
    """Return a time after the scenes begin."""
    return NOW + timedelta(seconds=seconds)


class Scene:
    """A conversation whose latest hand-off is ``handoff``."""

    def __init__(self, *, user: EndUser = ADA, **policy: Any) -> None:
        self.policy = Policy(**policy)
        self.user = user
        self.handoff: Any = None
        self.last: Any = None
        self.now = NOW
        self.number = 0
        self.starts = 0

    # What happens ---------------------------------------------------------------------------------------------

    def feed(self, input):
        before = pickle.dumps(self.handoff)
        self.last = decide(self.handoff, input, self.policy, self.now)
        assert pickle.dumps(self.handoff) == before, "a decision changes nothing in place"
        changed = self.last.handoff != self.handoff
        assert changed or self.last.effects or self.last.ignored, "every input ends in a change, an effect or a reason"
        assert not (changed and self.last.ignored), "what is ignored changes nothing"
        self.handoff = self.last.handoff
        return self.last

    def start(self, key=None, connections=("default/desk",), **fields):
        self.starts += 1
        return self.feed(
            StartRequested(
                handoff_id=f"h{self.starts}",
                conversation_id="conv-1",
                connections=connections,
                key=key or f"conv-1:{self.starts}",
                user=self.user,
                title="Parcel",
                history=HISTORY,
                **fields,
            )
        )

    def started(self, session=SESSION):
        return self.done(self.handoff.start_effect, session=session, external_user=CUSTOMER)

    def done(self, key, **fields):
        return self.feed(EffectDone(key=key, **fields))

    def failed(self, key, failure, detail=""):
        return self.feed(EffectFailed(key=key, failure=failure, detail=detail))

    def waiting(self):
        self.start()
        self.started()
        return self

    def active(self, agent=BEA):
        self.waiting()
        self.assigned(agent)
        return self

    def say(self, text, id=None, **fields):
        self.number += 1
        message = Text(text=text) if isinstance(text, str) else text
        return self.feed(
            UserMessage(message_id=id or f"m{self.number}", message=message, author=Author.user(), **fields)
        )

    def event(self, kind, *, id=None, at=None, superseded=False, **fields):
        self.number += 1
        if "message" in kind.model_fields:
            fields.setdefault("message_id", f"dm{self.number}")
        fields.setdefault("session", REF)
        made = kind(event_id=id or f"e{self.number}", occurred_at=at, **fields)
        return self.feed(AgentEvent(event=made, superseded=superseded))

    def assigned(self, agent, **more):
        return self.event(AgentAssigned, agent=agent, **more)

    def agent_says(self, text, agent=BEA, **more):
        message = Text(text=text) if isinstance(text, str) else text
        return self.event(AgentMessage, agent=agent, message=message, **more)

    def closed(self, reason=StopReason.AGENT_CLOSED, **more):
        return self.event(SessionStopped, reason=reason, **more)

    def read(self, *, began=None, session=REF, gone=False, **state):
        stands = None if gone else SessionState(**{"open": True, **state})
        return self.feed(SessionRead(session=session, state=stands, began_at=began or self.now))

    def fires(self, name, *, early=0.0):
        """The timer is due, and the clock shows so."""
        due = self.handoff.timers[name]
        self.now = due - timedelta(seconds=early)
        return self.feed(TimerFired(handoff_id=self.handoff.id, name=name, due=due))

    # What came of it ------------------------------------------------------------------------------------------

    def effects(self, kind):
        return [effect for effect in self.last.effects if isinstance(effect, kind)]

    def kinds(self):
        return [type(effect) for effect in self.last.effects]

    def text(self, name, **variables):
        return self.policy.text(name, locale=self.user.locale, user_name=self.user.name, **variables)

    def joined(self, name):
        return self.text("on_human_agent_assigned_message", agent_name=name)

    def told(self):
        """The texts of our own the customer got by the last input."""
        return [e.message.text for e in self.effects(TellCustomer) if e.sender.role is Role.SYSTEM]

    def shown(self):
        """The agents' texts the customer got by the last input."""
        return [(e.sender.name, e.message.text) for e in self.effects(TellCustomer) if e.sender.role is Role.AGENT]

    def relayed(self):
        """The customer's texts that went to the helpdesk by the last input."""
        return [e.message.text for e in self.effects(SendToDesk) if not e.internal]

    def answered(self):
        """The texts of our own the agent got by the last input."""
        return [e.message.text for e in self.effects(SendToDesk) if e.internal]

    def stop(self):
        [stop] = self.effects(StopSession)
        return stop

    def back(self):
        [resume] = self.effects(Resume)
        return resume.hand_back

    def pending(self):
        return [message.text for message in self.back().pending_messages]

    def reads(self):
        return [effect.session for effect in self.effects(ReadSession)]

    def notified(self):
        return [type(effect.event) for effect in self.effects(NotifyBot)]
