"""The agent's page every simulator has: taking, answering, ending; and nothing a customer writes is more than text."""

import base64

import pytest
from selenium.webdriver.common.keys import Keys

from hitl_core.testing.reference import ReferenceSimulator
from hitl_core.testing.simulator import SimFile, Simulator

from .driving import OUTSIDE, served

pytestmark = pytest.mark.browser

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAwAAAAMCAIAAADZF8uwAAAAGUlEQVR4nGP8z4APMOGVHZUelR6VHpUemtIA6PgBF4UCjN0AAAAASUVORK5CYII="
)
CUSTOMER = {"role": "user", "id": "c-1", "name": None}
BELOW = "const view = document.querySelector('#thread-scroll');"
BELOW += "return view.scrollHeight - view.scrollTop - view.clientHeight"


@pytest.fixture
def simulator():
    return ReferenceSimulator()


@pytest.fixture
def helpdesk(simulator):
    with served(simulator) as found:
        yield found


@pytest.fixture
def page(helpdesk, browser):
    page = browser("agent")
    page.open(f"{helpdesk.url}/_sim/agent")
    yield page
    assert page.problems() == []


def opened(simulator, helpdesk, *texts, title="My lamp hums"):
    """Let a customer wait."""

    async def happen():
        simulator.customers["c-1"] = {"id": "c-1", "name": "Ada Lovelace"}
        ticket = simulator.create_ticket(title, "c-1")
        for text in texts:
            simulator.write(ticket, text, actor=CUSTOMER)
        return ticket.id

    return helpdesk.do(happen())


def buttons(page):
    return [
        each.get_dom_attribute("data-testid")
        for each in page.driver.find_elements("css selector", "#head-actions button")
    ]


def send(page, mode, text):
    page.click(f"mode-{mode}")
    page.type("composer-text", text)
    page.click("composer-send")


def test_an_agent_takes_a_session_answers_and_solves_it(page, simulator, helpdesk):
    page.see("list-empty", "Nobody is waiting")
    session = opened(simulator, helpdesk, "Hello, is anybody there?")
    page.see("ticket-row", "Ada Lovelace")
    assert page.driver.title.startswith("(1)"), "who looks elsewhere sees that somebody waits"
    page.click("ticket-row", id=session)
    page.see("message", "Hello, is anybody there?", role="customer")
    assert buttons(page) == ["do-assign", "do-solve", "do-close"]
    page.click("do-assign")
    page.see("thread-status", "Kim Agent")
    assert buttons(page) == ["do-unassign", "do-solve", "do-close"]

    send(page, "note", "Second broken lamp this week")
    page.see("message", "Second broken lamp", kind="note")
    page.click("mode-reply")
    page.type("composer-text", "A new one leaves today." + Keys.CONTROL + Keys.ENTER)
    page.see("message", "A new one leaves today.", role="agent")
    assert page.one("composer-text").get_property("value") == ""
    seen = helpdesk.do(simulator.session(session))
    assert [(each.text, each.public) for each in seen.messages[1:]] == [
        ("Second broken lamp this week", False),
        ("A new one leaves today.", True),
    ]

    page.click("do-solve")
    page.see("ended", "This conversation has ended.")
    page.see("list-empty", "Nobody is waiting")
    page.click("view-ended")
    page.see("ticket-row", "Ada Lovelace")
    page.click("do-reopen")
    page.see("thread-status", "Kim Agent")
    page.click("do-unassign")
    page.see("thread-status", "Waiting")


def test_another_agent_acts_by_another_name(page, simulator, helpdesk):
    session = opened(simulator, helpdesk, "Hello?")
    page.one("me").send_keys("Lou")
    page.click("ticket-row", id=session)
    page.click("do-assign")
    page.see("thread-status", "Lou Agent")
    page.open(f"{helpdesk.url}/_sim/agent")
    page.until(lambda: page.one("me").get_property("value") == "agent-2", "who one was the last time")


def test_files_go_and_come_as_they_are(page, simulator, helpdesk, tmp_path):
    (tmp_path / "lamp.png").write_bytes(PNG)
    (tmp_path / "bytes.bin").write_bytes(bytes(range(256)))
    session = opened(simulator, helpdesk, "Hello?")
    page.click("ticket-row", id=session)
    page.one("composer-text")
    chooser = page.all("attach-input")[0]
    chooser.send_keys(f"{tmp_path / 'lamp.png'}\n{tmp_path / 'bytes.bin'}")
    page.click("composer-send")
    page.see("file", "bytes.bin")
    shown = "const i = document.querySelector('.picture img'); return i !== null && i.complete && i.naturalWidth === 12"
    page.until(lambda: page.run(shown), "the picture")
    [*_, message] = helpdesk.do(simulator.session(session)).messages
    assert [file.content for file in message.files] == [PNG, bytes(range(256))]
    assert page.run("return document.querySelector('.file-link').download") == "bytes.bin"
    assert page.run("return document.querySelector('.file-link').href").startswith("blob:")


def test_what_a_customer_writes_is_text_whatever_it_looks_like(page, simulator, helpdesk):
    evil = "<img src=x onerror='window.evil = 1'><script>window.evil = 2</script>{{7*7}}"
    session = opened(simulator, helpdesk, evil, title=evil)
    helpdesk.do(
        simulator.attach(
            session,
            "",
            [SimFile(name=f"{evil}.svg", content_type="image/svg+xml", content=b"<svg onload='window.evil = 3'/>")],
            agent=simulator.agent(),
        )
    )
    page.click("ticket-row", id=session)
    page.see("message", evil, role="customer")
    page.see("file", "1 kB")
    assert page.run("return window.evil ?? null") is None
    assert page.run("return document.querySelectorAll('.lines img, .lines script').length") == 0


