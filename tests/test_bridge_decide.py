"""The hand-off as a pure function: one test for each rule of the behaviour specification it keeps."""

import pickle
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from hitl_core.bridge import (
    AgentEvent,
    Decision,
    EffectDone,
    EffectFailed,
    EndReason,
    Failure,
    Handoff,
    NotifyBot,
    Owner,
    Phase,
    Policy,
    Resume,
    SendToDesk,
    StartRequested,
    StartSession,
    StopRequested,
    StopSession,
    TellCustomer,
    TimerFired,
    UserMessage,
    decide,
    state_events,
)
from hitl_core.bridge.effects import effect_key
from hitl_core.calls import SessionState
from hitl_core.errors import ConfigurationError
from hitl_core.events import (
    AgentAssigned,
    AgentMessage,
    AgentMessageDeleted,
    AgentMessageUpdated,
    AgentUnassigned,
    Ignored,
    IgnoredReason,
    SessionReopened,
    SessionStopped,
    StopReason,
)
from hitl_core.messages import Image, Location, Markdown, Text, UnknownMessage
from hitl_core.people import Agent, Author, EndUser, ExternalUser, Role
from hitl_core.sessions import HistoryEntry, HitlSession, SessionRef

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
REF = SessionRef(connection="default/desk", id="t1")
SESSION = HitlSession(ref=REF, provider="desk")
CUSTOMER = ExternalUser(id="cus_1", name="Ada")
BEA = Agent(id="a1", name="Bea")
CYD = Agent(id="a2", name="Cyd")
HISTORY = (HistoryEntry.of(Author.user(name="Ada"), "Where is my parcel?"),)


class Scene:
    """A conversation: feed it inputs, look at what came of the last one."""

    def __init__(self, **policy):
        self.policy = Policy(**policy)
        self.handoff = None
        self.last = None
        self.now = NOW
        self.number = 0
        self.starts = 0

    def feed(self, input):
        before = pickle.dumps(self.handoff)
        self.last = decide(self.handoff, input, self.policy, self.now)
        assert pickle.dumps(self.handoff) == before, "a decision changes nothing in place"
        self.handoff = self.last.handoff
        return self.last

    def start(self, key=None, **fields):
        self.starts += 1
        return self.feed(
            StartRequested(
                handoff_id=f"h{self.starts}",
                conversation_id="conv-1",
                connection="default/desk",
                key=key or f"conv-1:{self.starts}",
                user=EndUser(external_id="u1", name="Ada"),
                title="Parcel",
                history=HISTORY,
                **fields,
            )
        )

    def started(self, session=SESSION):
        return self.feed(EffectDone(key=f"{self.handoff.id}:start", session=session, external_user=CUSTOMER))

    def waiting(self):
        self.start()
        self.started()
        return self

    def active(self, agent=BEA):
        self.waiting()
        self.assigned(agent)
        return self

    def say(self, text, id=None):
        self.number += 1
        message = Text(text=text) if isinstance(text, str) else text
        return self.feed(UserMessage(message_id=id or f"m{self.number}", message=message, author=Author.user()))

    def event(self, kind, *, id=None, at=None, superseded=False, **fields):
        self.number += 1
        if kind is AgentMessage:
            fields.setdefault("message_id", f"dm{self.number}")
        fields.setdefault("session", REF)
        made = kind(event_id=id or f"e{self.number}", occurred_at=at, **fields)
        return self.feed(AgentEvent(event=made, superseded=superseded))

    def assigned(self, agent, **more):
        return self.event(AgentAssigned, agent=agent, **more)

    def agent_says(self, text, agent=BEA, **more):
        message = Text(text=text) if isinstance(text, str) else text
        return self.event(AgentMessage, agent=agent, message=message, **more)

    def effects(self, kind):
        return [effect for effect in self.last.effects if isinstance(effect, kind)]

    def told(self):
        """The texts of our own the customer got by the last input."""
        return [e.message.text for e in self.effects(TellCustomer) if e.sender.role is Role.SYSTEM]

    def shown(self):
        """The agents' texts the customer got by the last input."""
        return [(e.sender.name, e.message.text) for e in self.effects(TellCustomer) if e.sender.role is Role.AGENT]

    def relayed(self):
        return [effect.message.text for effect in self.effects(SendToDesk)]

    def back(self):
        [resume] = self.effects(Resume)
        return resume.hand_back


