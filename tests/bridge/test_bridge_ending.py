"""How a hand-off ends and the bot gets the conversation back, on the whole bridge (parts 10, 11, 13, 14; F12, N10)."""

import pytest

from hitl_core import calls
from hitl_core.bridge import BusinessHours, EndReason, Owner, PauseRequested, Phase, Policy
from hitl_core.errors import ProviderUnavailableError, RateLimitedError
from hitl_core.events import StopReason
from hitl_core.people import Author, Role
from hitl_core.sessions import HistoryEntry
from hitl_core.spec import hookimpl

from .world import ADA, BEA, JOINED, Account, Desk, told, world

pytestmark = pytest.mark.anyio

CLOSED = [told("on_user_hitl_close_message"), "user_closed"]


@pytest.fixture
async def w(store):
    async with world(store) as made:
        await made.start()
        made.chat.lines.clear()
        yield made


# Close command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["/end", "  /END "])
async def test_s097_s099_a_close_command_tells_everybody_closes_the_ticket_and_is_not_relayed(w, words):
    assert (await w.say(words)).silence
    assert (w.texts, w.sent(), await w.owner()) == (CLOSED, [], Owner.BOT)
    assert not w.desk.tickets["t1"].open
    [stop] = w.desk.stops
    assert (stop.reason, stop.message) == (StopReason.USER_LEFT, told("on_user_hitl_cancelled_message"))
    assert w.chat.handed_back[0].continue_flow


async def test_s097_words_that_hold_the_command_do_not_end_it(w):
    await w.say("please /end it")
    assert (w.texts, w.sent(), await w.owner()) == ([], ["please /end it"], Owner.QUEUE)


async def test_f11_there_may_be_several_close_commands_and_some_of_a_language(store):
    policy = Policy(user_close_command=("/end", "re:(please )?stop"), locales={"de": {"user_close_command": "ende"}})
    async with world(store, policy=policy) as w:
        await w.start("c1", user=ADA.model_copy(update={"locale": "de-AT"}))
        await w.start("c2")
        await w.say("Ende", "c1")
        await w.say("Ende", "c2")
        assert (await w.owner("c1"), await w.owner("c2")) == (Owner.BOT, Owner.QUEUE)
        await w.say("please stop", "c2")
        assert await w.owner("c2") is Owner.BOT


async def test_s100_f12_the_customer_is_told_at_once_though_the_ticket_cannot_be_closed_yet(w):
    for _ in range(3):
        w.desk.fail("before", ProviderUnavailableError("down"))
    await w.say("/end")
    assert (w.texts, await w.owner()) == (CLOSED, Owner.BOT)
    assert w.desk.tickets["t1"].open
    await w.pass_time(30, step=2)
    assert not w.desk.tickets["t1"].open


async def test_f12_a_ticket_that_cannot_be_closed_does_not_hold_up_the_next_hand_off(w):
    w.desk.fail("before", RateLimitedError("slow down", retry_after=600))
    await w.say("/end")
    await w.start()
    assert (await w.handoff()).session.id == "t2"
    await w.say("hello again")
    assert w.sent("t2") == ["hello again"]
    await w.pass_time(610, step=305)
    assert not w.desk.tickets["t1"].open
    assert w.desk.tickets["t2"].open


async def test_r01_the_helpdesks_own_closed_ends_nothing_twice(w):
    await w.say("/end")
    await w.deliver(w.desk.close("t1"))
    assert (w.texts, len(w.chat.handed_back)) == (CLOSED, 1)


async def test_s099_f18_the_last_text_is_a_note_where_the_close_cannot_carry_it(store):
    async with world(store, desk=Desk().may(stop_message=False)) as w:
        await w.start()
        await w.say("/end")
        [note] = w.desk.tickets["t1"].sent
        assert (note.message.text, note.visibility) == (told("on_user_hitl_cancelled_message"), "internal")
        assert not w.desk.tickets["t1"].open


# The bot ------------------------------------------------------------------------------------------------------------


async def test_s103_s104_s127_the_bot_stops_it_without_a_word_to_the_customer_and_does_not_go_on(w):
    await w.bridge.stop_hitl("c1", "bot_resolved")
    assert w.chat.lines == [("resume", "stop_requested")]
    assert not w.chat.handed_back[0].continue_flow
    assert not w.desk.tickets["t1"].open
    assert w.desk.stops[0].message == told("on_user_hitl_cancelled_message")


async def test_s101_stopping_what_is_not_open_does_nothing(w):
    await w.bridge.stop_hitl("c1")
    lines = list(w.chat.lines)
    await w.bridge.stop_hitl("c1")
    await w.bridge.stop_hitl("nobody")
    assert w.chat.lines == lines


