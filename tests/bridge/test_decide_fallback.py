"""Several connections: the next is tried only when there certainly is no session on this one (F31, guarantee 7)."""

import pytest

from hitl_core.bridge.handoff import (
    EndReason,
    Failure,
    Phase,
    Resume,
    SendToDesk,
    StartSession,
    StopSession,
    TellCustomer,
    WatchStart,
)
from hitl_core.events import StopReason
from hitl_core.sessions import HitlSession, SessionRef

from .scene import HISTORY, Scene

DESKS = ("default/desk", "default/second", "default/third")
SECOND = HitlSession(ref=SessionRef(connection="default/second", id="s7"), provider="second")
LATE = HitlSession(ref=SessionRef(connection="default/desk", id="t1"), provider="desk")


@pytest.fixture
def scene():
    scene = Scene()
    scene.start(connections=DESKS)
    return scene


@pytest.mark.parametrize("failure", [Failure.UNAVAILABLE, Failure.NOT_ALLOWED, Failure.REFUSED])
def test_f31_a_start_that_certainly_failed_goes_to_the_next_connection(scene, failure):
    scene.failed("h1:start", failure, "why")
    [effect] = scene.last.effects
    assert isinstance(effect, StartSession)
    assert (effect.key, effect.connection) == ("h1:start:1", "default/second")
    assert effect.content.history == HISTORY
    handoff = scene.handoff
    assert (handoff.phase, handoff.connection, handoff.attempt) == (Phase.STARTING, "default/second", 1)
    assert (handoff.fallbacks, handoff.failed) == (("default/third",), "why")


def test_f31_the_customer_is_told_of_the_last_failure_alone(scene):
    scene.failed("h1:start", Failure.UNAVAILABLE)
    scene.failed("h1:start:1", Failure.NOT_ALLOWED)
    assert scene.told() == []
    scene.failed("h1:start:2", Failure.REFUSED)
    assert scene.told() == [scene.text("on_start_failed_message")]
    assert scene.back().reason is EndReason.START_FAILED
    assert not scene.effects(WatchStart)


def test_f04_f31_what_was_queued_follows_to_the_connection_that_works(scene):
    scene.say("one")
    scene.failed("h1:start", Failure.UNAVAILABLE)
    scene.say("two")
    scene.started(SECOND)
    assert scene.relayed() == ["one", "two"]
    assert scene.handoff.failed is None
    assert all(effect.session == SECOND for effect in scene.effects(SendToDesk))


@pytest.mark.parametrize("failure", [Failure.UNRESOLVED, Failure.CLOSED])
def test_f31_a_start_nobody_can_tell_about_never_falls_back_and_is_watched_after_the_customer_was_told(scene, failure):
    scene.failed("h1:start", failure)
    assert scene.kinds() == [TellCustomer, Resume, WatchStart]
    [watch] = scene.effects(WatchStart)
    assert (watch.connection, watch.start) == ("default/desk", "h1:start")
    assert scene.handoff.end_reason is EndReason.START_FAILED


def test_f31_the_watch_is_for_the_attempt_that_is_in_doubt(scene):
    scene.failed("h1:start", Failure.UNAVAILABLE)
    scene.failed("h1:start:1", Failure.UNRESOLVED)
    [watch] = scene.effects(WatchStart)
    assert (watch.connection, watch.start) == ("default/second", "h1:start:1")


def test_f03_f31_a_late_session_of_an_earlier_attempt_is_closed_and_the_current_one_goes_on(scene):
    scene.failed("h1:start", Failure.UNAVAILABLE)
    before = scene.handoff
    scene.done("h1:start", session=LATE)
    assert scene.kinds() == [StopSession]
    assert (scene.stop().session, scene.stop().reason, scene.stop().message) == (LATE, StopReason.ERROR, None)
    assert scene.handoff == before
    scene.started(SECOND)
    assert (scene.handoff.phase, scene.handoff.session) == (Phase.WAITING, SECOND)
    other = LATE.model_copy(update={"ref": LATE.ref.model_copy(update={"id": "t2"})})
    scene.done("h1:start", session=other)
    assert scene.stop().session == other
    assert scene.stop().key != "h1:stop"
    assert scene.handoff.session == SECOND


def test_f03_f31_late_sessions_of_every_attempt_are_closed_after_the_end(scene):
    scene.failed("h1:start", Failure.UNAVAILABLE)
    scene.failed("h1:start:1", Failure.UNRESOLVED)
    scene.done("h1:start", session=LATE)
    first = scene.stop()
    scene.done("h1:start:1", session=SECOND)
    assert [first.session, scene.stop().session] == [LATE, SECOND]
    assert first.key != scene.stop().key
    assert scene.handoff.session == SECOND


def test_a_late_failure_of_an_earlier_attempt_changes_nothing(scene):
    scene.failed("h1:start", Failure.UNAVAILABLE)
    scene.failed("h1:start", Failure.UNRESOLVED)
    assert scene.last.ignored == "settled"


def test_f12_ending_during_a_fall_back_cancels_the_attempt_in_hand(scene):
    scene.failed("h1:start", Failure.UNAVAILABLE)
    scene.say("/end")
    assert scene.last.cancelled == ("h1:start:1",)


def test_s007_f31_a_record_that_lost_what_to_open_a_session_with_is_given_up(scene):
    scene.handoff = scene.handoff.model_copy(update={"content": None})
    scene.failed("h1:start", Failure.UNAVAILABLE)
    assert scene.handoff.end_reason is EndReason.INTERNAL_ERROR
    assert scene.told() == [scene.text("on_internal_error_message")]
