"""What a session's state implies: pure, in order, and never told twice."""

from datetime import UTC, datetime, timedelta

import pytest

from hitl_core import Agent, SessionRef, SessionState, StopReason
from hitl_core.events import (
    AgentAssigned,
    AgentMessage,
    AgentUnassigned,
    SessionReopened,
    SessionStopped,
)
from hitl_core.messages import Text
from hitl_core.reconciling import implied_events, known_after, with_implied_events

REF = SessionRef(connection="t/desk", id="7")
OTHER = SessionRef(connection="t/desk", id="8")
ADA, BEA = Agent(id="a", name="Ada"), Agent(id="b", name="Bea")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPEN, CLOSED = SessionState(open=True), SessionState(open=False)
ADAS = SessionState(open=True, agent=ADA)


def kinds(events):
    return [event.kind for event in events]


def message(session=REF):
    return AgentMessage(event_id="m1", session=session, message_id="1", agent=ADA, message=Text(text="hello"))


def fact(cls, id="x", session=REF, **more):
    return cls(event_id=id, session=session, **more)


@pytest.mark.parametrize(
    ("known", "now", "told"),
    [
        (None, OPEN, []),
        (None, ADAS, ["agent_assigned"]),
        (None, CLOSED, ["session_stopped"]),
        (None, SessionState(open=False, agent=ADA), ["agent_assigned", "session_stopped"]),
        (ADAS, ADAS, []),
        (ADAS, SessionState(open=True, agent=BEA), ["agent_assigned"]),
        (ADAS, SessionState(open=True, agent=Agent(id="a", name="Ada L.")), []),
        (ADAS, OPEN, ["agent_unassigned"]),
        (ADAS, CLOSED, ["session_stopped"]),
        (CLOSED, CLOSED, []),
        (CLOSED, OPEN, ["session_reopened"]),
        (CLOSED, ADAS, ["session_reopened", "agent_assigned"]),
        (SessionState(open=False, agent=ADA), OPEN, ["session_reopened", "agent_unassigned"]),
        (OPEN, SessionState(open=True, status="pending"), []),
    ],
)
def test_a_state_is_told_by_what_differs_from_what_was_known(known, now, told):
    assert kinds(implied_events(REF, known, now)) == told


def test_what_is_implied_carries_session_agent_and_time():
    now = SessionState(open=False, agent=ADA, moved_to=OTHER, updated_at=NOON)
    assigned, stopped = implied_events(REF, None, now)
    assert (assigned.session, assigned.agent, assigned.occurred_at) == (REF, ADA, NOON)
    assert (stopped.session, stopped.reason, stopped.moved_to) == (REF, StopReason.MERGED, OTHER)
    (closed,) = implied_events(REF, None, CLOSED)
    assert (closed.reason, closed.occurred_at) == (StopReason.AGENT_CLOSED, None)


def test_a_state_that_was_overtaken_tells_nothing():
    known = SessionState(open=False, updated_at=NOON)
    assert implied_events(REF, known, SessionState(open=True, updated_at=NOON - timedelta(seconds=1))) == ()
    assert kinds(implied_events(REF, known, SessionState(open=True, updated_at=NOON))) == ["session_reopened"]
    assert kinds(implied_events(REF, known, OPEN)) == ["session_reopened"]


def test_an_agent_concluded_from_a_message_is_not_lost_to_a_vendor_that_shows_nobody_s080():
    assert implied_events(REF, ADAS, OPEN, agent_implied=True) == ()
    assert kinds(implied_events(REF, ADAS, SessionState(open=True, agent=BEA), agent_implied=True)) == [
        "agent_assigned"
    ]


def test_the_same_difference_has_the_same_id_and_another_has_another():
    ids = [implied_events(REF, None, state)[0].event_id for state in (ADAS, SessionState(open=True, agent=BEA), CLOSED)]
    assert len(set(ids)) == 3
    assert implied_events(REF, OPEN, ADAS)[0].event_id == ids[0]
    assert implied_events(REF, OPEN, ADAS, mark="2")[0].event_id != ids[0]
    later = SessionState(open=True, agent=ADA, updated_at=NOON)
    assert implied_events(REF, OPEN, later)[0].event_id != ids[0]


def test_events_change_what_is_known_of_their_own_session_alone():
    events = [
        fact(AgentAssigned, agent=ADA),
        fact(AgentAssigned, agent=BEA, session=OTHER),
        fact(SessionStopped),
        fact(SessionReopened, session=OTHER),
        message(),
    ]
    assert known_after(REF, None, events) == SessionState(open=False, agent=ADA)
    assert known_after(REF, None, [*events, fact(SessionReopened), fact(AgentUnassigned)]) == OPEN
    assert known_after(REF, ADAS, []) == ADAS


def test_who_answers_is_told_before_the_answer_and_the_end_after_it_s080_s236():
    now = SessionState(open=False, agent=ADA)
    told = with_implied_events(REF, None, [message()], now)
    assert kinds(told) == ["agent_assigned", "agent_message", "session_stopped"]


def test_what_an_event_tells_is_not_told_again_by_the_state():
    events = [fact(AgentAssigned, agent=ADA), message(), fact(SessionStopped)]
    assert list(with_implied_events(REF, None, events, SessionState(open=False, agent=ADA))) == events


def test_what_is_implied_comes_behind_the_event_it_follows_from():
    events = [fact(SessionStopped), message()]
    assert kinds(with_implied_events(REF, None, events, OPEN)) == [
        "session_stopped",
        "session_reopened",
        "agent_message",
    ]
    events = [fact(AgentAssigned, agent=ADA), message()]
    told = with_implied_events(REF, None, events, SessionState(open=True, agent=BEA))
    assert [event.agent.id for event in told] == ["a", "b", "a"]
    assert kinds(told) == ["agent_assigned", "agent_assigned", "agent_message"]


def test_an_assignment_that_was_told_is_no_conclusion_any_more():
    events = [fact(AgentAssigned, agent=BEA)]
    assert kinds(with_implied_events(REF, ADAS, events, OPEN, agent_implied=True)) == [
        "agent_assigned",
        "agent_unassigned",
    ]


def test_without_a_state_the_events_are_all_there_is():
    assert with_implied_events(REF, ADAS, [message()], None) == (message(),)
