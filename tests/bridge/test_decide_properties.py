"""What holds for hand-offs whatever happens, in whatever order: random histories against the pure function."""

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hitl_core.bridge.handoff import (
    AgentEvent,
    EffectDone,
    EffectFailed,
    EndReason,
    Failure,
    Handoff,
    Owner,
    PauseRequested,
    Phase,
    ReadSession,
    Resume,
    ResumeRequested,
    SendToDesk,
    SessionRead,
    StartRequested,
    StartSession,
    StopRequested,
    StopSession,
    Timer,
    TimerFired,
    UserMessage,
    WatchStart,
    decide,
    parse_effect,
    parse_input,
)
from hitl_core.bridge.policy import Policy
from hitl_core.calls.state import SessionState
from hitl_core.events import (
    AgentAssigned,
    AgentMessage,
    AgentMessageDeleted,
    AgentTyping,
    AgentUnassigned,
    DeliveryStatus,
    MessageStatus,
    SessionChanged,
    SessionReopened,
    SessionStopped,
    StopReason,
)
from hitl_core.messages import Location, Text, UnknownMessage
from hitl_core.people import Agent, Author, EndUser, ExternalUser
from hitl_core.sessions import HitlSession, SessionRef

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = {
    "agent_assigned_timeout_seconds": 30,
    "first_answer_timeout_seconds": 20,
    "agent_silence_timeout_seconds": 20,
    "customer_silence_warning_seconds": 20,
    "customer_silence_timeout_seconds": 60,
    "maximum_duration_seconds": 300,
}
POLICIES = [
    Policy(**LIMITS),
    Policy(**LIMITS, on_late_agent_message="hand_over", on_agent_silence="end"),
    Policy(**LIMITS, on_late_agent_message="answer", on_first_answer_timeout="tell", off_hours="refuse"),
    Policy(**LIMITS, on_late_agent_message="notify", on_session_reopened="notify", use_human_agent_info=False),
]
CONNECTIONS = ("default/a", "default/b", "default/c")
AGENTS = st.sampled_from([Agent(id="a1", name="Bea"), Agent(id="a2", name="Cyd"), Agent(id="a3")])
WRITERS = st.none() | AGENTS
TIMES = st.none() | st.integers(0, 40).map(lambda seconds: NOW + timedelta(seconds=seconds))
REASONS = st.sampled_from(list(StopReason))
NUMBERS = st.integers(0, 5)
MOSTLY = st.sampled_from([True] * 7 + [False])
RARELY = MOSTLY.map(lambda usual: not usual)
STATES = st.builds(SessionState, open=st.just(True), agent=WRITERS, updated_at=TIMES)
LAST_STATES = st.none() | st.builds(SessionState, open=st.just(False), agent=WRITERS, updated_at=TIMES)
OWNERS = {
    Phase.STARTING: Owner.QUEUE,
    Phase.WAITING: Owner.QUEUE,
    Phase.ACTIVE: Owner.HUMAN,
    Phase.ENDED: Owner.BOT,
}
NOT_SHOWN = {"other session", "not showable"}


def session_of(connection, number):
    return HitlSession(ref=SessionRef(connection=connection, id=f"t{number}"), provider="x")


def owner_of(key):
    return key.split(":", 1)[0]