@pytest.fixture
def scene():
    return Scene()


# Start ------------------------------------------------------------------------------------------------------------


def test_a_start_asks_for_the_session_with_the_history_and_tells_the_customer_nothing_yet(scene):
    decision = scene.start(description="late", options={"priority": "high"})
    [effect] = decision.effects
    assert isinstance(effect, StartSession)
    assert (effect.title, effect.description, effect.history) == ("Parcel", "late", HISTORY)
    assert effect.options == {"priority": "high"}
    assert (decision.handoff.phase, decision.handoff.owner) == (Phase.STARTING, Owner.QUEUE)
    assert decision.start == "starting"


def test_f03_the_customer_is_told_of_a_human_only_once_the_ticket_exists_and_after_it(scene):
    scene.start()
    scene.started()
    [text] = scene.effects(TellCustomer)
    assert text.message.text == scene.policy.on_handoff_message
    assert text.after == ("h1:start",)
    assert (scene.handoff.phase, scene.handoff.owner) == (Phase.WAITING, Owner.QUEUE)
    assert scene.handoff.session == SESSION


def test_f03_a_failed_start_tells_the_customer_and_gives_the_conversation_back(scene):
    scene.start()
    scene.feed(EffectFailed(key="h1:start", failure=Failure.UNAVAILABLE))
    assert scene.told() == [scene.policy.on_start_failed_message]
    assert scene.back().reason is EndReason.START_FAILED
    assert scene.back().continue_flow
    assert scene.handoff.owner is Owner.BOT
    assert not scene.effects(StopSession)


def test_f03_a_ticket_that_shows_up_after_the_start_was_given_up_is_closed(scene):
    scene.start()
    scene.feed(EffectFailed(key="h1:start", failure=Failure.UNRESOLVED))
    scene.started()
    [stop] = scene.effects(StopSession)
    assert (stop.session, stop.reason, stop.message) == (SESSION, StopReason.ERROR, None)
    assert not scene.effects(TellCustomer)
    assert scene.handoff.phase is Phase.ENDED


def test_f02_the_same_key_again_is_a_replay_whether_open_or_ended(scene):
    scene.start(key="k")
    assert scene.start(key="k").start == "replay"
    assert scene.last.effects == ()
    scene.feed(StopRequested())
    assert scene.start(key="k").start == "replay"
    assert scene.handoff.id == "h1"


def test_s054_another_start_while_one_is_open_finds_it_active(scene):
    scene.waiting()
    decision = scene.start()
    assert (decision.start, decision.effects, decision.handoff.id) == ("already_active", (), "h1")


def test_f02_a_new_attempt_after_an_ended_hand_off_is_a_new_hand_off(scene):
    scene.active()
    scene.event(SessionStopped, reason=StopReason.AGENT_CLOSED)
    assert scene.start().start == "starting"
    assert scene.handoff.id == "h2"


def test_f10_nothing_leaks_into_the_second_hand_off(scene):
    scene.active()
    scene.say("first")
    scene.event(SessionStopped, reason=StopReason.AGENT_CLOSED)
    scene.start()
    fresh = scene.handoff
    expected = Handoff(
        id="h2",
        conversation_id="conv-1",
        connection="default/desk",
        key="conv-1:2",
        policy=scene.policy,
        user=EndUser(external_id="u1", name="Ada"),
        started_at=NOW,
    )
    assert fresh == expected


def test_the_second_session_can_be_linked_to_the_first(scene):
    scene.active()
    assert scene.handoff.session.ref == REF
    scene.event(SessionStopped, reason=StopReason.AGENT_CLOSED)
    scene.start()
    assert scene.effects(StartSession)[0].previous == REF


def test_f10_the_second_hand_off_announces_the_same_agent_anew(scene):
    scene.active()
    scene.event(SessionStopped, reason=StopReason.AGENT_CLOSED)
    scene.start()
    other = SESSION.model_copy(update={"ref": REF.model_copy(update={"id": "t2"})})
    scene.started(other)
    scene.assigned(BEA, session=other.ref)
    assert scene.told() == ["Bea has joined the conversation."]


