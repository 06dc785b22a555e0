"""Endings: who is told what, in which order, and who closes the ticket (parts 10 to 14 and 16)."""

import pickle

import pytest
from pydantic import TypeAdapter

from hitl_core.bridge.handoff import (
    AgentEvent,
    Decision,
    EffectDone,
    EffectFailed,
    EndReason,
    Failure,
    Handoff,
    Owner,
    PauseRequested,
    Phase,
    Resume,
    ResumeRequested,
    SessionRead,
    StopRequested,
    StopSession,
    TellCustomer,
    TimerFired,
    UserMessage,
    decide,
    effect_key,
    parse_effect,
)
from hitl_core.bridge.policy import AGENT_TEXTS, NOTHING, TEXTS, Policy
from hitl_core.events import AgentMessage, SessionStopped, StopReason
from hitl_core.messages import Location, Text, UnknownMessage
from hitl_core.people import Author, EndUser, Role

from .scene import BEA, NOW, REF, SESSION, Scene, after


@pytest.fixture
def scene():
    return Scene()


# Stop -------------------------------------------------------------------------------------------------------------


def test_s101_stopping_what_is_not_open_does_nothing(scene):
    scene.active()
    scene.feed(StopRequested())
    assert scene.feed(StopRequested()).ignored == "ended"


def test_s103_s104_the_stop_action_tells_the_agent_but_neither_customer_nor_flow(scene):
    scene.active()
    scene.feed(StopRequested(reason=StopReason.BOT_RESOLVED))
    assert scene.kinds() == [Resume, StopSession]
    assert not scene.back().continue_flow
    assert (scene.stop().reason, scene.stop().message) == (
        StopReason.BOT_RESOLVED,
        scene.text("on_user_hitl_cancelled_message"),
    )
    assert scene.handoff.end_reason is EndReason.STOP_REQUESTED


def test_an_operator_may_tell_the_customer_and_let_the_bot_go_on(scene):
    scene.active()
    scene.feed(StopRequested(reason=StopReason.SPAM, tell=True, flow=True))
    assert scene.told() == [scene.text("on_stopped_by_operator_message")]
    assert scene.back().continue_flow
    assert scene.stop().reason is StopReason.SPAM


def test_s102_f13_that_there_is_no_session_yet_is_no_obstacle(scene):
    scene.start()
    scene.say("hello?")
    scene.feed(StopRequested())
    assert (scene.handoff.owner, scene.pending()) == (Owner.BOT, ["hello?"])
    assert scene.last.cancelled == (effect_key("h1", "relay", "m1"), "h1:start")
    assert not scene.effects(StopSession)


@pytest.mark.parametrize(("tell", "flow"), [(True, True), (False, False)])
def test_handed_back_the_session_stays_open_and_the_bot_has_the_conversation(scene, tell, flow):
    scene.active()
    scene.feed(StopRequested(close=False, tell=tell, flow=flow))
    assert not scene.effects(StopSession)
    back = scene.back()
    assert (back.reason, back.continue_flow, back.session) == (EndReason.HANDED_BACK, flow, SESSION)
    assert scene.told() == ([scene.text("on_stopped_by_operator_message")] if tell else [])
    scene.agent_says("I am still here")
    assert scene.shown() == [("Bea", "I am still here")]


@pytest.mark.parametrize("close", [True, False])
def test_f03_a_ticket_made_after_the_stop_is_closed(scene, close):
    scene.start()
    scene.feed(StopRequested(close=close))
    scene.started()
    assert (scene.kinds(), scene.stop().reason) == ([StopSession], StopReason.BOT_RESOLVED)


# Every end --------------------------------------------------------------------------------------------------------

END_REASONS = {
    "agent": lambda scene: scene.closed(),
    "gone": lambda scene: scene.read(gone=True),
    "command": lambda scene: scene.say("/end"),
    "stop": lambda scene: scene.feed(StopRequested(tell=True, flow=True)),
    "hand back": lambda scene: scene.feed(StopRequested(close=False, tell=True, flow=True)),
    "first answer": lambda scene: scene.fires("first_answer"),
    "maximum": lambda scene: scene.fires("maximum"),
    "abort": lambda scene: (
        setattr(scene, "handoff", scene.handoff.model_copy(update={"phase": Phase.STARTING})),
        scene.feed(PauseRequested()),
    ),
}