class Conversation(RuleBasedStateMachine):
    """One conversation and its hand-offs. Effects are carried out in order, late, never, or although cancelled."""

    def __init__(self):
        super().__init__()
        self.now = NOW
        self.policy = POLICIES[0]
        self.records = {}
        self.current = None
        self.lane = []  # effects towards the helpdesk, oldest first
        self.begun = set()  # keys of those that cannot be called off any more
        self.doubtful = []  # starts that may still show up
        self.sessions = []
        self.number = 0
        self.keys = set()
        self.resumed = {}  # hand-off id -> its end
        self.joined = {}  # hand-off id -> agents the customer was told of
        self.accepted = set()
        self.accounted = {}  # customer's message id -> what became of it
        self.agents_words = {}  # event id -> what became of it, several is a fault
        self.closing = set()  # sessions we closed, or want to

    # Deciding -------------------------------------------------------------------------------------------------

    def next(self, prefix):
        self.number += 1
        return f"{prefix}{self.number}"

    def feed(self, input, target=None):
        before = self.records.get(target or self.current)
        assert parse_input(input.model_dump_json()) == input
        decision = decide(before, input, self.policy, self.now)
        assert decision == decide(before, input, self.policy, self.now), "deterministic"
        after = decision.handoff
        changed = after is not before
        assert changed or decision.effects or decision.ignored, "a change, an effect, or a reason"
        assert not (changed and decision.ignored)
        self.check_record(before, after)
        self.check_effects(before, decision)
        gone = set(decision.cancelled) - self.begun
        self.lane = [effect for effect in self.lane if effect.key not in gone]
        self.lane += [one for one in decision.effects if isinstance(one, StartSession | SendToDesk | StopSession)]
        if after is not None:
            if after.id not in self.records:
                assert self.current is None or not self.records[self.current].open, "an open one is never replaced"
                self.current = after.id
            self.records[after.id] = after
        return decision

    def check_record(self, before, after):
        if before is None or after is None or before.id != after.id:
            return
        if before is not after:
            assert after.version == before.version + 1
            assert Handoff.model_validate_json(after.model_dump_json()) == after
        assert before.open or not after.open, "what ended stays ended"
        if not before.open:
            assert (before.end_reason, before.ended_at) == (after.end_reason, after.ended_at)

    def check_effects(self, before, decision):
        after = decision.handoff
        told_at = {effect.key: place for place, effect in enumerate(decision.effects)}
        for effect in decision.effects:
            assert parse_effect(effect.model_dump_json()) == effect
            if not isinstance(effect, ReadSession | WatchStart):
                assert effect.key not in self.keys, "one key, one effect"
                self.keys.add(effect.key)
            assert effect.key not in decision.cancelled
            owner, what, id_ = ([*effect.key.split(":", 2), ""])[:3]
            if what in {"agent", "incompatible", "late", "notify"} and id_ in self.agents_words:
                self.agents_words[id_].append(what)
            if what == "joined":
                said = self.joined.setdefault(owner, [])
                last = f"{owner}:joined:{after.announcements}" == effect.key
                who = after.announced if last else object()  # several early ones at once: the last is known
                assert not said or said[-1] != who, "no agent is announced twice in a row"
                said.append(who)
            if what in {"unsupported", "failed"}:
                self.account(id_, what)
            if isinstance(effect, Resume):
                if what == "resume":
                    assert owner not in self.resumed, "given back once"
                    self.resumed[owner] = effect.hand_back
                    assert effect.hand_back.reason is after.end_reason
                    assert told_at.get(f"{owner}:ended", -1) < told_at[effect.key], "the text comes first (S126)"
                for pending in effect.hand_back.pending:
                    self.account(pending.message_id, "given back")
            if isinstance(effect, SendToDesk | StopSession):
                assert effect.session.ref in self.sessions
            if isinstance(effect, StopSession):
                self.closing.add(effect.session.ref.id)

    def account(self, message_id, how):
        assert message_id not in self.accounted, f"{message_id} was {self.accounted.get(message_id)}, now {how}"
        self.accounted[message_id] = how

    # The bot --------------------------------------------------------------------------------------------------

    @initialize(policy=st.sampled_from(POLICIES), begun=st.sampled_from(["done", "done", "done", "lost", "open"]))
    def begin(self, policy, begun):
        self.policy = policy
        self.start(count=2, same=False, off_hours=False, downstream=False)
        if begun != "open":
            self.settle(succeed=begun == "done", failure=Failure.UNRESOLVED, late=True)

    @rule(count=st.integers(1, 3), same=st.booleans(), off_hours=st.booleans(), downstream=st.integers(0, 9))
    def start(self, count, same, off_hours, downstream):
        record = self.records.get(self.current)
        fresh = self.next("h")
        decision = self.feed(
            StartRequested(
                handoff_id=fresh,
                conversation_id="c1",
                connections=CONNECTIONS[:count],
                key=record.key if same and record is not None else fresh,
                user=EndUser(external_id="u1"),
                title="t",
                off_hours=off_hours,
                downstream=downstream == 1,
            )
        )
        assert decision.start is not None
        assert (self.current == fresh) == (decision.start == "starting")

    @rule(close=st.booleans(), tell=st.booleans(), flow=st.booleans(), really=RARELY)
    def stop(self, close, tell, flow, really):
        if really:  # or no history would be long
            self.feed(StopRequested(close=close, tell=tell, flow=flow))

    @rule(really=RARELY)
    def pause(self, really):
        if really:
            self.feed(PauseRequested())

    @rule(really=RARELY)
    def resume(self, really):
        if really or self.records[self.current].paused:
            self.feed(ResumeRequested())

    # The customer ---------------------------------------------------------------------------------------------

    @rule(other=st.booleans())
    def say_something(self, other):
        self.say(usual=True, odd=None, other=other)

    @rule(usual=MOSTLY, odd=st.sampled_from(["/end", None]), other=st.booleans())
    def say(self, usual, odd, other):
        text = "hello" if usual else odd
        said = self.next("m")
        record = self.records.get(self.current)
        taken = record is not None and record.open and not record.paused
        message = UnknownMessage(type="hologram") if text is None else Text(text=text)
        user = EndUser(external_id="u2") if other else None
        if record is not None:
            self.accepted.add(said)
        self.feed(UserMessage(message_id=said, message=message, author=Author.user(), user=user))
        if text == "/end" and taken:
            self.account(said, "obeyed")
            assert not self.records[record.id].open

    # The engine -----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.lane)
    @rule()
    def begin_effect(self):
        self.begun.add(self.lane[0].key)

    @precondition(lambda self: self.lane)
    @rule()
    def arrives(self):
        while self.lane:
            self.settle(succeed=True, failure=Failure.REFUSED, late=False)

    @precondition(lambda self: self.lane)
    @rule(failure=st.sampled_from(list(Failure)), late=st.booleans())
    def fails(self, failure, late):
        self.settle(succeed=False, failure=failure, late=late)

    def settle(self, succeed, failure, late):
        effect = self.lane.pop(0)
        owner = owner_of(effect.key)
        if isinstance(effect, StartSession):
            if succeed:
                self.session_made(effect)
            else:
                self.feed(EffectFailed(key=effect.key, failure=failure), owner)
                if late:
                    self.doubtful.append(effect)
            return
        if not succeed:
            self.feed(EffectFailed(key=effect.key, failure=failure), owner)
            return
        waiting = {one.effect_key: one.message_id for one in self.records[owner].unrelayed}
        self.feed(EffectDone(key=effect.key), owner)
        if effect.key in waiting:
            self.account(waiting[effect.key], "relayed")

    @precondition(lambda self: self.doubtful)
    @rule()
    def shows_up(self):
        self.session_made(self.doubtful.pop())

    def session_made(self, effect):
        owner = owner_of(effect.key)
        session = session_of(effect.connection, self.next(""))
        if effect.connection == "default/b":  # agents were quick
            session = session_of(effect.connection, owner)
        self.sessions.append(session.ref)
        before = self.records[owner]
        self.feed(EffectDone(key=effect.key, session=session, external_user=ExternalUser(id="cus")), owner)
        record = self.records[owner]
        if record.session is not None and record.session.ref == session.ref:
            for event in before.early_events:
                if event.session != session.ref and event.event_id in self.agents_words:
                    self.agents_words[event.event_id].append("other session")
        wanted = record.session is not None and record.session.ref == session.ref
        kept = wanted and (record.open or record.end_reason is EndReason.MESSAGE_LEFT)
        closed = wanted and before.open and record.end_reason in {EndReason.AGENT_CLOSED, EndReason.SESSION_GONE}
        assert kept or closed or session.ref.id in self.closing, "no orphan is left (F03)"

    @rule(seconds=st.sampled_from([5, 25, 70]))
    def time_passes(self, seconds):
        self.now += timedelta(seconds=seconds)
        for id_ in list(self.records):
            for name, due in self.records[id_].timers.items():
                self.feed(TimerFired(handoff_id=id_, name=name, due=due), id_)
                if due <= self.now and self.records[id_].open:
                    assert self.records[id_].timers.get(name) != due, "a timer fires once"

    @rule(name=st.sampled_from([timer.value for timer in Timer]))
    def an_old_timer_fires(self, name):
        for id_, record in list(self.records.items()):
            if id_ != self.current:
                self.feed(TimerFired(handoff_id=id_, name=name, due=record.started_at), self.current)

    # The helpdesk ---------------------------------------------------------------------------------------------

    def happens(self, kind, which, **fields):
        """Something happens in one of the sessions there are, or in one nobody has told us of yet."""
        ref = self.place(which)
        id_ = self.next("e")
        if kind is AgentMessage:
            self.agents_words[id_] = []
            fields["message_id"] = f"v{id_}"
        event = kind(event_id=id_, session=ref, **fields)
        target = self.routed(ref)
        record = self.records[target]
        decision = self.feed(AgentEvent(event=event, superseded=target != self.current), target)
        if kind is AgentMessage and decision.ignored:
            assert decision.ignored in NOT_SHOWN
            own = record.session is None or ref in {record.session.ref, *record.moved_from}
            assert not own, "what was said in the hand-off's own session, or what may be it, is never ignored"
            self.agents_words[id_].append(decision.ignored)

    def place(self, which):
        """Return a session: mostly that of the latest hand-off."""
        latest = self.records[self.current].session
        if latest is not None and which < 4:
            return latest.ref
        known = [*self.sessions, SessionRef(connection="default/b", id=f"t{self.current}")]
        return known[-1 - which % len(known)]

    def routed(self, ref):
        """Find the hand-off of a session: the open one, else the latest; before there is one, the latest of all."""
        linked = [one for one in self.records.values() if one.session is not None]
        of_it = [one for one in linked if ref in {one.session.ref, *one.moved_from}]
        found = max(of_it, key=lambda one: (one.open, one.started_at), default=self.records[self.current])
        return found.id

    @rule(which=NUMBERS, agent=WRITERS, at=TIMES, pin=NUMBERS)
    def agent_says(self, which, agent, at, pin):
        message = Location(latitude=1, longitude=2) if pin == 1 else Text(text="hello")
        self.happens(AgentMessage, which, agent=agent, occurred_at=at, message=message)

    @rule(which=NUMBERS, agent=AGENTS, at=TIMES)
    def assigned(self, which, agent, at):
        self.happens(AgentAssigned, which, agent=agent, occurred_at=at)

    @rule(which=NUMBERS, at=TIMES)
    def unassigned(self, which, at):
        self.happens(AgentUnassigned, which, occurred_at=at)

    @rule(which=NUMBERS, at=TIMES, reason=REASONS, moved=st.booleans(), really=RARELY)
    def stopped(self, which, at, reason, moved, really):
        if not (really or moved):
            return
        target = None
        if moved:
            target = SessionRef(connection="default/a", id=f"t{self.next('')}")
            self.sessions.append(target)
        self.happens(SessionStopped, which, occurred_at=at, reason=reason, moved_to=target)

    @rule(which=NUMBERS, at=TIMES)
    def reopened(self, which, at):
        self.happens(SessionReopened, which, occurred_at=at)

    @rule(which=NUMBERS, kind=st.sampled_from([SessionChanged, AgentTyping, AgentMessageDeleted, MessageStatus]))
    def something_else(self, which, kind):
        about = {} if kind in {SessionChanged, AgentTyping} else {"message_id": "v1"}
        self.happens(kind, which, **about, **({"status": DeliveryStatus.READ} if kind is MessageStatus else {}))

    @rule(
        which=NUMBERS,
        ago=st.sampled_from([0, 0, 20]),
        state=MOSTLY.flatmap(lambda usual: STATES if usual else LAST_STATES),
    )
    def read(self, which, ago, state):
        ref = self.place(which)
        target = self.routed(ref)
        began = self.now - timedelta(seconds=ago)
        self.feed(SessionRead(session=ref, state=state, began_at=began, superseded=target != self.current), target)

    # Always ---------------------------------------------------------------------------------------------------

    @invariant()
    def exactly_one_owns(self):
        for record in self.records.values():
            assert record.owner is (Owner.BOT if record.paused else OWNERS[record.phase])
            assert record.open or not record.paused
        assert sum(record.open for record in self.records.values()) <= 1

    @invariant()
    def nobody_is_left_with_neither(self):
        for record in self.records.values():
            assert record.open != (record.id in self.resumed), "the bot knows that it is on, once it is"
            if record.phase in {Phase.WAITING, Phase.ACTIVE}:
                assert record.session is not None, "whoever waits, waits in a session"
            if record.phase is Phase.STARTING:
                assert record.start_effect in {effect.key for effect in self.lane}, "somebody is making the session"

    @invariant()
    def timers_run_where_somebody_is_waited_for(self):
        for record in self.records.values():
            names = set(record.timers)
            if not record.open:
                assert not names
                continue
            assert "maximum" in names
            assert ("assignment" in names) == (record.phase is Phase.WAITING)
            if record.phase is not Phase.ACTIVE or record.paused:
                assert names <= {"assignment", "maximum"}

    @invariant()
    def every_accepted_message_waits_or_is_accounted_for_once(self):
        waiting = [one.message_id for record in self.records.values() for one in record.unrelayed]
        assert len(waiting) == len(set(waiting))
        assert set(waiting) | set(self.accounted) == self.accepted
        assert not set(waiting) & set(self.accounted)

    @invariant()
    def what_is_given_back_is_not_sent_any_more(self):
        waiting = {one.effect_key for record in self.records.values() for one in record.unrelayed}
        for effect in self.lane:
            if isinstance(effect, SendToDesk) and effect.mergeable and effect.key not in self.begun:
                assert effect.key in waiting

    @invariant()
    def every_word_of_an_agent_is_shown_answered_told_or_not_ours(self):
        early = {event.event_id for record in self.records.values() for event in record.early_events}
        for id_, became in self.agents_words.items():
            assert len(became) + (id_ in early) == 1, f"{id_}: {became}"

    @invariant()
    def joined_is_told_once_for_each_change(self):
        for record in self.records.values():
            assert record.announcements == len(self.joined.get(record.id, ()))


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