def test_s045_s046_the_policy_is_frozen_at_the_start(scene):
    scene.start(policy=Policy(on_handoff_message="one moment"))
    scene.policy = Policy(on_handoff_message="changed meanwhile")
    scene.started()
    assert scene.told() == ["one moment"]


# While it starts --------------------------------------------------------------------------------------------------


def test_f04_messages_during_the_start_wait_and_follow_in_order(scene):
    scene.start()
    assert scene.say("one").effects == ()
    scene.say("two")
    scene.started()
    assert scene.relayed() == ["one", "two"]


def test_f04_events_before_the_link_wait_and_follow_in_order(scene):
    scene.start()
    assert scene.assigned(BEA).effects == ()
    scene.agent_says("hello")
    scene.started()
    assert scene.told() == [scene.policy.on_handoff_message, "Bea has joined the conversation."]
    assert scene.shown() == [("Bea", "hello")]


def test_f04_a_session_closed_before_the_link_gives_back_what_was_queued(scene):
    scene.start()
    scene.say("one")
    scene.event(SessionStopped, reason=StopReason.AGENT_CLOSED)
    scene.started()
    assert scene.handoff.phase is Phase.ENDED
    assert [m.text for m in scene.back().pending_messages] == ["one"]
    assert scene.relayed() == []


def test_f12_the_close_command_during_the_start_ends_it_and_a_late_ticket_is_closed(scene):
    scene.start()
    scene.say("hello?")
    scene.say("/end")
    assert scene.told() == [scene.policy.on_user_hitl_close_message]
    assert [m.text for m in scene.back().pending_messages] == ["hello?"]
    assert "h1:start" in scene.last.cancelled
    scene.started()
    [stop] = scene.effects(StopSession)
    assert stop.reason is StopReason.USER_LEFT
    assert not scene.told()


# Customer ---------------------------------------------------------------------------------------------------------


def test_s084_without_an_open_hand_off_the_bot_handles_the_message(scene):
    assert scene.say("hello") == Decision(handoff=None)
    scene.active()
    scene.event(SessionStopped, reason=StopReason.AGENT_CLOSED)
    ended = scene.handoff
    assert scene.say("hello").effects == ()
    assert scene.handoff == ended


def test_s087_a_message_is_relayed_in_the_name_of_the_customer(scene):
    scene.waiting()
    scene.say("any news?")
    [sent] = scene.effects(SendToDesk)
    assert (sent.message.text, sent.author.role, sent.author.id) == ("any news?", Role.USER, "cus_1")
    assert sent.session == SESSION


def test_f22_a_message_handed_in_twice_is_relayed_once(scene):
    scene.waiting()
    scene.say("any news?", id="m-7")
    assert scene.say("any news?", id="m-7").effects == ()


def test_a_relayed_message_is_accounted_for_once_its_effect_is_done(scene):
    scene.waiting()
    scene.say("one", id="m-1")
    scene.say("two", id="m-2")
    scene.feed(EffectDone(key=effect_key("h1", "relay", "m-1")))
    assert [p.message_id for p in scene.handoff.unrelayed] == ["m-2"]


def test_messages_not_relayed_at_the_end_are_given_back_and_not_sent_any_more(scene):
    scene.active()
    scene.say("one", id="m-1")
    scene.feed(EffectDone(key=effect_key("h1", "relay", "m-1")))
    scene.say("two", id="m-2")
    scene.event(SessionStopped, reason=StopReason.AGENT_CLOSED)
    assert [m.text for m in scene.back().pending_messages] == ["two"]
    assert scene.last.cancelled == (effect_key("h1", "relay", "m-2"),)


def test_s084_a_kind_nobody_knows_is_answered_to_the_customer_and_not_relayed(scene):
    scene.active()
    scene.say(UnknownMessage(type="hologram"))
    assert scene.told() == [scene.policy.on_unsupported_user_message]
    assert scene.relayed() == []


