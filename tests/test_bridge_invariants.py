"""What holds for a hand-off whatever happens, in whatever order: random histories against the pure function."""

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hitl_core.bridge import (
    AgentEvent,
    EffectDone,
    EffectFailed,
    Failure,
    Handoff,
    Owner,
    Phase,
    Policy,
    Resume,
    SendToDesk,
    StartRequested,
    StartSession,
    StopRequested,
    StopSession,
    TellCustomer,
    TimerFired,
    UserMessage,
    decide,
    state_events,
)
from hitl_core.calls import SessionState
from hitl_core.events import (
    AgentAssigned,
    AgentMessage,
    AgentUnassigned,
    SessionReopened,
    SessionStopped,
    StopReason,
)
from hitl_core.messages import Text
from hitl_core.people import Agent, Author, EndUser, ExternalUser, Role
from hitl_core.sessions import HitlSession, SessionRef

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AGENTS = st.sampled_from([Agent(id="a1", name="Bea"), Agent(id="a2", name="Cyd"), Agent(id="a3")])
EVENT_IDS = st.integers(1, 30).map(lambda n: f"e{n}")
TIMES = st.none() | st.integers(0, 20).map(lambda n: NOW + timedelta(seconds=n))
POLICY = Policy(agent_assigned_timeout_seconds=30)