@pytest.mark.parametrize("how", END_REASONS)
def test_s118_s119_s126_s127_r02_text_then_resume_then_the_ticket_whatever_the_end(how):
    scene = Scene(first_answer_timeout_seconds=5, maximum_duration_seconds=60)
    scene.active()
    scene.say("one", id="m-1")
    END_REASONS[how](scene)
    kinds = [kind for kind in scene.kinds() if kind in {TellCustomer, Resume, StopSession}]
    assert kinds[:2] == [TellCustomer, Resume]
    assert kinds[2:] in ([], [StopSession])
    assert (StopSession in kinds) == (how in {"command", "stop", "first answer", "maximum", "abort"})
    assert scene.back().continue_flow == (how != "abort"), "S127"
    handoff = scene.handoff
    assert (handoff.phase, handoff.owner, handoff.timers, handoff.unrelayed) == (Phase.ENDED, Owner.BOT, {}, ())
    assert handoff.end_reason is scene.back().reason
    assert handoff.ended_at == scene.now
    assert scene.pending() == ["one"]
    assert effect_key("h1", "relay", "m-1") in scene.last.cancelled


@pytest.mark.parametrize("how", END_REASONS)
def test_s128_s042_the_bot_waits_when_it_is_configured_to(how):
    scene = Scene(flow_on_hitl_stopped=False, first_answer_timeout_seconds=5, maximum_duration_seconds=60)
    scene.active()
    END_REASONS[how](scene)
    assert not scene.back().continue_flow


@pytest.mark.parametrize("how", END_REASONS)
def test_s121_s124_after_the_end_nothing_but_late_words_and_messages_of_the_customers_is_heard(how):
    scene = Scene(first_answer_timeout_seconds=5, maximum_duration_seconds=60)
    scene.active()
    END_REASONS[how](scene)
    ended = scene.handoff
    assert scene.closed().ignored
    assert scene.assigned(BEA).ignored
    assert scene.feed(StopRequested()).ignored == "ended"
    assert scene.feed(PauseRequested()).ignored == "ended"
    assert scene.feed(ResumeRequested()).ignored == "ended"
    timer = TimerFired(handoff_id="h1", name="maximum", due=after(60))
    assert scene.feed(timer).ignored == "ended"
    assert scene.handoff is ended


def test_s129_f12_a_ticket_that_cannot_be_closed_changes_nothing_for_the_customer(scene):
    scene.active()
    scene.say("/end")
    for failure in Failure:
        scene.failed("h1:stop", failure)
        assert scene.last.ignored == "settled"
    assert scene.handoff.owner is Owner.BOT


def test_s122_s125_s130_while_it_is_open_the_bot_owns_at_no_time(scene):
    owners = [scene.start().handoff.owner, scene.started().handoff.owner, scene.assigned(BEA).handoff.owner]
    assert owners == [Owner.QUEUE, Owner.QUEUE, Owner.HUMAN]


# Abort ------------------------------------------------------------------------------------------------------------

INPUTS = [
    UserMessage(message_id="m-1", message=Text(text="hello"), author=Author.user()),
    AgentEvent(event=AgentMessage(event_id="e-1", session=REF, message_id="d", message=Text(text="hi"), agent=BEA)),
    AgentEvent(event=SessionStopped(event_id="e-1", session=REF)),
    SessionRead(session=REF, state=None, began_at=NOW),
    PauseRequested(),
    ResumeRequested(),
    TimerFired(handoff_id="h1", name="assignment", due=NOW),
    EffectDone(key="h1:relay:m-1"),
    EffectDone(key="h1:start", session=SESSION),
    EffectFailed(key="h1:start", failure=Failure.REFUSED),
]


def broken(phase):
    scene = Scene().active()
    session = SESSION if phase is Phase.STARTING else None
    scene.handoff = scene.handoff.model_copy(update={"phase": phase, "session": session})
    return scene


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.WAITING, Phase.ACTIVE])
@pytest.mark.parametrize("given", INPUTS, ids=lambda given: f"{given.kind}")
def test_s150_s151_s078_s085_f15_a_record_that_cannot_be_is_given_up_on_both_sides(phase, given):
    scene = broken(phase)
    scene.feed(given)
    assert scene.handoff.end_reason is EndReason.INTERNAL_ERROR
    assert scene.told() == [scene.text("on_internal_error_message")]
    assert not scene.answered(), "the agent never gets a text meant for the customer"
    ends = [effect for effect in scene.effects(Resume) if effect.key == "h1:resume"]
    assert [end.hand_back.continue_flow for end in ends] == [False]
    stops = [(stop.key, stop.reason, stop.message) for stop in scene.effects(StopSession) if stop.key == "h1:stop"]
    assert stops == ([("h1:stop", StopReason.ERROR, None)] if phase is Phase.STARTING else [])


