"""Sessions merged into others: the hand-off follows, and nothing said in either is lost (F07, F13)."""

import pytest

from hitl_core.bridge.handoff import (
    EndReason,
    Failure,
    NotifyBot,
    Phase,
    ReadSession,
    SendToDesk,
    StopSession,
    effect_key,
)
from hitl_core.events import SessionReopened, StopReason
from hitl_core.sessions import SessionRef

from .scene import BEA, CYD, REF, Scene

MERGED = SessionRef(connection="default/desk", id="t2")


@pytest.fixture
def scene():
    return Scene()


@pytest.fixture
def moved(scene):
    scene.active()
    scene.say("one", id="m-1")
    scene.closed(StopReason.MERGED, moved_to=MERGED, id="merge")
    return scene


def test_a_merged_session_is_followed_and_read(moved):
    handoff = moved.handoff
    assert (handoff.phase, handoff.agent) == (Phase.ACTIVE, BEA)
    assert (handoff.session.ref, handoff.session.provider, handoff.session.url) == (MERGED, "desk", None)
    assert handoff.moved_from == (REF,)
    assert moved.kinds() == [NotifyBot, ReadSession]
    assert moved.reads() == [MERGED]


def test_after_a_merge_messages_go_to_the_session_it_was_merged_into(moved):
    moved.say("two")
    assert moved.effects(SendToDesk)[0].session.ref == MERGED
    moved.agent_says("hello", session=MERGED)
    assert moved.shown() == [("Bea", "hello")]


def test_f07_what_was_said_in_the_merged_session_is_still_shown_and_the_rest_of_it_is_over(moved):
    moved.agent_says("before we merged", session=REF)
    assert moved.shown() == [("Bea", "before we merged")]
    assert moved.closed(session=REF).ignored == "merged"
    assert moved.assigned(CYD, session=REF).ignored == "merged"


def test_f07_nor_is_it_lost_when_the_hand_off_begins_again_after_the_merge(moved):
    moved.closed(session=MERGED)
    moved.event(SessionReopened, session=MERGED)
    moved.agent_says("before we merged", session=REF)
    assert moved.shown() == [("Bea", "before we merged")]


def test_a_message_the_merged_session_did_not_take_any_more_is_sent_to_the_other(moved):
    moved.failed(effect_key("h1", "relay", "m-1"), Failure.CLOSED)
    [again] = moved.effects(SendToDesk)
    assert (again.message.text, again.session.ref) == ("one", MERGED)
    assert again.key != effect_key("h1", "relay", "m-1")
    moved.done(again.key)
    assert moved.handoff.unrelayed == ()


def test_a_message_neither_session_takes_ends_it_and_is_given_back(moved):
    moved.failed(effect_key("h1", "relay", "m-1"), Failure.CLOSED)
    moved.failed(moved.last.effects[0].key, Failure.CLOSED)
    assert (moved.back().reason, moved.pending()) == (EndReason.SESSION_GONE, ["one"])


def test_a_text_of_ours_that_finds_either_session_closed_asks_which_it_was(moved):
    moved.failed(effect_key("h1", "incompatible", "e-0"), Failure.CLOSED)
    assert (moved.kinds(), moved.reads()) == ([ReadSession], [MERGED])


@pytest.mark.parametrize(
    "target",
    [REF, SessionRef(connection="default/other", id="t2")],
    ids=["itself", "another account"],
)
def test_a_merge_that_cannot_be_followed_ends_it(scene, target):
    scene.active()
    scene.closed(StopReason.MERGED, moved_to=target)
    assert scene.handoff.end_reason is EndReason.SESSION_GONE


def test_sessions_merged_in_a_circle_are_not_followed_for_ever(moved):
    moved.closed(StopReason.MERGED, session=MERGED, moved_to=REF)
    assert moved.handoff.end_reason is EndReason.SESSION_GONE


def test_closing_after_a_merge_closes_the_session_it_is_on_now(moved):
    moved.say("/end")
    assert moved.effects(StopSession)[0].session.ref == MERGED
