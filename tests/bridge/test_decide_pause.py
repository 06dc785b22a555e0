"""The bot takes the conversation for a while: one owner at all times, and nothing said meanwhile is lost."""

import pytest

from hitl_core.bridge.handoff import (
    EndReason,
    Failure,
    Owner,
    PauseRequested,
    Phase,
    Resume,
    ResumeRequested,
    StopSession,
    TellCustomer,
    effect_key,
)
from hitl_core.events import AgentUnassigned
from hitl_core.messages import Location

from .scene import BEA, CYD, Scene, after

ALL = {
    "agent_assigned_timeout_seconds": 60,
    "first_answer_timeout_seconds": 30,
    "agent_silence_timeout_seconds": 20,
    "customer_silence_warning_seconds": 100,
    "customer_silence_timeout_seconds": 200,
    "maximum_duration_seconds": 1000,
}


@pytest.fixture
def scene():
    return Scene(**ALL)


def paused(scene):
    scene.feed(PauseRequested())
    return scene


def test_a_pause_makes_the_bot_the_owner_and_its_end_the_human_again(scene):
    scene.active()
    paused(scene)
    assert (scene.handoff.owner, scene.handoff.phase, scene.last.effects) == (Owner.BOT, Phase.ACTIVE, ())
    assert scene.feed(PauseRequested()).ignored == "paused"
    scene.feed(ResumeRequested())
    assert (scene.handoff.owner, scene.last.effects) == (Owner.HUMAN, ())
    assert scene.feed(ResumeRequested()).ignored == "not paused"


def test_a_pause_in_the_queue_ends_in_the_queue(scene):
    paused(scene.waiting())
    assert scene.handoff.owner is Owner.BOT
    scene.feed(ResumeRequested())
    assert scene.handoff.owner is Owner.QUEUE


def test_during_a_start_the_bot_may_take_over_too(scene):
    scene.start()
    scene.say("one")
    paused(scene)
    assert scene.handoff.owner is Owner.BOT
    scene.started()
    assert (scene.relayed(), scene.handoff.owner) == (["one"], Owner.BOT)


def test_a_message_that_raced_with_the_pause_is_given_back_and_what_was_sent_before_is_still_sent(scene):
    scene.active()
    scene.say("one", id="m-1")
    paused(scene)
    scene.say("two", id="m-2")
    assert (scene.kinds(), scene.pending()) == ([Resume], ["two"])
    assert scene.last.effects[0].key == effect_key("h1", "given_back", "m-2")
    scene.done(effect_key("h1", "relay", "m-1"))
    assert scene.handoff.unrelayed == ()


def test_an_agent_who_writes_takes_the_conversation_back(scene):
    scene.active()
    paused(scene)
    scene.agent_says("I am back")
    assert (scene.shown(), scene.handoff.owner) == ([("Bea", "I am back")], Owner.HUMAN)


def test_an_agent_who_takes_it_ends_the_pause(scene):
    paused(scene.waiting())
    scene.assigned(BEA)
    assert (scene.told(), scene.handoff.owner) == ([scene.joined("Bea")], Owner.HUMAN)
    paused(scene)
    scene.assigned(CYD)
    assert scene.handoff.owner is Owner.HUMAN


@pytest.mark.parametrize("what", ["same agent", "unseen kind", "unassignment", "old words", "reading"])
def test_what_brings_nobody_to_the_customer_leaves_the_pause(scene, what):
    scene.active()
    if what == "old words":
        scene.event(AgentUnassigned, at=after(5))
    paused(scene)
    match what:
        case "same agent":
            scene.assigned(BEA)
        case "unseen kind":
            scene.agent_says(Location(latitude=1, longitude=2))
        case "unassignment":
            scene.event(AgentUnassigned)
        case "old words":
            scene.agent_says("one moment", at=after(0))
            assert scene.shown() == [("Bea", "one moment")]
        case _:
            scene.read(agent=BEA)
    assert (scene.handoff.paused, scene.handoff.owner) == (True, Owner.BOT)


def test_f14_silence_is_not_timed_while_the_bot_speaks_and_the_customer_waits_anew_afterwards(scene):
    scene.active()
    assert set(scene.handoff.timers) == {"first_answer", "maximum"}
    paused(scene)
    assert set(scene.handoff.timers) == {"maximum"}
    scene.now = after(40)
    scene.feed(ResumeRequested())
    assert scene.handoff.timers["first_answer"] == after(70)
    scene.agent_says("hi")
    paused(scene)
    assert set(scene.handoff.timers) == {"maximum"}
    scene.feed(ResumeRequested())
    assert set(scene.handoff.timers) == {"agent_silence", "maximum"}


def test_f14_an_agent_who_writes_in_a_pause_waits_for_the_customer(scene):
    scene.active()
    paused(scene)
    scene.agent_says("I am back")
    assert set(scene.handoff.timers) == {"customer_warning", "customer_silence", "maximum"}


def test_f14_another_agent_who_takes_it_in_a_pause_owes_an_answer(scene):
    scene.active()
    paused(scene)
    scene.assigned(CYD)
    assert set(scene.handoff.timers) == {"first_answer", "maximum"}


def test_f14_nobody_taking_it_is_timed_through_a_pause(scene):
    paused(scene.waiting())
    assert set(scene.handoff.timers) == {"assignment", "maximum"}
    scene.fires("assignment")
    assert (scene.back().reason, scene.handoff.paused) == (EndReason.ASSIGNMENT_TIMEOUT, False)
    assert scene.effects(StopSession)


def test_an_end_during_a_pause_is_an_end_like_any(scene):
    scene.active()
    paused(scene)
    scene.closed()
    assert [kind for kind in scene.kinds() if kind in {TellCustomer, Resume}] == [TellCustomer, Resume]
    assert (scene.handoff.owner, scene.handoff.paused) == (Owner.BOT, False)


def test_f13_a_session_found_closed_during_a_pause_ends_it(scene):
    scene.active()
    scene.say("one", id="m-1")
    paused(scene)
    scene.failed(effect_key("h1", "relay", "m-1"), Failure.CLOSED)
    assert scene.back().reason is EndReason.SESSION_GONE