def test_s150_the_message_that_found_it_out_is_given_back():
    scene = broken(Phase.ACTIVE)
    scene.feed(INPUTS[0])
    keys = [effect.key for effect in scene.effects(Resume)]
    assert keys == ["h1:resume", effect_key("h1", "given_back", "m-1")]


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.WAITING])
def test_s102_a_stop_ends_even_what_is_broken_as_a_stop(phase):
    scene = broken(phase)
    scene.feed(StopRequested())
    assert scene.handoff.end_reason is EndReason.STOP_REQUESTED


# Texts, keys, records ---------------------------------------------------------------------------------------------

LATE_POLICY = {"on_late_agent_message": "answer"}


def test_s030_no_text_that_is_switched_off_is_ever_sent():
    silent = dict.fromkeys(TEXTS, NOTHING)
    scene = Scene(**silent, agent_silence_timeout_seconds=5, customer_silence_warning_seconds=5, **LATE_POLICY)
    scene.active()
    scene.agent_says("hello")
    scene.fires("customer_warning")
    scene.say("hello")
    scene.fires("agent_silence")
    scene.say(UnknownMessage(type="hologram"))
    scene.agent_says(Location(latitude=1, longitude=2))
    scene.say("/end")
    assert scene.stop().message is None
    scene.agent_says("PS")
    assert scene.told() == []
    assert scene.answered() == []


def test_s031_an_empty_text_is_the_default():
    assert Policy(on_handoff_message="").on_handoff_message == Policy().on_handoff_message


def test_s030_the_code_is_case_sensitive_and_has_to_be_the_whole_text():
    scene = Scene(on_handoff_message="null", on_human_agent_assigned_message="NULL {agent_name}")
    scene.waiting()
    assert scene.told() == ["null"]
    scene.assigned(BEA)
    assert scene.told() == ["NULL Bea"]


def test_s035_s047_f33_what_agents_read_is_in_their_language_and_customers_read_theirs():
    texts = {"on_user_hitl_cancelled_message": "FERMÉ", "on_user_hitl_close_message": "Au revoir"}
    scene = Scene(user=EndUser(external_id="u1", locale="fr"), locales={"fr": texts}, agent_locale="en")
    scene.active()
    scene.say("/end")
    assert scene.told() == ["Au revoir"]
    assert scene.stop().message == Policy().on_user_hitl_cancelled_message
    assert "on_user_hitl_cancelled_message" in AGENT_TEXTS


def test_the_same_input_gives_the_same_decision(scene):
    scene.active()
    message = UserMessage(message_id="m-1", message=Text(text="x"), author=Author.user())
    once, twice = (decide(scene.handoff, message, scene.policy, NOW) for _ in range(2))
    assert once == twice


def test_a_decision_makes_the_record_one_version_newer(scene):
    scene.active()
    before = scene.handoff.version
    scene.closed()
    assert scene.handoff.version == before + 1
    assert scene.closed().handoff.version == before + 1


def test_keys_are_short_and_fit_a_header_whatever_the_hosts_ids_are():
    for odd in ("x" * 500, "zeilen\numbruch", "smörgås", "\ud800"):
        key = effect_key("h1", "relay", odd)
        assert len(key) < 100
        assert key.isascii()
        assert key.isprintable()
    assert effect_key("h1", "relay", "a\n") != effect_key("h1", "relay", "b\n")


def test_records_decisions_and_effects_survive_json(scene):
    scene.active()
    scene.say("hello")
    assert Handoff.model_validate_json(scene.handoff.model_dump_json()) == scene.handoff
    scene.closed()
    again = TypeAdapter(Decision).validate_python(scene.last.model_dump())
    assert again.effects == scene.last.effects
    assert [parse_effect(effect.model_dump_json()) for effect in scene.last.effects] == list(scene.last.effects)
    assert pickle.loads(pickle.dumps(scene.handoff)) == scene.handoff  # noqa: S301 - our own bytes


def test_no_words_of_anybody_show_in_a_repr(scene):
    scene.active()
    scene.say("my card is 4111")
    shown = repr(scene.handoff) + repr(scene.last)
    scene.agent_says("so say we")
    scene.closed()
    shown += repr(scene.last)
    assert "4111" not in shown
    assert "so say we" not in shown


def test_f18_our_own_texts_are_the_systems(scene):
    scene.active()
    assert {effect.sender.role for effect in scene.effects(TellCustomer)} == {Role.SYSTEM}
