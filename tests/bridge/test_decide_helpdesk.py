"""What happens in the helpdesk while a hand-off is open: messages, assignment, the end (parts 7, 9, 13 and 15)."""

import pytest

from hitl_core.bridge.handoff import (
    AgentEvent,
    EndReason,
    NotifyBot,
    Owner,
    ReadSession,
    Resume,
    SendToDesk,
    TellCustomer,
    effect_key,
)
from hitl_core.events import (
    AgentMessage,
    AgentMessageDeleted,
    AgentMessageUpdated,
    AgentTyping,
    AgentUnassigned,
    DeliveryStatus,
    Ignored,
    IgnoredReason,
    MessageStatus,
    SessionChanged,
    SessionReopened,
    SessionStopped,
    StopReason,
    UnknownEvent,
)
from hitl_core.messages import Bloc, Image, Location, Text, UnknownMessage
from hitl_core.people import Agent, Role
from hitl_core.sessions import SessionRef

from .scene import BEA, CYD, REF, SESSION, Scene, after


@pytest.fixture
def scene():
    return Scene()


# Agents' messages -------------------------------------------------------------------------------------------------


def test_s076_s083_an_agents_message_goes_to_the_customer_and_never_to_the_bot(scene):
    scene.active()
    scene.agent_says("hello")
    assert scene.kinds() == [TellCustomer]


def test_s081_it_keeps_its_kind_its_payload_and_its_opaque_data_and_names_its_source(scene):
    scene.active()
    picture = Image(url="https://example.com/a.png", title="a", additional_data="x=1")
    scene.agent_says(picture, message_id="dm-7")
    [shown] = scene.effects(TellCustomer)
    assert (shown.message, shown.vendor_message_id) == (picture, "dm-7")


@pytest.mark.parametrize(
    "message", [Text(text="x"), Image(url="https://example.com/a.png"), Bloc(items=(Text(text="x"),))]
)
def test_s079_kinds_the_customer_can_see_are_shown(scene, message):
    scene.active()
    scene.agent_says(message)
    assert scene.effects(TellCustomer)[0].message == message


@pytest.mark.parametrize("message", [Location(latitude=1, longitude=2), UnknownMessage(type="hologram")])
def test_s079_f18_any_other_kind_is_answered_to_the_agent_in_a_note_and_assigns_nobody(scene, message):
    scene.waiting()
    scene.agent_says(message, id="e-1")
    [note] = scene.effects(SendToDesk)
    assert (note.message.text, note.author.role) == (scene.text("on_incompatible_msg_type_message"), Role.SYSTEM)
    assert (note.internal, note.key) == (True, effect_key("h1", "incompatible", "e-1"))
    assert not scene.effects(TellCustomer)
    assert scene.handoff.owner is Owner.QUEUE


def test_s030_s079_an_unseen_kind_without_a_text_says_why_nothing_happened():
    scene = Scene(on_incompatible_msg_type_message="NULL")
    scene.waiting()
    assert scene.agent_says(Location(latitude=1, longitude=2)).ignored == "not showable"


def test_s080_s091_r17_the_first_agent_message_assigns_and_joined_comes_before_it(scene):
    scene.waiting()
    scene.agent_says("hello")
    senders = [(e.sender.role, e.message.text) for e in scene.effects(TellCustomer)]
    assert senders == [(Role.SYSTEM, scene.joined("Bea")), (Role.AGENT, "hello")]
    assert (scene.handoff.owner, scene.handoff.agent_implied) == (Owner.HUMAN, True)


def test_s080_a_message_names_who_answers_when_nobody_knew(scene):
    scene.waiting()
    scene.agent_says("hello", None)
    assert scene.told() == [scene.joined(scene.policy.agent_fallback_name)]
    scene.agent_says("it is me", BEA)
    assert (scene.told(), scene.handoff.agent) == ([scene.joined("Bea")], BEA)
    scene.agent_says("and me", None)
    assert (scene.told(), scene.handoff.agent) == ([], BEA)


def test_s082_s140_s142_it_is_shown_under_the_agents_name_and_picture(scene):
    scene.active()
    scene.agent_says("hello")
    [shown] = scene.effects(TellCustomer)
    assert (shown.sender.role, shown.sender.id, shown.sender.name) == (Role.AGENT, "a1", "Bea")
    assert shown.sender.avatar_url == BEA.avatar_url


def test_s140_s041_or_under_none_of_theirs_when_the_policy_says_so():
    scene = Scene(use_human_agent_info=False, agent_fallback_name="Our team")
    scene.waiting()
    scene.agent_says("hello")
    assert scene.told() == [scene.joined("Our team")]
    sender = scene.effects(TellCustomer)[-1].sender
    assert (sender.role, sender.name, sender.id, sender.avatar_url) == (Role.AGENT, "Our team", None, None)


