"""The same bot, bridge and chat page on one helpdesk after the other: only the agents' page is another."""

import os

import pytest

from .driving import running_demo

pytestmark = pytest.mark.browser

# Any installed provider that has a simulator; one more name is one more helpdesk.
PROVIDERS = ("desk", "reference", "zendesk")


class Inbox:
    """The desk's own inbox."""

    page = "Agent inbox"

    def __init__(self, window):
        self.window = window

    def choose(self):
        self.window.click("view-unassigned")
        self.window.one("ticket-row").click()
        self.window.one("thread")

    def take(self):
        self.window.click("assign-me")

    def write(self, mode, text):
        self.window.click(f"mode-{mode}")
        self.window.type("composer-text", text)
        self.window.click("composer-send")
        self.window.see("message", text, role="agent", kind="note" if mode == "note" else "message")

    def sees(self, text):
        self.window.until(
            lambda: any(text in shown for part in ("message", "transcript") for shown in self.window.texts(part)),
            f"{text!r} in the thread",
        )

    def end(self):
        self.window.click("close-ticket")
        self.window.click("close-confirm")


class AgentPage(Inbox):
    """The page every simulator has."""

    page = "Agent page"

    def choose(self):
        self.window.click("ticket-row")
        self.window.one("thread")

    def take(self):
        self.window.one("do-close")
        if self.window.all("do-assign"):
            self.window.click("do-assign")

    def end(self):
        self.window.click("do-solve" if self.window.all("do-solve") else "do-close")


@pytest.fixture
def reference(tmp_path, monkeypatch):
    """Install the made-up helpdesk of the conformance kit."""
    info = tmp_path / "site" / "hitl_reference-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hitl-reference\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[hitl.providers]\nreference = hitl_core.testing.reference:ReferenceProvider\n"
        "[hitl.simulators]\nreference = hitl_core.testing.reference:ReferenceSimulator\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(info.parent), os.environ.get("PYTHONPATH", "")]))


def say(customer, text):
    customer.type("chat-input", text)
    customer.click("chat-send")
    customer.see("chat-message", text, role="customer")


@pytest.mark.usefixtures("reference")
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_conversation_goes_to_a_human_and_back(provider, browser):
    with running_demo("--provider", provider) as urls:
        customer = browser("customer")
        agent = (Inbox if Inbox.page in urls else AgentPage)(browser("agent"))
        customer.open(urls["Customer chat"])
        agent.window.open(urls[agent.page])

        say(customer, "What are your opening hours?")
        customer.see("chat-message", "Monday", role="bot")
        say(customer, "/human")
        customer.see("chat-status", "human")
        agent.choose()
        agent.sees("What are your opening hours?")
        agent.take()
        customer.see("chat-message", "joined", role="system")
        agent.write("note", "offer a refund")
        agent.write("reply", "Hello, how can I help?")
        customer.see("chat-message", "Hello, how can I help?", role="agent")
        assert "offer a refund" not in customer.driver.page_source, "a note never leaves"

        answers = customer.texts("chat-message", role="bot")
        say(customer, "My lamp hums. What are your opening hours?")
        agent.sees("My lamp hums.")
        agent.write("reply", "A new one leaves today.")
        customer.see("chat-message", "A new one leaves today.", role="agent")
        assert customer.texts("chat-message", role="bot") == answers, "the bot is silent while a human is there"

        agent.end()
        customer.see("chat-message", "I am back", role="bot")
        say(customer, "How do refunds work?")
        customer.see("chat-message", "30 days", role="bot")
        assert customer.problems() == []
        assert agent.window.problems() == []
