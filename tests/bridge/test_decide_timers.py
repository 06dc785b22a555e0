"""Timers: which runs when, and what each does (part 12, F14)."""

from datetime import UTC, datetime, timedelta

import pytest

from hitl_core.bridge.handoff import (
    EndReason,
    Handoff,
    Phase,
    Resume,
    StopRequested,
    StopSession,
    TellCustomer,
    TimerFired,
)
from hitl_core.events import AgentUnassigned, StopReason
from hitl_core.messages import Location, UnknownMessage

from .scene import BEA, CYD, Scene, after

ALL = {
    "agent_assigned_timeout_seconds": 60,
    "first_answer_timeout_seconds": 30,
    "agent_silence_timeout_seconds": 20,
    "customer_silence_warning_seconds": 100,
    "customer_silence_timeout_seconds": 200,
    "maximum_duration_seconds": 1000,
}


def timers(scene):
    """What is due in how many seconds, without the maximum."""
    return {name: (due - scene.now).total_seconds() for name, due in scene.handoff.timers.items() if name != "maximum"}


@pytest.fixture
def scene():
    return Scene(**ALL)


# Assignment -------------------------------------------------------------------------------------------------------


def test_s105_s109_nobody_in_time_ends_it_with_the_timeout_text(scene):
    scene.waiting()
    assert timers(scene) == {"assignment": 60}
    scene.fires("assignment")
    assert scene.kinds() == [TellCustomer, Resume, StopSession]
    assert scene.told() == [scene.text("on_agent_assigned_timeout_message")]
    assert (scene.back().reason, scene.back().continue_flow) == (EndReason.ASSIGNMENT_TIMEOUT, True)
    assert (scene.stop().reason, scene.stop().message) == (
        StopReason.TIMEOUT,
        scene.text("on_user_hitl_cancelled_message"),
    )


def test_s105_without_limits_no_timer_runs():
    scene = Scene()
    scene.active()
    scene.agent_says("hi")
    scene.say("hi")
    assert scene.handoff.timers == {}


@pytest.mark.parametrize(("early", "ended"), [(0, True), (0.001, False)])
def test_s107_s108_the_timer_is_ignored_too_early_and_counts_when_equal(scene, early, ended):
    scene.waiting()
    scene.fires("assignment", early=early)
    assert scene.handoff.open != ended
    assert scene.last.ignored == (None if ended else "too early")


def test_s107_an_assignment_stops_the_timer_and_an_unassignment_starts_it_anew(scene):
    scene.active()
    assert "assignment" not in timers(scene)
    scene.now = after(60)
    scene.feed(TimerFired(handoff_id="h1", name="assignment", due=after(60)))
    assert scene.last.ignored == "moved"
    scene.event(AgentUnassigned)
    assert timers(scene) == {"assignment": 60}


def test_s110_f10_a_timer_of_an_ended_hand_off_has_no_effect_on_the_next(scene):
    scene.waiting()
    scene.feed(StopRequested())
    scene.waiting()
    assert scene.handoff.id == "h2"
    scene.now = after(60)
    scene.feed(TimerFired(handoff_id="h1", name="assignment", due=after(60)))
    assert (scene.last.ignored, scene.handoff.open) == ("other hand-off", True)


def test_s106_a_timer_without_a_hand_off_is_ignored(scene):
    assert scene.feed(TimerFired(handoff_id="h0", name="assignment", due=scene.now)).ignored == "no hand-off"


def test_s112_the_timer_runs_in_the_second_hand_off_too(scene):
    scene.active()
    scene.closed()
    scene.waiting()
    scene.fires("assignment")
    assert scene.handoff.end_reason is EndReason.ASSIGNMENT_TIMEOUT


# First answer -----------------------------------------------------------------------------------------------------


def test_f14_the_first_answer_is_awaited_from_the_assignment_until_anybody_speaks(scene):
    scene.active()
    assert timers(scene) == {"first_answer": 30}
    scene.now = after(10)
    scene.assigned(CYD)
    assert timers(scene) == {"first_answer": 20}, "the customer waits since the first"
    scene.say("hello?")
    assert timers(scene) == {"first_answer": 20}
    scene.agent_says(Location(latitude=1, longitude=2))
    assert timers(scene) == {"first_answer": 20}, "the customer has seen nothing yet"
    scene.agent_says("hi", CYD)
    assert "first_answer" not in timers(scene)


@pytest.mark.parametrize("choice", ["tell", "end"])
def test_f14_no_first_answer_is_told_or_ends_it(choice):
    scene = Scene(**ALL, on_first_answer_timeout=choice)
    scene.active()
    scene.fires("first_answer")
    assert scene.told() == [scene.text("on_first_answer_timeout_message")]
    assert scene.handoff.open == (choice == "tell")
    if choice == "end":
        assert scene.back().reason is EndReason.FIRST_ANSWER_TIMEOUT
        assert scene.stop().reason is StopReason.TIMEOUT
    else:
        assert scene.kinds() == [TellCustomer]
        assert "first_answer" not in timers(scene)


def test_f14_an_unassignment_ends_the_wait_for_an_answer_and_begins_that_for_somebody(scene):
    scene.active()
    scene.event(AgentUnassigned)
    assert timers(scene) == {"assignment": 60}
    scene.assigned(CYD)
    assert timers(scene) == {"first_answer": 30}


