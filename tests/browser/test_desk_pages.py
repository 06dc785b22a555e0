"""The desk's pages where they are tight: narrow screens, first views, long texts."""

import pytest

pytestmark = pytest.mark.browser


def hand_over(customer, *lines):
    for line in (*lines, "/human"):
        customer.type("chat-input", line)
        customer.click("chat-send")
        customer.see("chat-message", line, role="customer")
    customer.see("chat-status", "human")


@pytest.fixture
def customer(demo, browser):
    customer = browser("customer")
    customer.open(demo["Customer chat"])
    return customer


@pytest.fixture
def agent(demo, browser):
    agent = browser("agent")
    agent.open(demo["Agent inbox"])
    agent.until(lambda: agent.texts("count-mine") == ["0"], "the inbox")
    return agent


def test_the_inbox_shows_where_somebody_waits_until_the_agent_goes_elsewhere(customer, agent, browser, demo):
    assert agent.run("return location.hash") == ""
    hand_over(customer, "Where is my lamp?")
    agent.one("ticket-row")
    assert agent.run("return document.querySelector('#list-title').textContent") == "Unassigned"
    agent.click("view-mine")
    other = browser("other")
    other.open(demo["Customer chat"])
    hand_over(other, "And where is mine?")
    agent.until(lambda: agent.texts("count-unassigned") == ["2"], "the second ticket")
    assert agent.run("return location.hash") == "#/mine"
    # Whoever comes anew, and has nothing of their own, begins with those who wait.
    agent.open(agent.driver.current_url.partition("#")[0])
    agent.until(lambda: len(agent.all("ticket-row")) == 2, "both who wait")
    assert agent.run("return location.hash") == "#/unassigned"
    assert agent.problems() == []
