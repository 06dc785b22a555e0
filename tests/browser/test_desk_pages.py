"""The desk's pages where they are tight: narrow screens, first views, long texts."""

import pytest
from hitl_desk.server.content import MAX_TEXT
from selenium.webdriver.common.keys import Keys

from .driving import OUTSIDE, running_demo, window

pytestmark = pytest.mark.browser

# Several layouts before the page hears of the first, as when a window's edge is dragged across the widths at which it
# is arranged anew. The padding is what keeps the browser from holding the place by itself.
DRAG = """
    const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const content = document.querySelector('#thread-content');
    for (const padding of arguments[0]) {
      content.style.padding = `0 ${padding}px`;
      content.getBoundingClientRect();
    }
    return frame().then(frame).then(frame);
"""
BELOW = "const view = document.querySelector('#thread-scroll');"
BELOW += "return view.scrollHeight - view.scrollTop - view.clientHeight"
TYPE = """
    const box = document.querySelector('#composer-text');
    box.value = arguments[0].repeat(arguments[1]);
    box.dispatchEvent(new Event('input', { bubbles: true }));
"""


def hand_over(customer, *lines):
    for line in (*lines, "/human"):
        customer.type("chat-input", line)
        customer.click("chat-send")
        customer.see("chat-message", line, role="customer")
    customer.see("chat-status", "human")


@pytest.fixture(scope="module")
def desk(chromium, tmp_path_factory):
    """Run one demo for the tests that change nothing in it; give its addresses, and a browser that is signed in."""
    place = tmp_path_factory.mktemp("desk")
    with running_demo("--data", str(place / "data")) as urls, window(chromium, place / "agent") as agent:
        agent.open(urls["Agent inbox"])
        agent.one("menu-open")
        yield urls, agent


@pytest.fixture
def agent(desk):
    """Let the agent come to the inbox anew."""
    _, agent = desk
    agent.resize(1360, 860)
    agent.open(agent.driver.current_url.partition("/inbox")[0] + "/inbox")
    agent.until(lambda: agent.texts("count-mine") == ["0"], "the inbox")
    return agent


@pytest.fixture(scope="module")
def handed_over(desk, chromium, tmp_path_factory):
    """Let a customer with long questions wait for an agent."""
    urls, _ = desk
    with window(chromium, tmp_path_factory.mktemp("customer")) as customer:
        customer.open(urls["Customer chat"])
        hand_over(customer, *(f"Line {number}: " + "the lamp arrived broken, " * 12 + "again" for number in range(6)))


def test_the_inbox_shows_where_somebody_waits_until_the_agent_goes_elsewhere(browser, demo):
    customer, agent = browser("customer"), browser("agent")
    customer.open(demo["Customer chat"])
    agent.open(demo["Agent inbox"])
    agent.until(lambda: agent.texts("count-mine") == ["0"], "the inbox")
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


@pytest.mark.usefixtures("handed_over")
def test_the_newest_message_stays_in_sight_while_the_window_is_dragged_narrower(agent):
    agent.one("ticket-row").click()
    agent.see("transcript", "Line 5")
    agent.until(lambda: agent.run(BELOW) == 0, "the end of the conversation")
    for paddings in ((200,), (0, 100), (200,), (50, 0, 150)):
        agent.run(DRAG, paddings)
        assert agent.run(BELOW) == 0, paddings
    # Who reads further up is left in peace.
    agent.run("document.querySelector('#thread-scroll').scrollTop = 40")
    agent.run(DRAG, ())
    agent.run(DRAG, (150, 0, 150))
    assert agent.run(BELOW) > 200


def test_the_page_of_bots_fits_a_phone(agent):
    agent.resize(390, 844)
    agent.open(agent.driver.current_url.partition("#")[0] + "/bots")
    agent.one("bot-row")
    assert agent.run(OUTSIDE) == [0, []]
    agent.click("bot-deliveries")
    agent.see("bots-table", "Nothing was posted")
    assert agent.run(OUTSIDE) == [0, []]
    assert agent.problems() == []


def test_a_skip_link_is_not_to_be_seen_before_it_has_the_focus(agent):
    look = """
        const link = document.querySelector('.skip-link');
        return [getComputedStyle(link).boxShadow, link.getBoundingClientRect().bottom > 0];
    """
    assert agent.run(look) == ["none", False]
    agent.run("document.activeElement.blur()")
    agent.driver.switch_to.active_element.send_keys(Keys.TAB)
    shadow, visible = agent.run(look)
    assert (shadow != "none", visible) == (True, True)


@pytest.mark.usefixtures("handed_over")
def test_the_composer_counts_characters_only_near_the_desks_limit(agent):
    agent.one("ticket-row").click()
    agent.type("composer-text", "x")

    def counted(character, times):
        agent.run(TYPE, character, times)
        shown = [each.text for each in agent.all("composer-count") if each.is_displayed()]
        return shown, agent.one("composer-send").is_enabled()

    assert counted("x", MAX_TEXT // 2) == ([], True)
    assert counted("x", MAX_TEXT - 1000) == ([f"{MAX_TEXT - 1000:,} of {MAX_TEXT:,} characters"], True)
    assert counted("😀", MAX_TEXT) == ([f"{MAX_TEXT:,} of {MAX_TEXT:,} characters"], True)
    assert counted("x", MAX_TEXT + 20) == (["20 too many characters"], False)
    assert counted("x", 10) == ([], True)