@pytest.mark.parametrize("failure", [Failure.REFUSED, Failure.UNRESOLVED])
def test_a_refused_or_unclear_message_is_told_to_the_customer_and_the_hand_off_goes_on(scene, failure):
    scene.active()
    scene.say("x", id="m-1")
    scene.feed(EffectFailed(key=effect_key("h1", "relay", "m-1"), failure=failure))
    assert scene.told() == [scene.policy.on_message_failed_message]
    assert scene.handoff.phase is Phase.ACTIVE
    assert scene.handoff.unrelayed == ()


def test_f13_a_closed_or_missing_session_ends_the_hand_off_and_gives_the_message_back(scene):
    scene.active()
    scene.say("still there?", id="m-1")
    scene.feed(EffectFailed(key=effect_key("h1", "relay", "m-1"), failure=Failure.CLOSED))
    assert scene.told() == [scene.policy.on_hitl_stopped_message]
    assert scene.back().reason is EndReason.SESSION_GONE
    assert [m.text for m in scene.back().pending_messages] == ["still there?"]
    assert not scene.effects(StopSession)


# Close command ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["/end", "  /END \n", "/End"])
def test_s097_the_close_command_is_trimmed_and_in_any_case(scene, text):
    scene.active()
    scene.say(text)
    assert scene.handoff.end_reason is EndReason.USER_CLOSED


@pytest.mark.parametrize("text", ["/end now", "please /end", "end", "/ end"])
def test_s097_a_part_of_the_command_or_more_than_it_is_a_message(scene, text):
    scene.active()
    scene.say(text)
    assert scene.relayed() == [text]
    assert scene.handoff.open


def test_s097_r04_a_message_without_text_is_never_the_command(scene):
    scene.active()
    scene.say(Image(url="https://example.com/a.png", title="/end"))
    assert len(scene.effects(SendToDesk)) == 1
    scene.say(Markdown(markdown="/end"))
    assert not scene.handoff.open


def test_s099_f12_r01_the_command_ends_it_here_first_and_closes_the_ticket_afterwards(scene):
    scene.active()
    scene.say("/end")
    kinds = [type(effect) for effect in scene.last.effects]
    assert kinds == [TellCustomer, Resume, StopSession]
    assert scene.told() == [scene.policy.on_user_hitl_close_message]
    [stop] = scene.effects(StopSession)
    assert (stop.reason, stop.message) == (StopReason.USER_LEFT, scene.policy.on_user_hitl_cancelled_message)
    assert stop.after == (), "the ticket is closed whatever becomes of the customer's text, and the reverse"
    assert scene.handoff.owner is Owner.BOT


def test_s086_the_command_itself_is_not_relayed(scene):
    scene.active()
    scene.say("/end")
    assert scene.relayed() == []


def test_r01_the_closed_webhook_our_own_close_causes_ends_nothing_twice(scene):
    scene.active()
    scene.say("/end")
    scene.event(SessionStopped, reason=StopReason.USER_LEFT)
    assert scene.last.effects == ()


def test_f12_a_ticket_that_cannot_be_closed_changes_nothing_for_the_customer(scene):
    scene.active()
    scene.say("/end")
    scene.feed(EffectFailed(key="h1:stop", failure=Failure.REFUSED))
    assert scene.last.effects == ()
    assert scene.handoff.owner is Owner.BOT


def test_f11_several_commands(scene):
    scene = Scene(user_close_command=("/end", "/beenden"))
    scene.active()
    scene.say("/Beenden")
    assert not scene.handoff.open


@pytest.mark.parametrize("value", [None, "", (), []])
def test_r05_s098_an_empty_command_is_the_default(value):
    assert Policy(user_close_command=value).user_close_command == ("/end",)


def test_f11_a_blank_command_is_refused():
    with pytest.raises(ValidationError, match="blanks"):
        Policy(user_close_command=("/end", "  "))


# Stop -------------------------------------------------------------------------------------------------------------


def test_s103_s104_the_stop_action_tells_the_agent_but_neither_customer_nor_flow(scene):
    scene.active()
    scene.feed(StopRequested(reason=StopReason.BOT_RESOLVED))
    assert scene.told() == []
    assert not scene.back().continue_flow
    [stop] = scene.effects(StopSession)
    assert (stop.reason, stop.message) == (StopReason.BOT_RESOLVED, scene.policy.on_user_hitl_cancelled_message)
    assert scene.handoff.end_reason is EndReason.STOP_REQUESTED


