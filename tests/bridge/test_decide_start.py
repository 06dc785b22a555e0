"""Starting a hand-off: outcomes, what the customer is told and when, messages and events meanwhile (parts 4 and 20)."""

import pytest
from pydantic import ValidationError

from hitl_core.bridge.handoff import (
    EndReason,
    Failure,
    Handoff,
    Owner,
    PauseRequested,
    Phase,
    Resume,
    SendToDesk,
    StartContent,
    StartRequested,
    StartSession,
    StopRequested,
    StopSession,
    TellCustomer,
    TimerFired,
    WatchStart,
)
from hitl_core.bridge.policy import Policy
from hitl_core.events import SessionReopened, StopReason
from hitl_core.people import Agent, EndUser
from hitl_core.sessions import HitlSession

from .scene import ADA, BEA, CUSTOMER, HISTORY, NOW, REF, SESSION, Scene, after


@pytest.fixture
def scene():
    return Scene()


# Outcomes ---------------------------------------------------------------------------------------------------------


def test_s050_s052_f01_a_start_asks_for_the_session_with_all_it_was_given_and_tells_nothing_yet(scene):
    decision = scene.start(description="late", options={"priority": "high"}, relay="link")
    [effect] = decision.effects
    assert isinstance(effect, StartSession)
    assert (effect.connection, effect.conversation_id, effect.user) == ("default/desk", "conv-1", ADA)
    expected = StartContent(
        title="Parcel", description="late", history=HISTORY, options={"priority": "high"}, relay="link"
    )
    assert effect.content == expected
    assert effect.key == "h1:start"
    assert (decision.handoff.phase, decision.handoff.owner) == (Phase.STARTING, Owner.QUEUE)
    assert decision.start == "starting"


@pytest.mark.parametrize("field", ["conversation_id", "handoff_id", "key", "connections"])
def test_s051_a_start_without_a_conversation_is_refused_by_name(field):
    given = {"handoff_id": "h", "conversation_id": "c", "key": "k", "connections": ("a/b",), "user": ADA, "title": "t"}
    with pytest.raises(ValidationError, match=field):
        StartRequested(**{**given, field: () if field == "connections" else ""})


def test_s053_f01_a_helpdesks_own_session_cannot_be_escalated(scene):
    decision = scene.start(downstream=True)
    assert (decision.start, decision.effects, decision.handoff) == ("not_allowed", (), None)


def test_s054_f01_another_start_while_one_is_open_finds_it_active(scene):
    scene.waiting()
    decision = scene.start()
    assert (decision.start, decision.effects, decision.handoff.id) == ("already_active", (), "h1")


def test_s055_f02_the_same_key_again_is_a_replay_whether_open_or_ended(scene):
    scene.start(key="k")
    assert scene.start(key="k").start == "replay"
    assert scene.last.effects == ()
    scene.feed(StopRequested())
    assert scene.start(key="k").start == "replay"
    assert scene.handoff.id == "h1"


def test_s056_f02_a_new_attempt_after_an_ended_hand_off_is_a_new_hand_off(scene):
    scene.active()
    scene.closed()
    assert scene.start().start == "starting"
    assert scene.handoff.id == "h2"


def test_s057_s058_the_record_is_active_before_the_customer_is_told_and_the_content_is_dropped_with_the_link(scene):
    scene.start()
    assert scene.handoff.content is not None
    scene.started()
    assert (scene.handoff.phase, scene.handoff.session, scene.handoff.external_user) == (
        Phase.WAITING,
        SESSION,
        CUSTOMER,
    )
    assert scene.handoff.content is None
    assert scene.kinds() == [TellCustomer]


# Once the ticket exists -------------------------------------------------------------------------------------------


def test_s059_f03_the_customer_is_told_of_a_human_only_once_the_ticket_exists(scene):
    assert not [effect for effect in scene.start().effects if isinstance(effect, TellCustomer)]
    scene.started()
    assert scene.told() == [scene.text("on_handoff_message")]
    assert scene.handoff.owner is Owner.QUEUE