@pytest.mark.parametrize("agent", [Agent(id="a9"), Agent(id="a9", name=" "), None])
def test_s092_f33_s145_an_agent_without_a_name_gets_the_configured_one(agent):
    scene = Scene(agent_fallback_name="Somebody of ours")
    scene.waiting()
    scene.agent_says("hello", agent)
    assert scene.told() == [scene.joined("Somebody of ours")]
    assert scene.shown() == [("Somebody of ours", "hello")]


def test_s141_s143_s144_a_new_name_or_picture_is_the_agents_from_then_on(scene):
    scene.active()
    renamed = BEA.model_copy(update={"name": "Bea B."})
    scene.assigned(renamed)
    assert (scene.told(), scene.handoff.agent) == ([], renamed)


def test_r10_the_closing_comment_reaches_the_customer_before_the_closing_text(scene):
    scene.active()
    scene.agent_says("Glad to help. Bye!")
    assert scene.shown() == [("Bea", "Glad to help. Bye!")]
    scene.closed()
    assert scene.told() == [scene.text("on_hitl_stopped_message")]


def test_a_message_told_in_several_events_is_shown_whole(scene):
    scene.active()
    scene.agent_says("see the picture", id="e-1", message_id="dm-7")
    first = scene.last.effects[0].key
    scene.agent_says(Image(url="https://example.com/a.png"), id="e-2", message_id="dm-7")
    assert scene.last.effects[0].key != first


# Assignment -------------------------------------------------------------------------------------------------------


def test_s090_an_assignment_tells_the_customer_once_and_the_human_owns(scene):
    scene.active()
    assert scene.told() == [scene.joined("Bea")]
    assert (scene.handoff.owner, scene.handoff.agent) == (Owner.HUMAN, BEA)


def test_s089_s093_an_assignment_of_an_ended_or_another_session_has_no_effect(scene):
    scene.active()
    assert scene.assigned(CYD, session=SessionRef(connection="default/desk", id="t9")).ignored == "other session"
    scene.closed()
    assert scene.assigned(CYD).ignored == "ended"


@pytest.mark.parametrize("message_first", [True, False])
def test_f09_s095_an_assignment_and_a_first_message_together_give_one_joined_text(scene, message_first):
    scene.waiting()
    steps = [lambda: scene.agent_says("hello"), lambda: scene.assigned(BEA), lambda: scene.assigned(BEA)]
    told = []
    for step in steps if message_first else [steps[1], steps[0], steps[2]]:
        step()
        told += scene.told()
    assert told == [scene.joined("Bea")]


def test_s094_f09_each_change_of_agent_is_told_once(scene):
    told = []
    scene.waiting()
    for agent in (BEA, BEA, CYD, CYD, BEA):
        scene.assigned(agent)
        told += scene.told()
    assert told == [scene.joined(name) for name in ("Bea", "Cyd", "Bea")]


def test_f09_an_assignment_older_than_the_last_one_is_ignored(scene):
    scene.waiting()
    scene.assigned(CYD, at=after(9))
    assert scene.assigned(BEA, at=after(0)).ignored == "stale"
    assert scene.handoff.agent == CYD


def test_f09_another_agents_message_is_shown_under_their_name_and_assigns_nobody(scene):
    scene.active(BEA)
    scene.agent_says("I can help too", CYD)
    assert (scene.told(), scene.shown()) == ([], [("Cyd", "I can help too")])
    assert scene.handoff.agent == BEA


def test_f26_an_unassignment_puts_the_customer_back_in_the_queue_and_is_no_agent(scene):
    scene.waiting()
    scene.agent_says("hello")
    scene.event(AgentUnassigned)
    assert scene.told() == []
    handoff = scene.handoff
    assert (handoff.owner, handoff.agent, handoff.agent_implied) == (Owner.QUEUE, None, False)
    scene.assigned(BEA)
    assert scene.told() == [], "the customer knows Bea already"
    assert scene.handoff.owner is Owner.HUMAN


def test_f26_an_unassignment_that_arrives_late_takes_nobody_away(scene):
    scene.waiting()
    scene.assigned(BEA, at=after(5))
    assert scene.event(AgentUnassigned, at=after(0)).ignored == "stale"
    assert scene.handoff.agent == BEA


def test_f26_an_unassignment_of_nobody_keeps_an_older_assignment_out(scene):
    scene.waiting()
    scene.event(AgentUnassigned, at=after(5))
    assert scene.assigned(BEA, at=after(0)).ignored == "stale"
    assert scene.handoff.owner is Owner.QUEUE


def test_a_message_written_before_the_session_was_given_up_is_shown_but_assigns_nobody(scene):
    scene.active()
    scene.event(AgentUnassigned, at=after(5))
    scene.agent_says("one moment", at=after(0))
    assert scene.shown() == [("Bea", "one moment")]
    assert scene.handoff.owner is Owner.QUEUE