def test_a_vendors_html_is_shown_as_the_text_it_stands_for(browser):
    class Html(ReferenceSimulator):
        def _seen(self, message):
            return super()._seen(message).model_copy(update={"html": True})

    simulator = Html()
    with served(simulator) as helpdesk:
        page = browser("agent")
        html = "<p>Hello<br>there</p><ul><li>one</li></ul><script>window.evil = 1</script><img src='/_sim/x.png'>"
        session = opened(simulator, helpdesk, html)
        page.open(f"{helpdesk.url}/_sim/agent#/{session}")
        page.until(lambda: any(text.endswith("Hello\nthere\n\none") for text in page.texts("message")), "the text")
        assert page.run("return window.evil ?? null") is None
        assert page.problems() == []


def test_only_what_the_simulator_can_do_is_offered(browser):
    class Small(ReferenceSimulator):
        note = Simulator.note
        attach = Simulator.attach
        assign = Simulator.assign
        solve = Simulator.solve
        edit = Simulator.edit
        delete = Simulator.delete
        customer_writes = Simulator.customer_writes

    simulator = Small()
    with served(simulator) as helpdesk:
        page = browser("agent")
        session = opened(simulator, helpdesk, "Hello?")
        page.open(f"{helpdesk.url}/_sim/agent#/{session}")
        send(page, "reply", "Hello!")
        page.see("message", "Hello!", role="agent")
        assert buttons(page) == ["do-close"]
        assert page.all("mode-note") == page.all("mode-customer_writes") == page.all("message-edit") == []
        assert not page.all("attach-input")[0].find_element("xpath", "..").is_displayed()
        page.click("do-close")
        page.see("ended", "This conversation has ended.")
        assert page.problems() == []


def test_an_agent_changes_a_message_and_takes_it_back(page, simulator, helpdesk):
    session = opened(simulator, helpdesk, "When?")
    helpdesk.do(simulator.reply(session, "See you tomorow", agent=simulator.agent()))
    page.click("ticket-row", id=session)
    page.see("message", "tomorow")
    page.run("document.querySelector('[data-testid=message-edit]').click()")
    page.type("edit-text", "See you tomorrow")
    page.click("edit-save")
    page.see("message", "See you tomorrow")
    page.run("document.querySelector('[data-testid=message-edit]').click()")
    page.click("edit-delete")
    page.until(lambda: len(page.all("message")) == 1, "the message to be gone")


def test_what_is_written_stays_while_others_write_and_while_the_agent_looks_elsewhere(page, simulator, helpdesk):
    first, second = opened(simulator, helpdesk, "One?"), opened(simulator, helpdesk, "Two?")
    page.click("ticket-row", id=first)
    page.type("composer-text", "Half a sen")
    helpdesk.do(simulator.customer_writes(first, "Still there?"))
    page.see("message", "Still there?")
    assert page.run("return document.activeElement.id") == "text"
    page.click("ticket-row", id=second)
    page.see("message", "Two?")
    assert page.one("composer-text").get_property("value") == ""
    page.click("ticket-row", id=first)
    page.see("message", "One?")
    assert page.one("composer-text").get_property("value") == "Half a sen"


def test_what_is_refused_is_said_in_words_and_what_was_written_is_kept(page, simulator, helpdesk):
    session = opened(simulator, helpdesk, "Hello?")
    page.click("ticket-row", id=session)
    page.see("message", "Hello?")

    async def vanish():
        del simulator.tickets[session]

    page.type("composer-text", "Are you there?")
    page.run("window.fetch = ((real) => (path, options) => real(path.replace('tck-', 'gone-'), options))(window.fetch)")
    page.click("composer-send")
    page.see("problem", "No such session")
    assert page.one("composer-text").get_property("value") == "Are you there?"
    helpdesk.do(vanish())
    page.see("list-empty", "Nobody is waiting")
    page.until(lambda: "no such conversation" in page.one("thread-lost").text, "that it is gone")
    page.driver.get_log("browser")  # the browser has its own words for a 404


def test_a_simulator_that_has_ended_is_said_to_be_gone(simulator, browser):
    page = browser("agent")
    with served(simulator) as helpdesk:
        session = opened(simulator, helpdesk, "Hello?")
        page.open(f"{helpdesk.url}/_sim/agent#/{session}")
        page.see("message", "Hello?")
    page.see("offline", "does not answer")
    assert page.one("do-assign"), "what was there can still be read"


@pytest.mark.parametrize("size", [(390, 844), (320, 568), (1000, 700)])
def test_it_fits_every_screen_with_long_words_and_names(page, simulator, helpdesk, size):
    page.resize(*size)
    assert page.run(OUTSIDE) == [0, []]
    session = opened(simulator, helpdesk, "x" * 900, "word " * 200, title="A remarkably long title " * 12)
    page.see("ticket-row", "Ada")
    assert page.run(OUTSIDE) == [0, []]
    page.click("ticket-row", id=session)
    page.see("message", "word")
    assert page.run(OUTSIDE) == [0, []]
    assert page.run(BELOW) < 2, "the newest message is in sight"
    page.run("document.querySelector('#facts').open = true")
    assert page.run(OUTSIDE) == [0, []]
    if size[0] < 760:
        assert not any(row.is_displayed() for row in page.all("ticket-row"))
        page.click("back")
        page.see("ticket-row", "Ada")
