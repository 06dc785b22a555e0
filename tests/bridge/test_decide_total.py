"""Whatever the record and whatever the input, there is an answer: no history is needed to get there."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from hitl_core.bridge.handoff import (
    AgentEvent,
    EffectDone,
    EffectFailed,
    EndReason,
    Failure,
    Handoff,
    PauseRequested,
    PendingMessage,
    Phase,
    Resume,
    ResumeRequested,
    SessionRead,
    StartContent,
    StartRequested,
    StopRequested,
    TellCustomer,
    Timer,
    TimerFired,
    UserMessage,
    decide,
    parse_effect,
)
from hitl_core.calls.state import SessionState
from hitl_core.events import (
    AgentAssigned,
    AgentMessage,
    AgentMessageDeleted,
    AgentTyping,
    AgentUnassigned,
    DeliveryStatus,
    Ignored,
    IgnoredReason,
    MessageStatus,
    SessionChanged,
    SessionReopened,
    SessionStopped,
    UnknownEvent,
)
from hitl_core.messages import Location, Text, UnknownMessage
from hitl_core.people import Author, EndUser, ExternalUser
from hitl_core.sessions import HitlSession, SessionRef

from .test_decide_properties import AGENTS, CONNECTIONS, NOW, POLICIES, REASONS, WRITERS

MOMENTS = st.sampled_from(
    [NOW, NOW + timedelta(seconds=5), datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)]
)
MAYBE_MOMENTS = st.none() | MOMENTS
REFS = st.builds(SessionRef, connection=st.sampled_from(CONNECTIONS[:2]), id=st.sampled_from(["t1", "t2"]))
SESSIONS = st.builds(HitlSession, ref=REFS, provider=st.just("x"))
USERS = st.builds(
    EndUser,
    external_id=st.sampled_from([None, "u1", "u2"]),
    email=st.sampled_from([None, "a@x.example"]),
    locale=st.sampled_from([None, "de-CH", "no such/tag"]),
)
MESSAGES = st.sampled_from(
    [Text(text="hello"), Text(text="/end"), Location(latitude=1, longitude=2), UnknownMessage(type="hologram")]
)
KEYS = st.sampled_from(
    [
        "h1:start",
        "h1:start:1",
        "h1:start:x",
        "h1:relay:m1",
        "h1:relay1:m1",
        "h1:stop",
        "h1:incompatible:e1",
        "h2:relay:m1",
    ]
)
PENDING = st.builds(
    PendingMessage,
    message_id=st.just("m1"),
    message=MESSAGES,
    author=st.sampled_from([Author.user(), Author.bot()]),
    user=st.none() | USERS,
    received_at=MOMENTS,
    effect_key=KEYS,
)
TIMERS = st.dictionaries(st.sampled_from([*(timer.value for timer in Timer), "lunch"]), MOMENTS)
OF_SESSION = {"event_id": st.sampled_from(["e1", "e" * 200]), "session": REFS, "occurred_at": MAYBE_MOMENTS}
EVENTS = st.one_of(
    st.builds(AgentMessage, **OF_SESSION, message_id=st.just("v1"), agent=WRITERS, message=MESSAGES),
    st.builds(AgentMessageDeleted, **OF_SESSION, message_id=st.just("v1")),
    st.builds(AgentAssigned, **OF_SESSION, agent=AGENTS),
    st.builds(AgentUnassigned, **OF_SESSION),
    st.builds(SessionStopped, **OF_SESSION, reason=REASONS, moved_to=st.none() | REFS),
    st.builds(SessionReopened, **OF_SESSION),
    st.builds(SessionChanged, **OF_SESSION),
    st.builds(AgentTyping, **OF_SESSION),
    st.builds(MessageStatus, **OF_SESSION, message_id=st.just("v1"), status=st.just(DeliveryStatus.SENT)),
    st.builds(Ignored, event_id=st.just("e1"), reason=st.just(IgnoredReason.BOT)),
    st.builds(UnknownEvent, event_id=st.just("e1")),
)
RECORDS = st.builds(
    Handoff,
    id=st.just("h1"),
    conversation_id=st.just("c1"),
    connection=st.sampled_from(CONNECTIONS),
    key=st.just("k1"),
    attempt=st.integers(0, 2),
    fallbacks=st.sampled_from([(), ("default/b",)]),
    phase=st.sampled_from(list(Phase)),
    paused=st.booleans(),
    leave_message=st.booleans(),
    policy=st.sampled_from(POLICIES),
    user=USERS,
    external_user=st.none() | st.just(ExternalUser(id="cus")),
    content=st.none() | st.just(StartContent(title="t", previous=SessionRef(connection="default/a", id="t0"))),
    session=st.none() | SESSIONS,
    moved_from=st.lists(REFS, max_size=2).map(tuple),
    agent=WRITERS,
    agent_implied=st.booleans(),
    announced=st.sampled_from([None, "", "a1"]),
    answered=st.booleans(),
    unrelayed=st.lists(PENDING, max_size=1).map(tuple),
    early_events=st.lists(EVENTS, max_size=1).map(tuple),
    started_at=MOMENTS,
    ended_at=MAYBE_MOMENTS,
    end_reason=st.none() | st.sampled_from(list(EndReason)),
    facts_at=MAYBE_MOMENTS,
    agent_at=MAYBE_MOMENTS,
    status_at=MAYBE_MOMENTS,
    timers=TIMERS,
)
INPUTS = st.one_of(
    st.builds(
        StartRequested,
        handoff_id=st.just("h2"),
        conversation_id=st.just("c1"),
        connections=st.sampled_from([CONNECTIONS, CONNECTIONS[:1]]),
        key=st.sampled_from(["k1", "k2"]),
        user=USERS,
        title=st.just("t"),
        policy=st.none() | st.sampled_from(POLICIES),
        off_hours=st.booleans(),
        downstream=st.booleans(),
    ),
    st.builds(
        UserMessage, message_id=st.just("m1"), message=MESSAGES, author=st.just(Author.user()), user=st.none() | USERS
    ),
    st.builds(AgentEvent, event=EVENTS, superseded=st.booleans()),
    st.builds(
        SessionRead,
        session=REFS,
        state=st.none()
        | st.builds(
            SessionState, open=st.booleans(), agent=WRITERS, updated_at=MAYBE_MOMENTS, moved_to=st.none() | REFS
        ),
        began_at=MOMENTS,
    ),
    st.builds(StopRequested, reason=REASONS, close=st.booleans(), tell=st.booleans(), flow=st.booleans()),
    st.just(PauseRequested()),
    st.just(ResumeRequested()),
    st.builds(EffectDone, key=KEYS, session=st.none() | SESSIONS),
    st.builds(EffectFailed, key=KEYS, failure=st.sampled_from(list(Failure)), detail=st.sampled_from(["", "why"])),
    st.builds(
        TimerFired,
        handoff_id=st.sampled_from(["h1", "h0"]),
        name=st.sampled_from([*(timer.value for timer in Timer), "lunch"]),
        due=MOMENTS,
    ),
)


@settings(max_examples=1000, deadline=None)
@given(record=st.none() | RECORDS, asked=INPUTS, now=MOMENTS)
def test_whatever_the_record_and_the_input_there_is_an_answer(record, asked, now):
    decision = decide(record, asked, POLICIES[0], now)
    assert decision == decide(record, asked, POLICIES[0], now)
    after = decision.handoff
    changed = after is not record
    assert changed or decision.effects or decision.ignored
    assert not (changed and decision.ignored)
    keys = [effect.key for effect in decision.effects]
    assert len(keys) == len(set(keys))
    assert not set(keys) & set(decision.cancelled)
    for effect in decision.effects:
        assert parse_effect(effect.model_dump_json()) == effect
    if after is not None:
        assert Handoff.model_validate_json(after.model_dump_json()) == after
    if record is not None and not record.open and after is not None and after.id == record.id:
        assert after.phase is Phase.ENDED, "what ended stays ended"
        assert not [effect for effect in decision.effects if effect.key == "h1:resume"]
    resumes = [effect for effect in decision.effects if isinstance(effect, Resume) and effect.key.endswith(":resume")]
    ended = record is not None and record.open and after is not None and not after.open
    assert len(resumes) == ended
    if after is not None and after.open and after.phase is not Phase.STARTING and changed and record is not None:
        assert after.session is not None, "nobody is left waiting in a session there is none of"
    assert not [e for e in decision.effects if isinstance(e, TellCustomer) and not isinstance(e.message, Text)] or (
        isinstance(asked, AgentEvent | EffectDone)
    )