def test_s059_f03_a_failed_start_tells_the_customer_and_gives_the_conversation_back(scene):
    scene.start()
    scene.failed("h1:start", Failure.UNAVAILABLE, "desk: no answer for 60 s")
    assert scene.kinds() == [TellCustomer, Resume]
    assert scene.told() == [scene.text("on_start_failed_message")]
    assert (scene.back().reason, scene.back().continue_flow) == (EndReason.START_FAILED, True)
    assert scene.handoff.owner is Owner.BOT
    assert scene.handoff.failed == "desk: no answer for 60 s"
    assert scene.handoff.content is None


def test_s060_f03_a_ticket_that_shows_up_after_the_start_was_given_up_is_closed(scene):
    scene.start()
    scene.failed("h1:start", Failure.UNRESOLVED)
    scene.started()
    assert scene.kinds() == [StopSession]
    assert (scene.stop().session, scene.stop().reason, scene.stop().message) == (SESSION, StopReason.ERROR, None)
    assert scene.handoff.phase is Phase.ENDED
    scene.done("h1:start", session=SESSION)
    assert scene.last.ignored == "settled"


def test_f03_what_an_agent_says_in_a_late_ticket_is_late_and_not_lost(scene):
    scene.start()
    scene.failed("h1:start", Failure.UNRESOLVED)
    scene.started()
    scene.agent_says("I am on it")
    assert scene.shown() == [("Bea", "I am on it")]


def test_f03_f07_nor_is_what_an_agent_said_in_it_before_it_showed_up(scene):
    scene.start()
    scene.agent_says("one")
    scene.failed("h1:start", Failure.UNRESOLVED)
    scene.agent_says("two")
    scene.agent_says("not yours", session=REF.model_copy(update={"id": "t9"}))
    assert scene.assigned(BEA).ignored == "other session"
    scene.started()
    assert scene.shown() == [("Bea", "one"), ("Bea", "two")]
    assert (scene.handoff.early_events, scene.handoff.owner) == ((), Owner.BOT)


def test_a_start_reported_done_twice_changes_nothing(scene):
    scene.active()
    scene.started()
    assert scene.last.ignored == "settled"
    assert scene.handoff.session == SESSION


def test_f03_a_second_ticket_of_one_start_is_an_orphan(scene):
    scene.waiting()
    other = HitlSession(ref=REF.model_copy(update={"id": "t2"}), provider="desk")
    scene.started(other)
    assert (scene.stop().session, scene.stop().reason) == (other, StopReason.ERROR)
    assert scene.handoff.session == SESSION


def test_a_history_that_could_not_be_sent_whole_leaves_the_hand_off_as_it_is(scene):
    scene.waiting()
    scene.failed("h1:start", Failure.REFUSED)
    assert scene.last.ignored == "settled"
    scene.failed("h1:start", Failure.CLOSED)
    assert scene.handoff.end_reason is EndReason.SESSION_GONE


def test_a_start_that_is_done_without_a_session_is_an_error_of_ours(scene):
    scene.start()
    scene.done("h1:start")
    assert scene.handoff.end_reason is EndReason.INTERNAL_ERROR
    assert scene.told() == [scene.text("on_internal_error_message")]


# While it starts --------------------------------------------------------------------------------------------------


def test_s061_f04_messages_during_the_start_wait_and_follow_in_order(scene):
    scene.start()
    assert scene.say("one").effects == ()
    scene.say("two")
    scene.started()
    assert scene.relayed() == ["one", "two"]


def test_s061_f04_events_before_the_link_wait_and_follow_in_order(scene):
    scene.start()
    assert scene.assigned(BEA).effects == ()
    scene.agent_says("hello")
    scene.started()
    assert scene.told() == [scene.text("on_handoff_message"), scene.joined("Bea")]
    assert scene.shown() == [("Bea", "hello")]
    assert scene.handoff.early_events == ()


def test_f04_early_events_of_another_session_are_not_this_hand_offs(scene):
    scene.start()
    scene.agent_says("not yours", session=REF.model_copy(update={"id": "t9"}))
    scene.started()
    assert scene.shown() == []


def test_f04_a_session_closed_before_the_link_gives_back_what_was_queued(scene):
    scene.start()
    scene.say("one")
    scene.closed()
    scene.event(SessionReopened)
    scene.started()
    assert scene.handoff.phase is Phase.ENDED
    assert scene.pending() == ["one"]
    assert scene.relayed() == []


