"""A bot's turn: it is hard to speak over an agent, and after a hand-over nothing more is said."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from hitl_core.bridge.host import Handled
from hitl_core.bridge.talking import Turn, answering
from hitl_core.errors import ConfigurationError, HitlError, InvalidRequestError, StoreError
from hitl_core.messages import Text
from hitl_core.people import Author, EndUser

pytestmark = pytest.mark.anyio

USER = EndUser(external_id="u-1", name="Grace")


class FakeBridge:
    """Answers as a test says.

    :ivar owner: who has the conversation.
    :ivar asked: called at every question of ``silent``: what happens in the world right before it.
    """

    def __init__(self, owner="bot"):
        self.owner = owner
        self.handled = []
        self.starts = []
        self.questions = 0
        self.asked = lambda: None
        self.result = SimpleNamespace(status="started")
        self.error = None

    async def handle_user_message(self, conversation_id, message, author=None, *, message_id, user=None):
        if self.error is not None:
            raise self.error
        self.handled.append((conversation_id, message, author, message_id, user))
        return Handled(silence=self.owner != "bot")

    async def silent(self, conversation_id):
        self.questions += 1
        self.asked()
        return self.owner != "bot"

    async def start_hitl(self, conversation_id, user, title, *, trigger_message_id, **more):
        self.starts.append((conversation_id, user, title, trigger_message_id, more))
        if self.error is not None:
            raise self.error
        return self.result


class Channel:
    def __init__(self):
        self.shown = []

    async def post(self, conversation_id, message):
        await asyncio.sleep(0)
        self.shown.append(message.text)


@pytest.fixture
def bridge():
    return FakeBridge()


@pytest.fixture
def channel():
    return Channel()


@pytest.fixture
def turn(bridge, channel):
    return Turn(bridge, "c-1", "Any news?", Author.user(), message_id="m-1", send=channel.post)


async def test_entering_hands_the_message_to_the_bridge_and_the_bot_answers_in_order(bridge, channel, turn):
    async with turn:
        assert not turn.silent
        assert await turn.say("one")
        assert await turn.say(Text(text="two"))
        assert await turn.say({"type": "text", "text": "three"})
    assert bridge.handled == [("c-1", Text(text="Any news?"), Author.user(), "m-1", None)]
    assert channel.shown == ["one", "two", "three"]
    assert bridge.questions == 3, "asked right before every word"


async def test_several_tasks_speak_one_after_the_other(bridge, channel, turn):
    async with turn:
        await asyncio.gather(*(turn.say(f"{number}") for number in range(9)))
    assert channel.shown == [f"{number}" for number in range(9)]


@pytest.mark.parametrize("owner", ["queue", "human"])
async def test_s121_s124_a_message_that_went_to_a_human_is_not_answered_by_the_bot(bridge, channel, turn, owner):
    bridge.owner = owner
    async with turn:
        assert turn.silent
        assert not await turn.say("hello")
        bridge.owner = "bot"  # the hand-off has just ended: the message was theirs, or is given back
        assert not await turn.may_speak()
        assert not await turn.say("hello")
    assert channel.shown == []


async def test_r07_the_bot_cannot_speak_over_an_agent_who_came_between_two_words(bridge, channel, turn):
    async with turn:
        assert await turn.say("Let me see.")
        bridge.owner = "human"
        assert not await turn.say("Here it is.")
        assert turn.silent
        assert not await turn.say("Anything else?")
    assert channel.shown == ["Let me see."]


async def test_r07_ownership_is_looked_up_right_before_a_word_also_behind_a_slow_one(bridge, channel, turn):
    going = asyncio.Event()

    async def slowly(conversation_id, message):
        going.set()
        await gate.wait()
        channel.shown.append(message.text)

    gate = asyncio.Event()
    turn = Turn(bridge, "c-1", "Hi", message_id="m-2", send=slowly)
    async with turn:
        first, second = asyncio.ensure_future(turn.say("one")), asyncio.ensure_future(turn.say("two"))
        await going.wait()
        bridge.owner = "human"
        gate.set()
        assert (await first, await second) == (True, False)
    assert channel.shown == ["one"]


async def test_whatever_happens_at_whatever_question_nothing_is_shown_once_a_human_has_it(bridge, channel):
    for moment in range(1, 5):
        bridge.owner, bridge.questions = "bot", 0
        channel.shown.clear()

        def happen(moment=moment):
            if bridge.questions == moment:
                bridge.owner = "human"

        bridge.asked = happen
        async with Turn(bridge, "c-1", "Hi", message_id=f"m-{moment}", send=channel.post) as turn:
            said = [await turn.say(f"{number}") for number in range(4)]
        assert said == [number < moment - 1 for number in range(4)]
        assert channel.shown == [f"{number}" for number in range(moment - 1)]


async def test_the_bot_can_look_before_it_goes_to_expense(bridge, turn):
    async with turn:
        assert await turn.may_speak()
        bridge.owner = "queue"
        assert not await turn.may_speak()
        assert turn.silent


async def test_s130_after_handing_over_nothing_more_is_said_in_the_turn(bridge, channel, turn):
    async with turn:
        assert await turn.say("I am not sure.")
        result = await turn.hand_over(USER, "Refund", options={"reason": "unsure"})
        assert turn.handed_over is result is bridge.result
        assert turn.silent
        assert not await turn.say("I have called somebody."), "though the bridge would not know of it yet"
    assert channel.shown == ["I am not sure."]
    assert bridge.starts == [("c-1", USER, "Refund", "m-1", {"options": {"reason": "unsure"}})]


@pytest.mark.parametrize("status", ["starting", "already_active", "not_allowed", "replay", "unavailable", "failed"])
async def test_s130_whatever_became_of_the_hand_off_the_bridge_has_told_the_customer(bridge, channel, turn, status):
    bridge.result.status = status
    async with turn:
        await turn.hand_over(USER, "Refund")
        assert not await turn.say("Hm.")
    assert channel.shown == []


async def test_s130_words_asked_for_during_the_start_wait_and_are_refused(bridge, channel, turn):
    async with turn:
        over = asyncio.ensure_future(turn.hand_over(USER, "Refund"))
        word = asyncio.ensure_future(turn.say("One moment."))
        await over
        assert not await word
    assert channel.shown == []


async def test_a_start_that_raised_leaves_the_bot_to_answer_and_one_cut_short_does_not(bridge, channel, turn):
    async with turn:
        bridge.error = ConfigurationError("no such connection")
        with pytest.raises(ConfigurationError):
            await turn.hand_over(USER, "Refund", connection="dsek")
        assert await turn.say("Sorry.")
        bridge.error = TimeoutError()  # not ours: nobody can tell whether it was accepted
        with pytest.raises(TimeoutError):
            await turn.hand_over(USER, "Refund")
        assert not await turn.say("Sorry again.")
    assert channel.shown == ["Sorry."]


async def test_a_start_of_ones_own_key_keeps_it(bridge, turn):
    async with turn:
        await turn.hand_over(USER, "Refund", trigger_message_id=None, idempotency_key="mine")
    assert bridge.starts == [("c-1", USER, "Refund", None, {"idempotency_key": "mine"})]


async def test_exceptions_pass_through_and_end_the_turn(bridge, channel, turn):
    async def speak():
        async with turn:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await speak()
    assert not await turn.say("later")
    with pytest.raises(HitlError, match="inside the turn's block"):
        await turn.hand_over(USER, "late")
    assert (channel.shown, bridge.starts) == ([], [])


async def test_what_the_channel_raises_reaches_the_bot_and_later_words_are_shown(bridge, turn):
    shown = []

    def post(conversation_id, message):
        if message.text == "bad":
            raise OSError("down")
        shown.append((message.text, threading.current_thread() is threading.main_thread()))

    async with Turn(bridge, "c-1", "Hi", message_id="m-1", send=post) as turn:
        with pytest.raises(OSError, match="down"):
            await turn.say("bad")
        assert await turn.say("good")
    assert shown == [("good", False)], "a plain function runs in a thread"


async def test_a_message_that_could_not_be_taken_in_is_not_answered(bridge, channel, turn):
    bridge.error = StoreError("the database cannot be reached")
    with pytest.raises(StoreError):
        await turn.__aenter__()
    assert turn.silent
    assert not await turn.say("hello")
    bridge.error = None
    async with turn:  # the host hands it in again
        assert await turn.say("hello")


async def test_a_turn_is_for_one_message_and_its_mistakes_are_told(bridge, channel, turn):
    assert not await turn.say("before it was entered")
    with pytest.raises(HitlError, match="inside the turn's block"):
        await turn.hand_over(USER, "early")
    async with turn:
        with pytest.raises(InvalidRequestError):
            await turn.say({"type": "text"})
    with pytest.raises(HitlError, match="entered once"):
        await turn.__aenter__()
    with pytest.raises(ConfigurationError, match=r"send is of type str; .* called as send\(conversation_id, message\)"):
        Turn(bridge, "c-1", "Hi", message_id="m", send="post")
    with pytest.raises(InvalidRequestError):
        Turn(bridge, "c-1", 7, message_id="m", send=channel.post)


async def test_r03_as_a_decorator_the_answer_is_called_only_while_the_bot_has_the_conversation(bridge, channel):
    called = []

    @answering(bridge, send=channel.post)
    async def answer(turn):
        """Answer."""
        called.append((turn.conversation_id, turn.message.text, turn.author, turn.message_id))
        await turn.say("Hello")

    turn = await answer("c-1", "Hi", Author.user(), message_id="m-1")
    assert not turn.silent
    assert not await turn.say("and one more thing"), "it is over"
    bridge.owner = "human"
    assert (await answer("c-1", "Hi again", message_id="m-2", user=USER)).silent
    assert bridge.handled[-1] == ("c-1", Text(text="Hi again"), None, "m-2", USER)
    assert called == [("c-1", "Hi", Author.user(), "m-1")]
    assert channel.shown == ["Hello"]
    assert (answer.__name__, answer.__doc__) == ("answer", "Answer.")