async def test_an_operator_may_end_it_and_have_the_customer_told(w):
    await w.bridge.stop_hitl("c1", tell=True, flow=True)
    assert w.texts == [told("on_stopped_by_operator_message"), "stop_requested"]
    assert w.chat.handed_back[0].continue_flow


async def test_f14_back_to_the_bot_while_the_ticket_stays_open(w):
    await w.deliver(w.desk.assign("t1", BEA))
    await w.bridge.stop_hitl("c1", close=False)
    assert (w.texts[-1], await w.owner()) == ("handed_back", Owner.BOT)
    assert w.desk.tickets["t1"].open
    assert w.desk.stops == []
    await w.deliver(w.desk.reply("t1", "I have found it", BEA))
    assert (w.chat.lines[-1], await w.owner()) == (("Bea", "I have found it"), Owner.BOT)


async def test_a_pause_lets_the_bot_answer_until_it_is_over(w):
    await w.bridge.pause("c1")
    assert (await w.owner(), (await w.handoff()).phase) == (Owner.BOT, Phase.WAITING)
    assert not await w.bridge.silent("c1")
    assert not (await w.say("for the bot")).silence
    await w.bridge.resume("c1")
    assert await w.bridge.silent("c1")
    assert (await w.say("for the team")).silence
    assert (w.sent(), w.chat.lines) == (["for the team"], [])


async def test_an_agent_who_writes_ends_the_pause(w):
    await w.bridge.pause("c1")
    await w.deliver(w.desk.reply("t1", "I am here now", BEA))
    assert (w.texts, await w.owner()) == ([JOINED, "I am here now"], Owner.HUMAN)


async def test_a_message_accepted_right_before_a_pause_is_given_to_the_bot(w):
    await w.bridge._inbox.accept("c1", "command:pause", PauseRequested())  # and decided on together with the message
    assert (await w.say("for whom?")).silence
    assert w.sent() == []
    assert [message.text for message in w.chat.handed_back[0].pending_messages] == ["for whom?"]


# The helpdesk -------------------------------------------------------------------------------------------------------


async def test_s114_s115_s117_the_agent_closes_it_once_and_nobody_closes_it_again(w):
    delivery = w.desk.close("t1", BEA)
    again = w.desk.deliver(w.desk.tickets["t1"].facts, delivery_id="again")
    await w.deliver(delivery)
    await w.deliver(again)
    assert w.texts == [told("on_hitl_stopped_message"), "agent_closed"]
    assert "stop_hitl" not in w.desk.calls
    assert (await w.handoff()).end_reason is EndReason.AGENT_CLOSED


class Telling(Account):
    """An answer to a message shows how the ticket stands."""

    @hookimpl(specname="send_message")
    async def add_message(self, request):
        sent = await super().add_message(request)
        return sent.model_copy(update={"state": calls.SessionState(open=False)})


async def test_f13_an_answer_that_shows_the_ticket_closed_ends_the_hand_off(store):
    async with world(store, provider=Telling) as w:
        await w.start()
        await w.say("hello?")
        assert await w.owner() is Owner.BOT
        assert w.chat.handed_back[0].pending == (), "it has arrived"


# What the bot gets --------------------------------------------------------------------------------------------------


class Linked(Account):
    """Tickets have a page."""

    @hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        started = await super().create_ticket(request)
        session = started.session.model_copy(update={"url": f"https://desk.example/{started.session.id}"})
        return started.model_copy(update={"session": session})


async def test_s126_n10_the_bot_gets_reason_agent_transcript_and_ticket_after_the_closing_text(store):
    async with world(store, provider=Linked) as w:
        before = (HistoryEntry.of(Author.user(name="Ada"), "Where is my parcel?"),)
        result = await w.start(history=before)
        await w.say("one")
        await w.deliver(w.desk.reply("t1", "two", BEA))
        await w.say("three")
        await w.deliver(w.desk.close("t1", BEA))
        [back] = w.chat.handed_back
        assert (back.handoff_id, back.conversation_id) == (result.handoff.id, "c1")
        assert (back.reason, back.stop_reason) == (EndReason.AGENT_CLOSED, StopReason.AGENT_CLOSED)
        assert (back.agent, back.session.url) == (BEA, "https://desk.example/t1")
        said = [(entry.author.role, entry.message.text) for entry in back.transcript]
        assert said == [(Role.USER, "one"), (Role.AGENT, "two"), (Role.USER, "three")]
        assert back.marker == told("hand_back_marker")
        assert w.texts[-2:] == [told("on_hitl_stopped_message"), "agent_closed"]