def test_s101_stopping_what_is_not_open_does_nothing(scene):
    assert scene.feed(StopRequested()) == Decision(handoff=None)
    scene.active()
    scene.feed(StopRequested())
    assert scene.feed(StopRequested()).effects == ()


# Agents -----------------------------------------------------------------------------------------------------------


def test_s090_an_assignment_tells_the_customer_once_and_the_human_owns(scene):
    scene.active()
    assert scene.told() == ["Bea has joined the conversation."]
    assert (scene.handoff.owner, scene.handoff.agent) == (Owner.HUMAN, BEA)


def test_s080_r17_the_first_agent_message_assigns_and_joined_comes_before_it(scene):
    scene.waiting()
    scene.agent_says("hello")
    senders = [(e.sender.role, e.message.text) for e in scene.effects(TellCustomer)]
    assert senders == [(Role.SYSTEM, "Bea has joined the conversation."), (Role.AGENT, "hello")]
    assert scene.handoff.owner is Owner.HUMAN


@pytest.mark.parametrize("message_first", [True, False])
def test_f09_s095_an_assignment_and_a_first_message_together_give_one_joined_text(scene, message_first):
    scene.waiting()
    steps = [lambda: scene.agent_says("hello"), lambda: scene.assigned(BEA), lambda: scene.assigned(BEA)]
    told = []
    for step in steps if message_first else [steps[1], steps[0], steps[2]]:
        step()
        told += scene.told()
    assert told == ["Bea has joined the conversation."]


def test_f09_each_change_of_agent_is_told_once(scene):
    told = []
    scene.waiting()
    for agent in (BEA, BEA, CYD, CYD, BEA):
        scene.assigned(agent)
        told += scene.told()
    assert told == [f"{name} has joined the conversation." for name in ("Bea", "Cyd", "Bea")]


def test_f09_an_assignment_older_than_the_last_one_is_ignored(scene):
    scene.waiting()
    scene.assigned(CYD, at=NOW + timedelta(seconds=9))
    scene.assigned(BEA, at=NOW)
    assert scene.last.effects == ()
    assert scene.handoff.agent == CYD


def test_f09_another_agents_message_is_shown_under_their_name_and_assigns_nobody(scene):
    scene.active(BEA)
    scene.agent_says("I can help too", CYD)
    assert (scene.told(), scene.shown()) == ([], [("Cyd", "I can help too")])
    assert scene.handoff.agent == BEA


def test_f26_an_unassignment_puts_the_customer_back_in_the_queue_and_is_no_agent(scene):
    scene.active()
    scene.event(AgentUnassigned)
    assert scene.told() == []
    assert (scene.handoff.owner, scene.handoff.agent) == (Owner.QUEUE, None)
    scene.assigned(BEA)
    assert scene.told() == [], "the customer knows Bea already"
    assert scene.handoff.owner is Owner.HUMAN


def test_f26_an_unassignment_that_arrives_late_takes_nobody_away(scene):
    scene.waiting()
    scene.assigned(BEA, at=NOW + timedelta(seconds=5))
    scene.event(AgentUnassigned, at=NOW)
    assert scene.handoff.agent == BEA


def test_a_message_written_before_the_session_was_given_up_is_shown_but_assigns_nobody(scene):
    scene.active()
    scene.event(AgentUnassigned, at=NOW + timedelta(seconds=5))
    scene.agent_says("one moment", at=NOW)
    assert scene.shown() == [("Bea", "one moment")]
    assert scene.handoff.owner is Owner.QUEUE


@pytest.mark.parametrize("agent", [Agent(id="a9"), None])
def test_s092_f33_an_agent_without_a_name_gets_the_configured_one(agent):
    scene = Scene(agent_fallback_name="Somebody of ours")
    scene.waiting()
    scene.agent_says("hello", agent)
    assert scene.told() == ["Somebody of ours has joined the conversation."]
    assert scene.shown() == [("Somebody of ours", "hello")]


def test_f22_an_event_taken_in_twice_is_shown_once(scene):
    scene.active()
    scene.agent_says("hello", id="e-7")
    assert scene.agent_says("hello", id="e-7").effects == ()