# Agent silence ----------------------------------------------------------------------------------------------------


def test_f14_each_further_answer_is_awaited_from_the_customers_first_unanswered_message(scene):
    scene.active()
    scene.agent_says("hi")
    assert "agent_silence" not in timers(scene)
    scene.say("one")
    assert timers(scene) == {"agent_silence": 20}
    scene.now = after(15)
    scene.say("hello??")
    assert timers(scene) == {"agent_silence": 5}, "who asks again does not wait longer for it"
    scene.agent_says("sorry")
    assert "agent_silence" not in timers(scene)
    scene.say("thanks")
    assert timers(scene) == {"agent_silence": 20}


@pytest.mark.parametrize("choice", ["tell", "end"])
def test_f14_an_agents_silence_is_told_or_ends_it(choice):
    scene = Scene(**ALL, on_agent_silence=choice)
    scene.active()
    scene.agent_says("hi")
    scene.say("one")
    first = scene.handoff.timers["agent_silence"]
    scene.fires("agent_silence")
    assert scene.told() == [scene.text("on_agent_silence_message")]
    assert scene.handoff.open == (choice == "tell")
    if choice == "end":
        assert scene.back().reason is EndReason.AGENT_SILENT
        return
    key = scene.last.effects[0].key
    scene.say("two")
    assert scene.handoff.timers["agent_silence"] > first
    scene.fires("agent_silence")
    assert scene.last.effects[0].key != key, "told again, of another silence"


def test_f14_a_new_agent_after_the_queue_owes_an_answer(scene):
    scene.active()
    scene.agent_says("hi")
    scene.event(AgentUnassigned)
    scene.assigned(CYD)
    assert timers(scene) == {"agent_silence": 20}


# Customer silence -------------------------------------------------------------------------------------------------


def test_f14_the_customer_is_awaited_from_an_agents_message_until_they_say_anything(scene):
    scene.active()
    scene.agent_says("hi")
    assert timers(scene) == {"customer_warning": 100, "customer_silence": 200}
    scene.now = after(50)
    scene.agent_says("are you there?")
    assert timers(scene) == {"customer_warning": 100, "customer_silence": 200}
    scene.say(UnknownMessage(type="hologram"))
    assert timers(scene) == {}, "a sign of life, though no question"


def test_f14_a_silent_customer_is_asked_and_then_taken_to_have_left(scene):
    scene.active()
    scene.agent_says("hi")
    scene.fires("customer_warning")
    assert (scene.kinds(), scene.told()) == ([TellCustomer], [scene.text("on_customer_silence_warning_message")])
    scene.fires("customer_silence")
    assert scene.told() == [scene.text("on_customer_silence_message")]
    assert scene.back().reason is EndReason.CUSTOMER_SILENT
    assert (scene.stop().reason, scene.stop().message) == (StopReason.TIMEOUT, scene.text("on_customer_left_note"))


def test_f14_an_unassignment_ends_the_wait_for_the_customer(scene):
    scene.active()
    scene.agent_says("hi", at=after(0))
    scene.event(AgentUnassigned, at=after(5))
    assert timers(scene) == {"assignment": 60}
    scene.agent_says("PS", at=after(1))
    assert timers(scene) == {"assignment": 60}


# Maximum ----------------------------------------------------------------------------------------------------------


def test_f14_the_maximum_runs_from_the_start_whatever_happens(scene):
    scene.start()
    assert scene.handoff.timers == {"maximum": after(1000)}
    scene.now = after(10)
    scene.started()
    scene.assigned(BEA)
    scene.agent_says("hi")
    scene.say("one")
    scene.event(AgentUnassigned)
    assert scene.handoff.timers["maximum"] == after(1000)
    scene.fires("maximum")
    assert scene.told() == [scene.text("on_maximum_duration_message")]
    assert scene.back().reason is EndReason.TOO_LONG
    assert scene.pending() == ["one"]


def test_f14_the_maximum_ends_a_start_that_goes_nowhere(scene):
    scene.start()
    scene.fires("maximum")
    assert (scene.handoff.end_reason, scene.last.cancelled) == (EndReason.TOO_LONG, ("h1:start",))


# Odd records ------------------------------------------------------------------------------------------------------


def test_a_timer_of_a_newer_version_is_dropped(scene):
    scene.active()
    scene.handoff = scene.handoff.model_copy(update={"timers": {"lunch": after(5)}})
    scene.fires("lunch")
    assert (scene.handoff.timers, scene.last.effects) == ({}, ())


def test_an_assignment_timer_left_over_ends_nothing_when_somebody_has_it(scene):
    scene.active()
    scene.handoff = scene.handoff.model_copy(update={"timers": {"assignment": after(5)}})
    scene.fires("assignment")
    assert (scene.handoff.phase, scene.handoff.timers) == (Phase.ACTIVE, {})


def test_s040_a_limit_beyond_the_calendar_is_never(scene):
    scene.now = datetime.max.replace(tzinfo=UTC) - timedelta(seconds=30)
    scene.waiting()
    assert scene.handoff.timers == {}
    scene.assigned(BEA)
    assert set(timers(scene)) == {"first_answer"}


def test_timers_survive_json(scene):
    scene.active()
    assert Handoff.model_validate_json(scene.handoff.model_dump_json()).timers == scene.handoff.timers
