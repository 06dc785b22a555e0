"""Outside business hours: start all the same, take a message for the team, or refuse."""

import pytest

from hitl_core.bridge.handoff import EndReason, Failure, Owner, Phase, StopSession, TellCustomer, effect_key

from .scene import BEA, SESSION, Scene


def test_off_hours_refused_tells_the_customer_and_makes_no_hand_off():
    scene = Scene(off_hours="refuse")
    decision = scene.start(off_hours=True)
    assert (decision.start, decision.handoff, decision.ignored) == ("off_hours", None, None)
    assert scene.told() == [scene.text("on_off_hours_refused_message")]
    assert decision.effects[0].key == effect_key("h1", "off_hours")


def test_off_hours_refused_after_an_earlier_hand_off_leaves_its_record_alone():
    scene = Scene(off_hours="refuse")
    scene.active()
    scene.closed()
    ended = scene.handoff
    assert scene.start(off_hours=True).handoff is ended


def test_s030_a_refusal_without_a_text_says_why_nothing_happened():
    scene = Scene(off_hours="refuse", on_off_hours_refused_message="NULL")
    assert (scene.start(off_hours=True).start, scene.last.ignored) == ("off_hours", "off hours")


@pytest.mark.parametrize("off_hours", [True, False])
def test_off_hours_may_be_as_good_as_any(off_hours):
    scene = Scene(off_hours="start")
    scene.start(off_hours=off_hours)
    assert not scene.handoff.leave_message
    scene.started()
    assert scene.handoff.phase is Phase.WAITING


def test_off_hours_a_message_is_left_the_session_stays_open_and_the_bot_goes_on():
    scene = Scene(off_hours="leave_message", agent_assigned_timeout_seconds=60)
    scene.start(off_hours=True)
    scene.say("my number is 12", id="m-1")
    scene.started()
    assert scene.relayed() == ["my number is 12"]
    assert scene.told() == [scene.text("on_off_hours_message")]
    assert not scene.effects(StopSession)
    back = scene.back()
    assert (back.reason, back.session, back.pending, back.continue_flow) == (
        EndReason.MESSAGE_LEFT,
        SESSION,
        (),
        True,
    )
    assert scene.last.cancelled == ()
    assert (scene.handoff.owner, scene.handoff.timers) == (Owner.BOT, {})


@pytest.mark.parametrize("failure", list(Failure))
def test_off_hours_a_message_left_that_does_not_arrive_is_told(failure):
    scene = Scene(off_hours="leave_message")
    scene.start(off_hours=True)
    scene.say("my number is 12", id="m-1")
    scene.started()
    scene.failed(effect_key("h1", "relay", "m-1"), failure)
    assert scene.told() == [scene.text("on_message_failed_message")]
    assert scene.handoff.unrelayed == ()


def test_off_hours_what_agents_say_in_the_morning_is_delivered():
    scene = Scene(off_hours="leave_message")
    scene.start(off_hours=True)
    scene.started()
    scene.assigned(BEA)
    assert scene.last.ignored == "ended"
    scene.agent_says("Good morning! It is on its way.")
    assert scene.shown() == [("Bea", "Good morning! It is on its way.")]
    assert scene.handoff.owner is Owner.BOT


def test_off_hours_an_early_answer_is_delivered_after_the_customer_was_told():
    scene = Scene(off_hours="leave_message")
    scene.start(off_hours=True)
    scene.agent_says("still here!")
    scene.started()
    assert [effect.message.text for effect in scene.effects(TellCustomer)] == [
        scene.text("on_off_hours_message"),
        "still here!",
    ]


def test_off_hours_a_message_that_could_not_be_left_is_told_like_any_failed_start():
    scene = Scene(off_hours="leave_message")
    scene.start(off_hours=True)
    scene.failed("h1:start", Failure.REFUSED)
    assert scene.told() == [scene.text("on_start_failed_message")]
    assert scene.back().reason is EndReason.START_FAILED


@pytest.mark.parametrize(
    ("off_hours", "field"), [("refuse", "on_off_hours_refused_message"), ("leave_message", "on_off_hours_message")]
)
def test_f33_the_customer_is_told_when_somebody_is_there_again(off_hours, field):
    hours = {"timezone": "UTC", "weekly": {"mon-fri": ["09:00-17:00"]}}
    scene = Scene(off_hours=off_hours, business_hours=hours, **{field: "We are there again {opens_at}."})
    scene.start(off_hours=True)
    if off_hours == "leave_message":
        scene.started()
    opening = scene.policy.next_opening(scene.now)
    (told,) = scene.told()
    assert f"{opening:%H:%M}" in told
    assert told == scene.policy.text(field, locale=None, opens_at=opening)