def test_a_message_told_in_several_events_is_shown_whole(scene):
    scene.active()
    scene.agent_says("see the picture", id="e-1", message_id="dm-7")
    scene.agent_says(Image(url="https://example.com/a.png"), id="e-2", message_id="dm-7")
    assert len(scene.effects(TellCustomer)) == 1


def test_s079_a_kind_the_customer_cannot_see_is_answered_to_the_agent(scene):
    scene.waiting()
    scene.agent_says(Location(latitude=1, longitude=2))
    assert scene.relayed() == [scene.policy.on_incompatible_msg_type_message]
    assert not scene.effects(TellCustomer)
    assert scene.handoff.owner is Owner.QUEUE


def test_events_of_other_sessions_and_facts_about_none_change_nothing(scene):
    scene.active()
    before = scene.handoff
    other = REF.model_copy(update={"id": "t99"})
    assert scene.agent_says("not yours", session=other).effects == ()
    ignored = Ignored(event_id="x1", session=REF, reason=IgnoredReason.INTERNAL_NOTE)
    assert scene.feed(AgentEvent(event=ignored)) == Decision(handoff=scene.handoff)
    assert scene.handoff.phase is before.phase


def test_a_message_taken_back_is_the_hosts_to_know_and_no_text(scene):
    scene.active()
    scene.event(AgentMessageDeleted, message_id="dm-1")
    assert [type(effect) for effect in scene.last.effects] == [NotifyBot]


def test_s081_a_change_of_a_message_names_what_was_shown(scene):
    scene.active()
    scene.agent_says("helo", message_id="dm-1")
    [shown] = scene.effects(TellCustomer)
    scene.event(AgentMessageUpdated, message_id="dm-1", message=Text(text="hello"))
    [notice] = scene.effects(NotifyBot)
    assert notice.message_keys == (shown.key,)
    scene.event(SessionStopped, reason=StopReason.AGENT_CLOSED)
    scene.event(SessionReopened)
    scene.event(AgentMessageDeleted, message_id="dm-1")
    assert scene.effects(NotifyBot)[0].message_keys == (shown.key,)


# The helpdesk ends it ---------------------------------------------------------------------------------------------


def test_s115_s117_the_agents_close_tells_the_customer_first_and_then_resumes_the_bot(scene):
    scene.active()
    scene.event(SessionStopped, reason=StopReason.AGENT_CLOSED)
    kinds = [type(effect) for effect in scene.last.effects]
    assert kinds == [NotifyBot, TellCustomer, Resume]
    assert scene.told() == [scene.policy.on_hitl_stopped_message]
    back = scene.back()
    assert (back.reason, back.stop_reason) == (EndReason.AGENT_CLOSED, StopReason.AGENT_CLOSED)
    assert back.continue_flow
    assert back.marker


def test_s114_a_repeated_close_is_harmless(scene):
    scene.active()
    scene.event(SessionStopped, reason=StopReason.AGENT_CLOSED)
    scene.event(SessionStopped, reason=StopReason.AGENT_CLOSED)
    assert scene.last.effects == ()


def test_s128_the_bot_waits_when_it_is_configured_to():
    scene = Scene(flow_on_hitl_stopped=False)
    scene.active()
    scene.event(SessionStopped, reason=StopReason.AGENT_CLOSED)
    assert not scene.back().continue_flow


def test_r10_the_closing_comment_reaches_the_customer_before_the_closing_text(scene):
    scene.active()
    scene.agent_says("Glad to help. Bye!")
    assert scene.shown() == [("Bea", "Glad to help. Bye!")]
    scene.event(SessionStopped, reason=StopReason.AGENT_CLOSED)
    assert scene.told() == [scene.policy.on_hitl_stopped_message]


def test_f07_a_late_agent_message_is_delivered_and_the_bot_keeps_the_conversation(scene):
    scene.active()
    scene.event(SessionStopped, reason=StopReason.AGENT_CLOSED)
    scene.agent_says("PS: it is on its way")
    assert (scene.told(), scene.shown()) == ([], [("Bea", "PS: it is on its way")])
    assert scene.handoff.owner is Owner.BOT


