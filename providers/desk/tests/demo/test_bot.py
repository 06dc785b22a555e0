"""What the demo's bot says, and when it calls a human."""

import pytest
from hitl_desk.demo.bot import ShopBot


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What are your opening hours?", "Monday"),
        ("When are you open tomorrow?", "Monday"),
        ("How do I get a REFUND?", "30 days"),
        ("I want to return my lamp", "30 days"),
        ("where is my parcel", "working day"),
        ("Do you take credit cards", "card"),
        ("help", "/human"),
        ("Hello", "What can I do"),
        ("are you a bot?", "bot"),
        ("Thanks a lot", "welcome"),
    ],
)
def test_it_answers_what_is_in_its_table(question, words):
    reply = ShopBot().answer(question)
    assert words in reply.text
    assert reply.escalate is None


@pytest.mark.parametrize(
    "text",
    [
        "/human",
        "  /Human ",
        "Can I talk to a person?",
        "get me an agent please",
        "I need to speak with someone from sales",
    ],
)
def test_it_hands_over_when_asked_and_says_nothing_itself(text):
    reply = ShopBot().answer(text)
    assert reply.escalate == "The customer asked for a human."
    assert reply.text is None


@pytest.mark.parametrize("text", ["Which agent cleans lamps?", "is this lamp good for a person with allergies"])
def test_a_word_alone_is_no_wish(text):
    assert ShopBot().answer(text).escalate is None


def test_it_hands_over_what_it_cannot_answer_twice_in_a_row():
    bot = ShopBot()
    assert "/human" in bot.answer("flurb").text
    assert bot.answer("no, I mean glonk").escalate == "The bot did not understand twice in a row."


def test_an_answer_in_between_starts_the_count_anew():
    bot = ShopBot()
    bot.answer("flurb")
    bot.answer("opening hours")
    assert bot.answer("flurb").escalate is None


def test_after_handing_over_the_count_starts_anew():
    bot = ShopBot()
    bot.answer("flurb")
    bot.answer("glonk")
    assert bot.answer("flurb").escalate is None


def test_two_conversations_have_two_counts():
    one, other = ShopBot(), ShopBot()
    one.answer("flurb")
    assert other.answer("flurb").escalate is None


def test_a_file_without_words_is_acknowledged():
    assert "/human" in ShopBot().answer(None).text


def test_the_close_command_outside_a_hand_off_is_explained():
    assert "already" in ShopBot().answer("/end").text