def test_f09_somebody_the_vendor_does_not_name_is_not_announced_over_an_agent_the_customer_knows(scene):
    scene.active()
    scene.event(AgentUnassigned)
    scene.agent_says("hello", None)
    assert (scene.told(), scene.handoff.owner) == ([], Owner.HUMAN)


# For the host to know ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (AgentMessageDeleted, {"message_id": "dm-1"}),
        (AgentMessageUpdated, {"message": Text(text="hello")}),
        (MessageStatus, {"message_id": "dm-1", "status": DeliveryStatus.READ}),
        (SessionReopened, {}),
    ],
)
def test_what_changes_no_owner_is_the_hosts_to_know_and_no_text(scene, kind, fields):
    scene.active()
    scene.event(kind, **fields)
    assert scene.kinds() == [NotifyBot]
    assert scene.notified() == [kind]


def test_s111_r03_assignment_and_end_are_told_to_the_host_as_records(scene):
    scene.waiting()
    scene.assigned(BEA)
    assert len(scene.effects(NotifyBot)) == 1
    scene.event(AgentUnassigned)
    assert scene.notified() == [AgentUnassigned]
    scene.closed()
    assert scene.notified() == [SessionStopped]


def test_a_hint_asks_for_a_reading(scene):
    scene.active()
    scene.event(SessionChanged)
    assert (scene.kinds(), scene.reads()) == ([ReadSession], [REF])


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (AgentTyping(event_id="x", session=REF), "typing"),
        (Ignored(event_id="x", session=REF, reason=IgnoredReason.INTERNAL_NOTE), "not passed on"),
        (UnknownEvent(event_id="x", session=REF), "not passed on"),
        (SessionReopened(event_id="x", session=SessionRef(connection="other/desk", id="t1")), "other session"),
    ],
)
def test_s116_what_is_not_for_the_customer_or_of_another_session_is_ignored_with_a_reason(scene, event, reason):
    scene.active()
    before = scene.handoff
    assert scene.feed(AgentEvent(event=event)).ignored == reason
    assert scene.handoff is before


def test_a_hint_during_the_start_waits_for_the_link(scene):
    scene.start()
    assert scene.event(SessionChanged).ignored == "starting"
    assert scene.event(AgentTyping).ignored == "typing"


# The helpdesk ends it ---------------------------------------------------------------------------------------------


def test_s115_s117_s126_r02_the_agents_close_tells_the_customer_first_and_then_resumes_the_bot(scene):
    scene.active()
    scene.closed()
    assert scene.kinds() == [NotifyBot, TellCustomer, Resume]
    assert scene.told() == [scene.text("on_hitl_stopped_message")]
    back = scene.back()
    assert (back.reason, back.stop_reason) == (EndReason.AGENT_CLOSED, StopReason.AGENT_CLOSED)
    assert (back.agent, back.session, back.continue_flow) == (BEA, SESSION, True)
    assert back.marker
    assert scene.handoff.owner is Owner.BOT


@pytest.mark.parametrize("reason", [StopReason.DELETED, StopReason.SPAM, StopReason.TRANSFERRED, StopReason.MERGED])
def test_f13_a_session_that_is_gone_ends_it_too(scene, reason):
    scene.active()
    scene.closed(reason)
    assert scene.back().reason is EndReason.SESSION_GONE
    assert scene.back().stop_reason is reason


def test_s114_a_repeated_close_is_harmless(scene):
    scene.active()
    scene.closed()
    assert scene.closed().ignored == "ended"


def test_r01_the_closed_webhook_our_own_close_causes_ends_nothing_twice(scene):
    scene.active()
    scene.say("/end")
    assert scene.closed(StopReason.USER_LEFT).ignored == "ended"


def test_a_close_that_arrives_after_the_reopening_it_preceded_is_stale(scene):
    scene.active()
    scene.event(SessionReopened, at=after(5))
    assert scene.closed(at=after(0)).ignored == "stale"
    assert scene.event(SessionReopened, at=after(1)).ignored == "stale"
    assert scene.handoff.open


def test_the_hand_back_brings_no_transcript_and_says_where_it_begins(scene):
    scene.active()
    scene.now = after(60)
    scene.closed()
    [resume] = scene.effects(Resume)
    assert (resume.began_at, resume.hand_back.transcript) == (after(0), ())


def test_s030_a_marker_can_be_switched_off():
    scene = Scene(hand_back_marker="NULL")
    scene.active()
    scene.closed()
    assert not scene.back().marker


def test_r09_a_notice_of_the_system_is_no_agent_message(scene):
    scene.active()
    ignored = Ignored(event_id="x", session=REF, reason=IgnoredReason.SYSTEM)
    assert not isinstance(ignored, AgentMessage)
    assert scene.feed(AgentEvent(event=ignored)).effects == ()
