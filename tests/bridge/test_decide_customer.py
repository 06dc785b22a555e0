"""What the customer says: relayed, answered, given back, or told to have failed (parts 8 and 10)."""

import pytest

from hitl_core.bridge.handoff import (
    EndReason,
    Failure,
    Owner,
    PauseRequested,
    Phase,
    Resume,
    SendToDesk,
    StopSession,
    TellCustomer,
    UserMessage,
    effect_key,
)
from hitl_core.events import StopReason
from hitl_core.messages import Image, Markdown, UnknownMessage
from hitl_core.people import Author, EndUser, Role

from .scene import CUSTOMER, NOW, SESSION, Scene, after


@pytest.fixture
def scene():
    return Scene()


def relay(message_id):
    return effect_key("h1", "relay", message_id)


# Relaying ---------------------------------------------------------------------------------------------------------


def test_s084_without_an_open_hand_off_there_is_nothing_to_decide(scene):
    assert (scene.say("hello").effects, scene.last.ignored) == ((), "no hand-off")


def test_s087_a_message_is_relayed_in_the_name_of_the_customer(scene):
    scene.waiting()
    scene.say("any news?", id="m-7")
    [sent] = scene.effects(SendToDesk)
    assert (sent.message.text, sent.author.role, sent.author.id) == ("any news?", Role.USER, "cus_1")
    assert (sent.session, sent.key, sent.user) == (SESSION, relay("m-7"), None)
    assert not sent.internal


def test_f38_relays_may_be_merged_and_our_own_texts_may_not(scene):
    scene.active()
    scene.say("one")
    assert [effect.mergeable for effect in scene.effects(SendToDesk)] == [True]
    scene.agent_says(UnknownMessage(type="hologram"))
    assert [effect.mergeable for effect in scene.effects(SendToDesk)] == [False]


@pytest.mark.parametrize("user", [EndUser(external_id="u1", name="Ada L."), EndUser(name="Ada"), None])
def test_f08_the_customer_is_nobody_else_whatever_the_host_tells_of_them(scene, user):
    scene.waiting()
    scene.say("me again", user=user)
    [sent] = scene.effects(SendToDesk)
    assert (sent.user, sent.author.id) == (None, CUSTOMER.id)


@pytest.mark.parametrize(
    ("customer", "writer", "other"),
    [
        (EndUser(external_id="u1"), EndUser(external_id="u2"), True),
        (EndUser(external_id="u1", email="a@x.example"), EndUser(email="b@x.example"), True),
        (EndUser(external_id="u1", email="a@x.example"), EndUser(email="a@x.example"), False),
        (EndUser(phone="+41 1"), EndUser(phone="+41 2"), True),
        (EndUser(external_id="u1", email="a@x.example"), EndUser(external_id="u1", email="b@x.example"), False),
    ],
)
def test_s085_f08_another_participant_is_found_or_made_and_ends_nothing(customer, writer, other):
    scene = Scene(user=customer)
    scene.waiting()
    scene.say("and me?", user=writer)
    [sent] = scene.effects(SendToDesk)
    assert sent.user == (writer if other else None)
    assert (sent.author.id is None) == other
    assert scene.handoff.open


def test_f08_a_participant_who_writes_during_the_start_is_relayed_as_themselves(scene):
    scene.start()
    bob = EndUser(external_id="u2", name="Bob")
    scene.say("one", user=bob)
    scene.say("two")
    scene.started()
    assert [effect.user for effect in scene.effects(SendToDesk)] == [bob, None]


def test_what_the_host_relays_of_others_keeps_its_author(scene):
    scene.waiting()
    message = scene.say("x").effects[0].message
    scene.feed(UserMessage(message_id="m-9", message=message, author=Author.bot("Helper")))
    assert scene.effects(SendToDesk)[0].author == Author.bot("Helper")


def test_a_relayed_message_is_accounted_for_once_its_effect_is_done(scene):
    scene.waiting()
    scene.say("one", id="m-1")
    scene.say("two", id="m-2")
    scene.done(relay("m-1"))
    assert [pending.message_id for pending in scene.handoff.unrelayed] == ["m-2"]
    scene.done(relay("m-1"))
    assert scene.last.ignored == "settled"


def test_s084_a_kind_nobody_knows_is_answered_to_the_customer_and_not_relayed(scene):
    scene.active()
    scene.say(UnknownMessage(type="hologram"))
    assert scene.told() == [scene.text("on_unsupported_user_message")]
    assert scene.relayed() == []


def test_s030_s084_an_unknown_kind_without_a_text_says_why_nothing_happened():
    scene = Scene(on_unsupported_user_message="NULL")
    scene.active()
    assert scene.say(UnknownMessage(type="hologram")).ignored == "unsupported"


# Given back -------------------------------------------------------------------------------------------------------


def test_messages_not_relayed_at_the_end_are_given_back_and_not_sent_any_more(scene):
    scene.active()
    scene.say("one", id="m-1")
    scene.done(relay("m-1"))
    scene.say("two", id="m-2")
    scene.closed()
    assert scene.pending() == ["two"]
    assert scene.last.cancelled == (relay("m-2"),)


def test_s084_a_message_that_raced_with_the_end_is_given_back_and_never_lost(scene):
    scene.active()
    scene.closed()
    ended = scene.handoff
    scene.say("still there?", id="m-9")
    assert scene.kinds() == [Resume]
    assert scene.last.effects[0].key == effect_key("h1", "given_back", "m-9")
    back = scene.back()
    assert (scene.pending(), back.reason, back.continue_flow) == (["still there?"], EndReason.AGENT_CLOSED, True)
    assert scene.handoff is ended
    scene.say("hello?", id="m-10")
    assert scene.pending() == ["hello?"]
    assert scene.last.effects[0].key == effect_key("h1", "given_back", "m-10")


