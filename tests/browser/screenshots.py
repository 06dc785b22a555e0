"""Take the pictures of the documentation from the running product: ``uv run python tests/browser/screenshots.py``.

Starts ``hitl demo``, plays a conversation between a customer and an agent in two headless browsers, and writes
``docs/images/``. Needs chromium and chromium-driver.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from driving import Page, find_chromium, running_demo, window

IMAGES = Path(__file__).parents[2] / "docs" / "images"


def say(customer: Page, text: str) -> None:
    """Write as the customer."""
    customer.type("chat-input", text)
    customer.click("chat-send")
    customer.see("chat-message", text)


def write(agent: Page, mode: str, text: str) -> None:
    """Write as the agent."""
    agent.click(mode)
    agent.type("composer-text", text)
    agent.click("composer-send")
    agent.see("message", text)


OTHERS = (
    ("Do you ship to Norway?", "And to Svalbard?"),
    ("I was charged twice for my order.", "Both on the same day."),
)


def wait_in_line(chromium: tuple[str, str], profiles: Path, urls: dict[str, str]) -> None:
    """Let other customers ask for a human and wait."""
    for number, lines in enumerate(OTHERS):
        with window(chromium, profiles / f"other{number}") as other:
            other.open(urls["Customer chat"])
            for line in (*lines, "/human"):
                say(other, line)
            other.see("chat-status", "human")


def play(customer: Page, agent: Page, urls: dict[str, str]) -> None:
    """Play the conversation and take the pictures."""
    customer.open(urls["Customer chat"])
    say(customer, "Hello! What are your opening hours?")
    say(customer, "And how do I get a refund for a lamp that arrived broken?")
    say(customer, "/human")
    customer.see("chat-status", "human")
    agent.open(urls["Agent inbox"])
    agent.click("view-unassigned")
    agent.until(lambda: len(agent.all("ticket-row")) == 1 + len(OTHERS), "all who wait")
    agent.all("ticket-row")[-1].click()
    agent.click("assign-me")
    customer.see("chat-message", "joined")
    write(agent, "mode-note", "Second broken lamp this week: tell the warehouse.")
    write(agent, "mode-reply", "I am sorry about your lamp. A new one leaves today, you need not return it.")
    customer.see("chat-message", "I am sorry")
    say(customer, "That is kind, thank you!")
    agent.see("message", "That is kind")
    agent.click("view-all")
    agent.until(lambda: len(agent.all("ticket-row")) == 1 + len(OTHERS), "all tickets")
    agent.all("ticket-row")[-1].click()
    agent.see("message", "That is kind")
    agent.driver.save_screenshot(str(IMAGES / "inbox.png"))
    customer.driver.save_screenshot(str(IMAGES / "chat.png"))


def main() -> int:
    """Write the pictures."""
    chromium = find_chromium()
    if chromium is None:
        print("install chromium and chromium-driver first", file=sys.stderr)
        return 1
    IMAGES.mkdir(exist_ok=True)
    with ExitStack() as stack:
        profiles = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = stack.enter_context(running_demo())
        wait_in_line(chromium, profiles, urls)
        customer = stack.enter_context(window(chromium, profiles / "customer", width=460, height=900))
        play(customer, stack.enter_context(window(chromium, profiles / "agent")), urls)
    print(f"wrote {', '.join(sorted(path.name for path in IMAGES.glob('*.png')))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