def test_f07_a_late_agent_message_may_be_left_to_the_host():
    scene = Scene(on_late_agent_message="notify")
    scene.active()
    scene.event(SessionStopped, reason=StopReason.AGENT_CLOSED)
    scene.agent_says("PS: it is on its way")
    assert [type(effect) for effect in scene.last.effects] == [NotifyBot]


def test_a_session_reopened_by_the_agent_is_a_new_hand_off_on_it(scene):
    scene.active()
    scene.event(SessionStopped, reason=StopReason.AGENT_CLOSED)
    ended = scene.handoff
    scene.event(SessionReopened)
    assert scene.handoff.id != ended.id
    assert (scene.handoff.owner, scene.handoff.session) == (Owner.QUEUE, SESSION)
    assert scene.told() == [scene.policy.on_session_reopened_message]
    scene.agent_says("one more thing")
    assert scene.told() == ["Bea has joined the conversation."]


def test_a_session_reopened_after_the_customer_left_does_not_fetch_them_back(scene):
    scene.active()
    scene.say("/end")
    scene.event(SessionReopened)
    assert scene.handoff.phase is Phase.ENDED
    assert [type(effect) for effect in scene.last.effects] == [NotifyBot]


def test_a_session_reopened_behind_a_later_hand_off_does_not_fetch_the_customer_back(scene):
    scene.active()
    scene.event(SessionStopped, reason=StopReason.AGENT_CLOSED)
    scene.event(SessionReopened, superseded=True)
    assert scene.handoff.phase is Phase.ENDED


def test_a_close_that_arrives_after_the_reopening_it_preceded_is_stale(scene):
    scene.active()
    scene.event(SessionReopened, at=NOW + timedelta(seconds=5))
    scene.event(SessionStopped, at=NOW, reason=StopReason.AGENT_CLOSED)
    assert scene.handoff.open


# Timers -----------------------------------------------------------------------------------------------------------


def test_s105_s109_nobody_in_time_ends_it_with_the_timeout_text():
    scene = Scene(agent_assigned_timeout_seconds=60)
    scene.waiting()
    due = scene.handoff.timers["assignment"]
    assert due == NOW + timedelta(seconds=60)
    scene.now = due
    scene.feed(TimerFired(name="assignment", due=due))
    assert scene.told() == [scene.policy.on_agent_assigned_timeout_message]
    assert scene.back().reason is EndReason.ASSIGNMENT_TIMEOUT
    assert scene.effects(StopSession)[0].reason is StopReason.TIMEOUT


def test_s105_without_a_limit_no_timer_runs(scene):
    scene.waiting()
    assert scene.handoff.timers == {}


def test_s107_s108_the_timer_is_ignored_too_early_and_counts_when_equal():
    scene = Scene(agent_assigned_timeout_seconds=60)
    scene.waiting()
    due = scene.handoff.timers["assignment"]
    scene.now = due - timedelta(milliseconds=1)
    scene.feed(TimerFired(name="assignment", due=due))
    assert scene.handoff.open


def test_s107_f10_an_assignment_stops_the_timer_and_an_unassignment_starts_it_anew():
    scene = Scene(agent_assigned_timeout_seconds=60)
    scene.active()
    first = NOW + timedelta(seconds=60)
    assert scene.handoff.timers == {}
    scene.now = first
    scene.feed(TimerFired(name="assignment", due=first))
    assert scene.handoff.open
    scene.event(AgentUnassigned)
    assert scene.handoff.timers == {"assignment": first + timedelta(seconds=60)}


def test_s110_a_timer_of_an_ended_hand_off_has_no_effect_on_the_next():
    scene = Scene(agent_assigned_timeout_seconds=60)
    scene.waiting()
    due = scene.handoff.timers["assignment"]
    scene.feed(StopRequested())
    scene.now = NOW + timedelta(seconds=30)
    scene.waiting()
    scene.now = due
    scene.feed(TimerFired(name="assignment", due=due))
    assert scene.handoff.open