def test_s128_a_message_given_back_waits_too_when_the_bot_is_configured_to():
    scene = Scene(flow_on_hitl_stopped=False)
    scene.active()
    scene.closed()
    scene.say("still there?")
    assert not scene.back().continue_flow


def test_the_close_command_after_the_end_is_a_message_like_any(scene):
    scene.active()
    scene.closed()
    scene.say("/end")
    assert scene.pending() == ["/end"]


def test_a_message_that_raced_with_a_pause_is_given_back_too(scene):
    scene.active()
    scene.feed(PauseRequested())
    scene.say("/end")
    assert scene.kinds() == [Resume]
    assert scene.pending() == ["/end"]
    assert scene.handoff.open


# Failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [Failure.REFUSED, Failure.UNRESOLVED, Failure.UNAVAILABLE, Failure.NOT_ALLOWED])
def test_a_message_that_did_not_arrive_is_told_to_the_customer_and_the_hand_off_goes_on(scene, failure):
    scene.active()
    scene.say("x", id="m-1")
    scene.failed(relay("m-1"), failure)
    assert scene.told() == [scene.text("on_message_failed_message")]
    assert scene.handoff.phase is Phase.ACTIVE
    assert scene.handoff.unrelayed == ()
    scene.failed(relay("m-1"), failure)
    assert scene.last.ignored == "settled"


def test_s102_f13_a_closed_or_missing_session_ends_the_hand_off_and_gives_the_message_back(scene):
    scene.active()
    scene.say("still there?", id="m-1")
    scene.say("hello?", id="m-2")
    scene.failed(relay("m-1"), Failure.CLOSED)
    assert scene.told() == [scene.text("on_hitl_stopped_message")]
    assert scene.back().reason is EndReason.SESSION_GONE
    assert scene.pending() == ["still there?", "hello?"]
    assert not scene.effects(StopSession)
    scene.failed(relay("m-2"), Failure.CLOSED)
    assert scene.last.ignored == "settled"


@pytest.mark.parametrize("failure", [Failure.REFUSED, Failure.UNRESOLVED, Failure.UNAVAILABLE])
def test_a_text_of_our_own_that_did_not_reach_the_agent_changes_nothing(scene, failure):
    scene.active()
    scene.agent_says(UnknownMessage(type="hologram"), id="e-1")
    scene.failed(effect_key("h1", "incompatible", "e-1"), failure)
    assert (scene.last.effects, scene.last.ignored) == ((), "settled")


def test_f13_a_text_of_our_own_that_finds_the_session_closed_ends_the_hand_off(scene):
    scene.active()
    scene.agent_says(UnknownMessage(type="hologram"), id="e-1")
    scene.failed(effect_key("h1", "incompatible", "e-1"), Failure.CLOSED)
    assert scene.handoff.end_reason is EndReason.SESSION_GONE


@pytest.mark.parametrize("what", ["agent:e-1", "resume", "orphan:t9", "joined:1"])
def test_what_fails_elsewhere_does_not_end_the_session(scene, what):
    scene.active()
    scene.failed(f"h1:{what}", Failure.CLOSED)
    assert scene.last.ignored == "settled"
    scene.failed("h2:relay:m-1", Failure.CLOSED)
    assert scene.last.ignored == "settled"


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


def test_s098_r05_an_empty_command_is_the_default():
    scene = Scene(user_close_command="")
    scene.active()
    scene.say("/end")
    assert not scene.handoff.open


def test_s099_s100_f12_r01_the_command_ends_it_here_first_and_closes_the_ticket_afterwards(scene):
    scene.active()
    scene.say("/end")
    assert scene.kinds() == [TellCustomer, Resume, StopSession]
    assert scene.told() == [scene.text("on_user_hitl_close_message")]
    stop = scene.stop()
    assert (stop.reason, stop.message) == (StopReason.USER_LEFT, scene.text("on_user_hitl_cancelled_message"))
    assert stop.after == (), "the ticket is closed whatever becomes of the customer's text, and the reverse"
    assert (scene.handoff.owner, scene.back().continue_flow) == (Owner.BOT, True)


def test_s086_the_command_itself_is_not_relayed(scene):
    scene.active()
    scene.say("/end")
    assert scene.relayed() == []
    assert scene.pending() == []


@pytest.mark.parametrize("said", ["/beenden", "/end", "/fertig"])
def test_f11_several_commands_and_those_of_the_customers_language(said):
    user = EndUser(external_id="u1", locale="de-CH")
    scene = Scene(user=user, user_close_command=("/end", "/quit"), locales={"de": {"user_close_command": "/beenden"}})
    scene.active()
    scene.say(said)
    assert scene.handoff.open == (said == "/fertig")


def test_f11_a_participant_may_use_their_own_languages_command():
    scene = Scene(locales={"de": {"user_close_command": "/beenden"}})
    scene.active()
    scene.say("/beenden")
    assert scene.handoff.open
    scene.say("/beenden", user=EndUser(external_id="u2", locale="de"))
    assert not scene.handoff.open


def test_the_times_of_messages_are_kept_for_the_hand_back(scene):
    scene.start()
    scene.now = after(7)
    scene.say("hello?")
    assert scene.handoff.unrelayed[0].received_at == after(7)
    assert scene.handoff.started_at == NOW