class HandoffMachine(RuleBasedStateMachine):
    """One conversation, its hand-offs and their effects, carried out in any order or not at all."""

    def __init__(self):
        super().__init__()
        self.now = NOW
        self.handoff = None
        self.closed = {}  # id -> record as it ended
        self.open_effects = []
        self.starts = 0
        self.messages = 0
        self.keys = {}
        self.announced = {}  # hand-off id -> joined texts in a row
        self.shown = set()
        self.accepted = {}  # hand-off id -> ids of the customer's messages it took in
        self.accounted = {}  # hand-off id -> ids that were relayed, refused or given back
        self.resumed = set()
        self.sessions_seen = 0

    def feed(self, input):
        before = self.handoff
        decision = decide(before, input, POLICY, self.now)
        assert decision == decide(before, input, POLICY, self.now), "deterministic"
        after = decision.handoff
        if before is not None and after is not None and before.id == after.id:
            assert after.version >= before.version
            assert before.open or not after.open, "what ended stays ended"
        if before is not None and before.open and after is not None:
            assert after.id == before.id, "an open hand-off is never replaced"
        self.check_effects(before, after, decision)
        self.open_effects = [e for e in self.open_effects if e.key not in decision.cancelled]
        self.open_effects += [e for e in decision.effects if isinstance(e, StartSession | SendToDesk | StopSession)]
        self.handoff = after
        return decision

    def check_effects(self, before, after, decision):
        for effect in decision.effects:
            assert effect.key not in self.keys, "one key, one effect"
            self.keys[effect.key] = effect
            assert effect.key not in decision.cancelled
            if isinstance(effect, TellCustomer):
                if ":joined:" in effect.key:
                    said = self.announced.setdefault(after.id, [])
                    who = effect.message.text
                    assert not said or said[-1] != who, "no agent is announced twice in a row"
                    said.append(who)
                if effect.sender.role is Role.AGENT:
                    assert effect.message.text not in self.shown, "every agent message is shown once"
                    self.shown.add(effect.message.text)
            if isinstance(effect, Resume):
                back = effect.hand_back
                assert back.handoff_id not in self.resumed, "given back once"
                self.resumed.add(back.handoff_id)
                accounted = self.accounted.setdefault(back.handoff_id, set())
                for pending in back.pending:
                    assert pending.message_id not in accounted, "relayed or given back, not both"
                    accounted.add(pending.message_id)
            if isinstance(effect, SendToDesk | StopSession):
                assert after.session is not None

    @initialize(started=st.sampled_from([True, True, True, False]))
    def begin(self, started):
        self.start(same=False)
        if started:
            self.settle(succeed=True, failure=Failure.REFUSED, first=True)

    @rule(same=st.booleans())
    def start(self, same):
        self.starts += 1
        key = self.handoff.key if same and self.handoff is not None else f"k{self.starts}"
        self.feed(
            StartRequested(
                handoff_id=f"h{self.starts}",
                conversation_id="c1",
                connection="default/x",
                key=key,
                user=EndUser(external_id="u1"),
                title="t",
            )
        )

    @rule(text=st.sampled_from(["hello", "news?", "please", "thanks", "/end"]), again=st.booleans())
    def say(self, text, again):
        if not (again and self.messages):
            self.messages += 1
        said = f"m{self.messages}"
        open_before = self.handoff is not None and self.handoff.open
        known = self.handoff is not None and f"user:{said}" in self.handoff.seen
        decision = self.feed(UserMessage(message_id=said, message=Text(text=text), author=Author.user()))
        if not open_before:
            assert decision.effects == (), "the bot's message is the bot's"
        elif text != "/end" and not known:
            self.accepted.setdefault(self.handoff.id, set()).add(said)

    @rule(succeed=st.booleans(), failure=st.sampled_from(list(Failure)), first=st.booleans())
    def settle(self, succeed, failure, first):
        if not self.open_effects:
            return
        effect = self.open_effects.pop(0 if first else -1)
        owner = effect.key.split(":", 1)[0]
        if self.handoff is None or owner != self.handoff.id:
            return
        if isinstance(effect, SendToDesk) and (succeed or failure is not Failure.CLOSED):
            relayed = [p.message_id for p in self.handoff.unrelayed if p.effect_key == effect.key]
            self.accounted.setdefault(owner, set()).update(relayed)
        if not succeed:
            self.feed(EffectFailed(key=effect.key, failure=failure))
        elif isinstance(effect, StartSession):
            self.sessions_seen += 1
            ref = SessionRef(connection="default/x", id=f"t-{owner}")
            self.feed(
                EffectDone(
                    key=effect.key,
                    session=HitlSession(ref=ref, provider="x"),
                    external_user=ExternalUser(id="cus"),
                )
            )
        else:
            self.feed(EffectDone(key=effect.key))

    def event(self, kind, id, **fields):
        if self.handoff is None:
            return
        # Ids repeat within a hand-off, as redelivered facts do; they do not between different sessions.
        ref = SessionRef(connection="default/x", id=f"t-{self.root(self.handoff)}")
        if kind is AgentMessage:
            fields["message_id"] = f"{ref.id}-{id}"
            fields["message"] = Text(text=f"{ref.id}-{id}")
        self.feed(AgentEvent(event=kind(event_id=f"{ref.id}-{kind.__name__}-{id}", session=ref, **fields)))

    @staticmethod
    def root(handoff):
        return handoff.session.id.removeprefix("t-") if handoff.session is not None else handoff.id

    @rule(id=EVENT_IDS, agent=AGENTS, at=TIMES)
    def agent_says(self, id, agent, at):
        self.event(AgentMessage, id, agent=agent, occurred_at=at)

    @rule(id=EVENT_IDS, agent=AGENTS, at=TIMES)
    def assign(self, id, agent, at):
        self.event(AgentAssigned, id, agent=agent, occurred_at=at)

    @rule(id=EVENT_IDS, at=TIMES)
    def unassign(self, id, at):
        self.event(AgentUnassigned, id, occurred_at=at)

    @rule(id=EVENT_IDS, at=TIMES, reason=st.sampled_from(list(StopReason)))
    def stopped(self, id, at, reason):
        self.event(SessionStopped, id, occurred_at=at, reason=reason)

    @rule(id=EVENT_IDS, at=TIMES)
    def reopened(self, id, at):
        self.event(SessionReopened, id, occurred_at=at)

    @rule(open=st.booleans(), agent=st.none() | AGENTS)
    def read_state(self, open, agent):
        if self.handoff is not None:
            for event in state_events(self.handoff, SessionState(open=open, agent=agent)):
                self.feed(AgentEvent(event=event))

    @rule(really=st.integers(0, 3))
    def stop(self, really):
        if really:
            return  # or no history would be long
        self.feed(StopRequested())

    @rule(seconds=st.integers(0, 40))
    def time_passes(self, seconds):
        self.now += timedelta(seconds=seconds)
        for name, due in list(self.handoff.timers.items()) if self.handoff else ():
            self.feed(TimerFired(name=name, due=due))
            if due <= self.now and self.handoff.open:
                assert name not in self.handoff.timers, "a timer fires once"

    @invariant()
    def exactly_one_owns(self):
        if self.handoff is None:
            return
        expected = {
            Phase.STARTING: Owner.QUEUE,
            Phase.WAITING: Owner.QUEUE,
            Phase.ACTIVE: Owner.HUMAN,
            Phase.ENDED: Owner.BOT,
        }
        assert self.handoff.owner is expected[self.handoff.phase]

    @invariant()
    def nobody_is_left_with_neither(self):
        if self.handoff is None:
            return
        if self.handoff.owner is Owner.BOT:
            assert self.handoff.id in self.resumed, "the bot knows that it is on"
        else:
            assert self.handoff.id not in self.resumed
        if self.handoff.phase in {Phase.WAITING, Phase.ACTIVE}:
            assert self.handoff.session is not None, "whoever waits, waits in a session"
        if self.handoff.phase is Phase.STARTING:
            assert any(isinstance(e, StartSession) for e in self.open_effects), "somebody is making the session"

    @invariant()
    def a_waiting_customer_has_a_limit(self):
        if self.handoff is not None and self.handoff.phase is Phase.WAITING:
            assert "assignment" in self.handoff.timers

    @invariant()
    def every_accepted_message_is_relayed_pending_or_given_back(self):
        if self.handoff is None:
            return
        waiting = {p.message_id for p in self.handoff.unrelayed}
        accepted = self.accepted.get(self.handoff.id, set())
        assert accepted == waiting | (self.accounted.get(self.handoff.id, set()) & accepted)

    @invariant()
    def the_record_survives_json(self):
        if self.handoff is not None:
            assert Handoff.model_validate_json(self.handoff.model_dump_json()) == self.handoff


TestHandoff = HandoffMachine.TestCase
TestHandoff.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
