"""What the helpdesk says after a hand-off has ended: a policy for each case, never silent loss (F07)."""

import pytest

from hitl_core.bridge.handoff import (
    NotifyBot,
    Owner,
    Phase,
    ReadSession,
    SendToDesk,
    StopRequested,
    TellCustomer,
    effect_key,
)
from hitl_core.events import (
    AgentMessageDeleted,
    AgentMessageUpdated,
    DeliveryStatus,
    MessageStatus,
    SessionChanged,
    SessionReopened,
    StopReason,
)
from hitl_core.messages import Location, Text

from .scene import BEA, REF, SESSION, Scene, after

PIN = Location(latitude=1, longitude=2)


def ended(**policy):
    scene = Scene(**policy)
    scene.active()
    scene.closed()
    return scene


def test_s077_f07_a_late_message_is_delivered_and_the_bot_keeps_the_conversation():
    scene = ended()
    scene.agent_says("PS: it is on its way")
    assert (scene.told(), scene.shown()) == ([], [("Bea", "PS: it is on its way")])
    assert scene.handoff.owner is Owner.BOT


def test_f07_a_late_message_may_be_left_to_the_host():
    scene = ended(on_late_agent_message="notify")
    scene.agent_says("PS")
    assert scene.kinds() == [NotifyBot]


def test_f07_the_agent_may_be_answered_that_it_is_over():
    scene = ended(on_late_agent_message="answer")
    scene.agent_says("PS", id="e-9")
    [note] = scene.effects(SendToDesk)
    assert (scene.kinds(), scene.answered()) == ([SendToDesk], [scene.text("on_late_message_answer")])
    assert note.key == effect_key("h1", "late", "e-9")


def test_f07_s030_without_an_answer_to_give_the_host_gets_to_know():
    scene = ended(on_late_agent_message="answer", on_late_message_answer="NULL")
    scene.agent_says("PS")
    assert scene.kinds() == [NotifyBot]


def test_f07_a_late_message_may_begin_a_new_hand_off_in_which_it_is_shown():
    scene = ended(on_late_agent_message="hand_over", agent_assigned_timeout_seconds=60)
    old = scene.handoff
    scene.agent_says("PS: wait")
    fresh = scene.handoff
    assert fresh.id != old.id
    assert (fresh.phase, fresh.owner, fresh.session) == (Phase.ACTIVE, Owner.HUMAN, SESSION)
    assert [effect.message.text for effect in scene.effects(TellCustomer)] == [
        scene.text("on_session_reopened_message"),
        scene.joined("Bea"),
        "PS: wait",
    ]
    assert scene.reads() == [REF]
    assert fresh.timers == {}
    scene.say("yes?")
    assert scene.relayed() == ["yes?"]


def test_f07_another_hand_off_that_is_open_already_is_not_disturbed():
    scene = ended(on_late_agent_message="hand_over")
    old = scene.handoff
    scene.agent_says("PS", superseded=True)
    assert (scene.handoff, scene.shown()) == (old, [("Bea", "PS")])


@pytest.mark.parametrize("how", ["command", "stop"])
def test_f07_a_customer_who_left_is_not_fetched_back_but_sees_the_message(how):
    scene = Scene(on_late_agent_message="hand_over")
    scene.active()
    if how == "command":
        scene.say("/end")
    else:
        scene.feed(StopRequested())
    scene.agent_says("PS")
    assert (scene.handoff.phase, scene.shown()) == (Phase.ENDED, [("Bea", "PS")])


def test_f07_a_message_written_before_the_end_is_shown_and_begins_nothing():
    scene = Scene(on_late_agent_message="hand_over")
    scene.active()
    scene.now = after(60)
    scene.closed()
    scene.agent_says("typed slowly", at=after(59))
    assert (scene.handoff.phase, scene.shown()) == (Phase.ENDED, [("Bea", "typed slowly")])


def test_f07_a_new_hand_off_after_a_timeout_calls_off_the_closing():
    scene = Scene(on_late_agent_message="hand_over", agent_assigned_timeout_seconds=60)
    scene.waiting()
    scene.fires("assignment")
    closing = scene.stop().key
    scene.agent_says("here I am")
    assert scene.handoff.phase is Phase.ACTIVE
    assert closing in scene.last.cancelled


