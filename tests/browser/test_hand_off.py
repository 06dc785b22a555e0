"""A customer and an agent, each in a browser of their own, and the bot between them."""

from __future__ import annotations

import base64

import pytest

pytestmark = pytest.mark.browser

# A 12x12 red square.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAwAAAAMCAIAAADZF8uwAAAAGUlEQVR4nGP8z4APMOGVHZUelR6VHpUemtIA6PgBF4UCjN0AAAAASUVORK5CYII="
)


def say(customer, text):
    customer.type("chat-input", text)
    customer.click("chat-send")
    customer.see("chat-message", text, role="customer")


def reply(agent, text):
    agent.click("mode-reply")
    agent.type("composer-text", text)
    agent.click("composer-send")
    agent.see("message", text, role="agent")


def open_ticket(agent, row):
    agent.until(lambda: row(agent), "the ticket in the list")
    row(agent).click()
    agent.one("thread")


def newest_row(agent):
    return next(iter(agent.all("ticket-row")), None)


def image_is_shown(page, testid, **data):
    script = "return arguments[0].complete && arguments[0].naturalWidth > 0"
    return any(
        page.driver.execute_script(script, image)
        for found in page.all(testid, **data)
        for image in found.find_elements("css selector", "img.media, [data-testid='image'], a img, button img, img")
    )


@pytest.fixture
def people(demo, browser, tmp_path):
    (tmp_path / "lamp.png").write_bytes(PNG)
    customer, agent = browser("customer"), browser("agent")
    customer.open(demo["Customer chat"])
    agent.open(demo["Agent inbox"])
    return customer, agent, tmp_path / "lamp.png"


def test_a_conversation_goes_to_a_human_and_back_twice(people):
    customer, agent, picture = people

    # The bot is there until a human is asked for.
    say(customer, "What are your opening hours?")
    customer.until(lambda: customer.texts("chat-message", role="bot"), "the bot's answer")
    say(customer, "/human")
    customer.see("chat-status", "human")

    # S057, F03, F06: the agent sees the whole conversation, and why it was handed over.
    agent.click("view-unassigned")
    open_ticket(agent, newest_row)
    agent.see("transcript", "What are your opening hours?")
    assert agent.one("handover-line").text

    # S090, R17, F09: one "joined" text on assignment, none on the first answer.
    agent.click("assign-me")
    customer.see("chat-message", "joined", role="system")
    bot_messages = customer.texts("chat-message", role="bot")
    reply(agent, "Hello, how can I help?")
    customer.see("chat-message", "Hello, how can I help?", role="agent")
    joined = [text for text in customer.texts("chat-message", role="system") if "joined" in text]
    assert len(joined) == 1

    # An image from the agent is an image for the customer (F28).
    agent.driver.execute_script(
        "const i = document.querySelector('[data-testid=attach-input]'); i.hidden = false; i.style.display = 'block'"
    )
    agent.all("attach-input")[0].send_keys(str(picture))
    agent.type("composer-text", "This one?")
    agent.click("composer-send")
    customer.see("chat-message", "This one?", role="agent")
    customer.until(lambda: image_is_shown(customer, "chat-message", role="agent"), "the agent's image")

    # The customer answers; the bot stays silent (S087, S124).
    say(customer, "Yes, it is broken.")
    agent.see("message", "Yes, it is broken.", role="customer")

    # R12: a note never leaves. The later answer proves that the note had its chance.
    agent.click("mode-note")
    agent.type("composer-text", "customer seems nice, offer a refund")
    agent.click("composer-send")
    agent.see("message", "offer a refund", kind="note")
    reply(agent, "We will send a new lamp.")
    customer.see("chat-message", "We will send a new lamp.", role="agent")
    assert "offer a refund" not in customer.driver.page_source
    assert customer.texts("chat-message", role="bot") == bot_messages

    # S115: the agent closes, the customer is told, the bot is back (R07: and not in the ticket).
    agent.click("close-ticket")
    agent.click("close-confirm")
    customer.until(lambda: len(customer.texts("chat-message", role="system")) > len(joined), "the closing text")
    before = len(customer.texts("chat-message", role="bot"))
    say(customer, "When do you open tomorrow? What are your opening hours?")
    customer.until(lambda: len(customer.texts("chat-message", role="bot")) > before, "the bot to be back")

    # F10, S113: a second hand-off knows nothing of the first.
    say(customer, "/human")
    agent.click("view-unassigned")
    open_ticket(agent, newest_row)
    agent.see("transcript", "We will send a new lamp.")
    reply(agent, "Me again.")
    customer.see("chat-message", "Me again.", role="agent")
    customer.until(
        lambda: len([text for text in customer.texts("chat-message", role="system") if "joined" in text]) == 2,
        "the second joined text",
    )

    # S097-S099, F12: the customer ends it.
    say(customer, "/end")
    customer.until(
        lambda: not any(found.is_displayed() for found in customer.all("chat-status")), "no human to be there any more"
    )
    agent.click("view-closed")
    agent.until(lambda: len(agent.all("ticket-row")) == 2, "both tickets among the closed")

    assert customer.problems() == []
    assert agent.problems() == []