async def test_f10_n10_a_transcript_holds_nothing_of_another_hand_off(w):
    await w.say("in the first")
    await w.deliver(w.desk.close("t1"))
    await w.start()
    await w.say("in the second")
    await w.deliver(w.desk.close("t2"))
    words = [[entry.message.text for entry in back.transcript] for back in w.chat.handed_back]
    assert words == [["in the first"], ["in the second"]]


async def test_s128_the_bot_waits_for_the_customer_where_it_is_not_to_go_on(store):
    async with world(store, policy=Policy(flow_on_hitl_stopped=False)) as w:
        await w.start()
        await w.deliver(w.desk.close("t1"))
        assert not w.chat.handed_back[0].continue_flow


async def test_the_bot_is_not_told_to_go_on_when_the_next_hand_off_has_begun(w):
    w.chat.broken = 1
    await w.deliver(w.desk.close("t1"))
    assert w.chat.handed_back == []
    await w.start()
    await w.pass_time(5)
    [back] = w.chat.handed_back
    assert not back.continue_flow
    assert await w.owner() is Owner.QUEUE


async def test_f10_s120_nothing_of_the_end_is_left_in_the_next_hand_off(w):
    await w.deliver(w.desk.reply("t1", "hi", BEA))
    await w.say("/end")
    await w.start()
    handoff = await w.handoff()
    assert (handoff.end_reason, handoff.agent, handoff.announced, handoff.unrelayed) == (None, None, None, ())


# Off hours ----------------------------------------------------------------------------------------------------------


NOBODY = BusinessHours(timezone="UTC", weekly={"tue": ["09:00-10:00"]})
"""The clock of the tests begins on a Sunday."""


async def test_off_hours_a_message_is_left_for_the_team_and_the_bot_goes_on(store):
    async with world(store, policy=Policy(business_hours=NOBODY)) as w:
        gate = w.desk.hold("start_hitl")
        starting = w.begin(w.start())
        await gate.reached.wait()
        await w.say("please call me back")
        gate.open()
        assert (await starting).status == "started"
        assert w.sent() == ["please call me back"]
        assert w.texts == [told("on_off_hours_message"), "message_left"]
        assert (w.desk.tickets["t1"].open, await w.owner()) == (True, Owner.BOT)
        assert w.chat.handed_back[0].pending == ()
        assert not (await w.say("and you?")).silence


async def test_off_hours_a_start_may_be_refused_and_names_no_hand_off(store):
    policy = Policy(business_hours=NOBODY)
    async with world(store, policy=policy) as w:
        await w.start(policy={"off_hours": "start"})
        await w.deliver(w.desk.close("t1"))
        w.chat.lines.clear()
        result = await w.start(policy={"off_hours": "refuse"})
        assert (result.status, result.handoff, result.session) == ("unavailable", None, None)
        assert (w.texts, list(w.desk.tickets)) == ([told("on_off_hours_refused_message")], ["t1"])
        assert await w.owner() is Owner.BOT


# Silence of the bot -------------------------------------------------------------------------------------------------


async def test_s121_s122_s124_the_bot_is_silent_exactly_while_it_does_not_own(store):
    async with world(store) as w:
        seen = [await w.bridge.silent("c1")]
        gate = w.desk.hold("start_hitl")
        starting = w.begin(w.start())
        await gate.reached.wait()
        seen.append(await w.bridge.silent("c1"))
        gate.open()
        await starting
        seen.append(await w.bridge.silent("c1"))
        await w.deliver(w.desk.assign("t1", BEA))
        seen.append(await w.bridge.silent("c1"))
        await w.deliver(w.desk.close("t1"))
        seen.append(await w.bridge.silent("c1"))
        assert seen == [False, True, True, True, False]
        assert not await w.bridge.silent("c2"), "a conversation nobody knows is the bot's (S123)"


async def test_s130_a_turn_passes_messages_on_and_does_not_speak_over_an_agent(w):
    shown = []
    turn = w.bridge.turn("c1", "Any news?", message_id="m1", send=lambda _, message: shown.append(message.text))
    async with turn:
        assert turn.silent
        assert not await turn.say("I am the bot")
    await w.settle()
    assert (shown, w.sent()) == ([], ["Any news?"])
    await w.deliver(w.desk.close("t1"))
    turn = w.bridge.turn("c1", "Still here?", message_id="m2", send=lambda _, message: shown.append(message.text))
    async with turn:
        assert await turn.say("Yes")
        assert (await turn.hand_over(ADA, "Parcel", wait=0)).status == "started"
        assert not await turn.say("A human will come")
    assert shown == ["Yes"]


async def test_r03_events_of_a_hand_off_never_reach_the_bot_as_messages(w):
    await w.deliver(w.desk.assign("t1", BEA))
    await w.deliver(w.desk.assign("t1", None))
    assert [line for line in w.chat.lines if line[0] == "resume"] == []
    assert len(w.chat.notices) == 2