@pytest.mark.parametrize("choice", ["deliver", "answer", "hand_over"])
def test_f07_s079_a_late_kind_the_customer_cannot_see_is_answered_to_the_agent(choice):
    scene = ended(on_late_agent_message=choice)
    scene.agent_says(PIN)
    assert (scene.answered(), scene.handoff.phase) == ([scene.text("on_incompatible_msg_type_message")], Phase.ENDED)


def test_f07_s030_or_told_to_the_host_when_there_is_no_answer_to_it():
    scene = ended(on_incompatible_msg_type_message="NULL")
    scene.agent_says(PIN)
    assert scene.kinds() == [NotifyBot]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (AgentMessageUpdated, {"message": Text(text="x")}),
        (AgentMessageDeleted, {"message_id": "dm-1"}),
        (MessageStatus, {"message_id": "dm-1", "status": DeliveryStatus.FAILED}),
    ],
)
def test_changes_of_what_was_shown_are_told_after_the_end_too(kind, fields):
    scene = ended()
    scene.event(kind, **fields)
    assert scene.notified() == [kind]


def test_s089_who_has_a_session_nobody_is_in_tells_nobody_anything():
    scene = ended()
    assert scene.assigned(BEA).ignored == "ended"
    assert scene.event(SessionChanged).ignored == "ended"


# Reopened ---------------------------------------------------------------------------------------------------------


def test_a_session_reopened_by_the_agent_is_a_new_hand_off_on_it():
    scene = ended(agent_assigned_timeout_seconds=60, maximum_duration_seconds=600)
    old = scene.handoff
    scene.now = after(30)
    scene.event(SessionReopened, id="e-9")
    fresh = scene.handoff
    assert fresh.id != old.id
    assert ":" not in fresh.id
    assert (fresh.owner, fresh.session, fresh.started_at) == (Owner.QUEUE, SESSION, after(30))
    assert (fresh.connection, fresh.user, fresh.policy) == (old.connection, old.user, old.policy)
    assert fresh.timers == {"assignment": after(90), "maximum": after(630)}
    assert scene.told() == [scene.text("on_session_reopened_message")]
    assert scene.kinds() == [TellCustomer, ReadSession, NotifyBot]
    scene.agent_says("one more thing")
    assert scene.told() == [scene.joined("Bea")]


def test_the_same_reopening_decided_twice_is_the_same_hand_off():
    one, other = ended(), ended()
    one.event(SessionReopened, id="e-9")
    other.event(SessionReopened, id="e-9")
    assert one.handoff == other.handoff


def test_a_session_reopened_after_the_customer_left_does_not_fetch_them_back():
    scene = Scene()
    scene.active()
    scene.say("/end")
    scene.event(SessionReopened)
    assert scene.handoff.phase is Phase.ENDED
    assert scene.kinds() == [NotifyBot]


@pytest.mark.parametrize("policy", ["notify", "hand_over"])
def test_a_reopening_is_told_alone_when_configured_or_overtaken_by_a_later_hand_off(policy):
    scene = ended(on_session_reopened=policy)
    scene.event(SessionReopened, superseded=policy == "hand_over")
    assert (scene.handoff.phase, scene.kinds()) == (Phase.ENDED, [NotifyBot])


def test_a_reopening_that_was_closed_again_before_it_arrived_is_stale():
    scene = ended()
    scene.closed(at=after(9))
    assert scene.handoff.status_at == after(9)
    assert scene.event(SessionReopened, at=after(5)).ignored == "stale"
    assert scene.closed(at=after(1)).ignored == "ended"


def test_f09_a_message_in_the_new_hand_off_older_than_its_agents_is_shown_and_assigns_nobody():
    scene = Scene()
    scene.waiting()
    scene.assigned(BEA, at=after(5))
    scene.closed(StopReason.AGENT_CLOSED)
    scene.event(SessionReopened)
    scene.agent_says("old", at=after(1))
    assert (scene.handoff.phase, scene.shown()) == (Phase.WAITING, [("Bea", "old")])