def test_f12_the_close_command_during_the_start_ends_it_and_a_late_ticket_is_closed(scene):
    scene.start()
    scene.say("hello?")
    scene.say("/end")
    assert scene.told() == [scene.text("on_user_hitl_close_message")]
    assert scene.pending() == ["hello?"]
    assert "h1:start" in scene.last.cancelled
    scene.started()
    assert (scene.stop().reason, scene.stop().message) == (
        StopReason.USER_LEFT,
        scene.text("on_user_hitl_cancelled_message"),
    )
    assert not scene.told()


def test_f03_a_start_that_became_unclear_after_it_was_cancelled_is_watched(scene):
    scene.start()
    scene.feed(StopRequested())
    scene.failed("h1:start", Failure.UNRESOLVED)
    [watch] = scene.effects(WatchStart)
    assert (watch.connection, watch.start) == ("default/desk", "h1:start")
    assert scene.failed("h1:start", Failure.REFUSED).ignored == "settled"


# The next hand-off ------------------------------------------------------------------------------------------------


def test_s096_s113_s120_f10_nothing_leaks_into_the_second_hand_off(scene):
    scene.active()
    scene.say("first")
    scene.closed()
    scene.start()
    expected = Handoff(
        id="h2",
        conversation_id="conv-1",
        connection="default/desk",
        key="conv-1:2",
        policy=scene.policy,
        user=ADA,
        content=StartContent(title="Parcel", history=HISTORY, previous=REF),
        started_at=NOW,
    )
    assert scene.handoff == expected


def test_f10_the_second_hand_off_announces_the_same_agent_anew(scene):
    scene.active()
    scene.closed()
    scene.start()
    other = SESSION.model_copy(update={"ref": REF.model_copy(update={"id": "t2"})})
    scene.started(other)
    scene.assigned(BEA, session=other.ref)
    assert scene.told() == [scene.joined("Bea")]


def test_the_second_session_can_be_linked_to_the_first_on_the_same_account_alone(scene):
    scene.active()
    scene.closed()
    scene.start(connections=("default/other", "default/desk"))
    assert scene.effects(StartSession)[0].content.previous is None
    scene.failed("h2:start", Failure.UNAVAILABLE)
    assert scene.effects(StartSession)[0].content.previous == REF


def test_s045_s046_the_policy_is_frozen_at_the_start(scene):
    scene.start(policy=Policy(on_handoff_message="one moment"))
    scene.policy = Policy(on_handoff_message="changed meanwhile")
    scene.started()
    assert scene.told() == ["one moment"]


def test_s045_without_one_of_its_own_a_start_uses_the_global_policy():
    scene = Scene(on_handoff_message="global")
    scene.start()
    assert scene.handoff.policy == scene.policy
    scene.started()
    assert scene.told() == ["global"]


def test_f33_texts_are_in_the_customers_language_and_know_their_name():
    texts = {"de": {"on_handoff_message": "Einen Moment, {user_name}."}}
    scene = Scene(user=EndUser(external_id="u1", name="Ada", locale="de-CH"), locales=texts)
    scene.waiting()
    assert scene.told() == ["Einen Moment, Ada."]


def test_f33_the_tickets_page_is_told_where_a_text_asks_for_it():
    scene = Scene(on_handoff_message="Your ticket: {ticket_url} ({ticket_id})")
    scene.waiting()
    assert scene.told() == ["Your ticket: https://desk.example/t1 (t1)"]


# Before there is any ----------------------------------------------------------------------------------------------


def test_s062_without_a_hand_off_everything_but_a_start_is_ignored_with_a_reason(scene):
    assert scene.say("hello").ignored == "no hand-off"
    for asked in (StopRequested(), PauseRequested(), TimerFired(handoff_id="h1", name="maximum", due=after(0))):
        decision = scene.feed(asked)
        assert (decision.handoff, decision.effects, decision.ignored) == (None, (), "no hand-off")


def test_s088_s081_the_customers_opaque_data_is_not_passed_to_the_helpdesk(scene):
    scene.waiting()
    text = scene.say("hi").effects[0].message.model_copy(update={"additional_data": "bot's own"})
    scene.say(text)
    assert scene.effects(SendToDesk)[0].message.additional_data is None


def test_s123_an_event_without_a_hand_off_is_nobodys(scene):
    assert scene.assigned(Agent(id="a1")).ignored == "no hand-off"