# State, texts, keys -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "kinds"),
    [
        (SessionState(open=True, agent=BEA), []),
        (SessionState(open=True, agent=CYD), [AgentAssigned]),
        (SessionState(open=True), [AgentUnassigned]),
        (SessionState(open=False, agent=BEA), [SessionStopped]),
        (SessionState(open=False, moved_to=SessionRef(connection="default/desk", id="t2")), [SessionStopped]),
    ],
)
def test_f13_a_state_that_was_read_tells_only_what_is_new(scene, state, kinds):
    scene.active(BEA)
    assert [type(event) for event in state_events(scene.handoff, state)] == kinds


def test_a_state_that_was_read_revives_nothing_that_ended(scene):
    scene.active()
    scene.say("/end")
    assert state_events(scene.handoff, SessionState(open=True, agent=CYD)) == ()


def test_s080_an_agent_concluded_from_a_message_is_not_taken_away_by_a_record_that_shows_nobody(scene):
    scene.waiting()
    scene.agent_says("hello")
    assert state_events(scene.handoff, SessionState(open=True)) == ()


TEXTS = [name for name in Policy.model_fields if name.startswith("on_") and name.endswith("_message")]


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "on_late_agent_message"])
def test_s030_s031_a_text_can_be_switched_off_and_an_empty_one_is_the_default(name):
    assert getattr(Policy(**{name: ""}), name) == Policy.model_fields[name].default
    assert getattr(Policy(**{name: None}), name) == Policy.model_fields[name].default
    silent = Scene(**dict.fromkeys([n for n in TEXTS if n != "on_late_agent_message"], "NULL"))
    silent.active()
    assert silent.told() == []
    silent.agent_says(Location(latitude=1, longitude=2))
    silent.say(UnknownMessage(type="hologram"))
    assert silent.last.effects == ()
    silent.say("/end")
    assert silent.told() == []
    assert silent.effects(StopSession)[0].message is None


def test_s030_the_code_is_case_sensitive_and_has_to_be_the_whole_text():
    scene = Scene(on_handoff_message="null", on_human_agent_assigned_message="NULL {agent_name}")
    scene.waiting()
    assert scene.told() == ["null"]
    scene.assigned(BEA)
    assert scene.told() == ["NULL Bea"]


def test_s043_s044_overrides_are_laid_over_field_by_field():
    policy = Policy(on_handoff_message="a", agent_fallback_name="b")
    laid = policy.with_overrides({"on_handoff_message": "c", "agent_fallback_name": None})
    assert (laid.on_handoff_message, laid.agent_fallback_name) == ("c", "b")


def test_a_misspelt_override_is_named_without_its_value():
    with pytest.raises(ConfigurationError, match="on_handof_message") as caught:
        Policy().with_overrides({"on_handof_message": "a secret text"})
    assert "a secret text" not in str(caught.value)


def test_s040_a_negative_timeout_is_refused():
    with pytest.raises(ValidationError):
        Policy(agent_assigned_timeout_seconds=-1)


def test_the_same_input_gives_the_same_keys(scene):
    scene.active()
    message = UserMessage(message_id="m-1", message=Text(text="x"), author=Author.user())
    once, twice = (decide(scene.handoff, message, scene.policy, NOW) for _ in range(2))
    assert once == twice


def test_keys_are_short_and_fit_a_header_whatever_the_hosts_ids_are():
    for odd in ("x" * 500, "zeilen\numbruch", "smörgås", "\ud800"):
        key = effect_key("h1", "relay", odd)
        assert len(key) < 100
        assert key.isascii()
        assert key.isprintable()
    assert effect_key("h1", "relay", "a\n") != effect_key("h1", "relay", "b\n")


def test_records_and_decisions_survive_json(scene):
    scene.active()
    scene.say("hello")
    record = Handoff.model_validate_json(scene.handoff.model_dump_json())
    assert record == scene.handoff
    again = TypeAdapter(Decision).validate_python(scene.last.model_dump())
    assert again.effects == scene.last.effects


def test_no_words_of_anybody_show_in_a_repr(scene):
    scene.active()
    scene.say("my card is 4111")
    shown = repr(scene.handoff) + repr(scene.last)
    scene.agent_says("so say we")
    scene.event(SessionStopped, reason=StopReason.AGENT_CLOSED)
    shown += repr(scene.last)
    assert "4111" not in shown
    assert "so say we" not in shown
