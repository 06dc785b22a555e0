"""Take the pictures of the documentation from the running product: ``uv run python docs/screenshots.py``.

Starts ``hitl demo``, plays a conversation between a customer and an agent in two headless browsers, and writes
``docs/images/``. Needs chromium and chromium-driver.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

IMAGES = Path(__file__).parent / "images"
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
    "--disable-sync --no-first-run"
)


def window(stack: ExitStack, width: int, height: int, *, dark: bool = False) -> webdriver.Chrome:
    """Open a browser of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    profile = stack.enter_context(tempfile.TemporaryDirectory())
    for flag in [*FLAGS.split(), f"--window-size={width},{height}", f"--user-data-dir={profile}", "--hide-scrollbars"]:
        options.add_argument(flag)
    if dark:
        options.add_argument("--force-dark-mode")
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    stack.callback(driver.quit)
    return driver


def find(driver: webdriver.Chrome, testid: str, text: str = "") -> WebElement:
    """Wait for an element that shows ``text``."""

    def look(_: webdriver.Chrome) -> WebElement | bool:
        for element in driver.find_elements(By.CSS_SELECTOR, f'[data-testid="{testid}"]'):
            if element.is_displayed() and text in element.text:
                return element
        return False

    found = WebDriverWait(driver, 20).until(look, f"{testid} {text!r}")
    assert isinstance(found, WebElement)
    return found


def say(customer: webdriver.Chrome, text: str) -> None:
    """Write as the customer."""
    find(customer, "chat-input").send_keys(text)
    find(customer, "chat-send").click()
    find(customer, "chat-message", text)


def demo(stack: ExitStack) -> dict[str, str]:
    """Start the demo; return its two addresses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "hitl_core.cli", "demo", "--port", str(port)]
    process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))  # noqa: S603 - our own
    stack.callback(process.send_signal, signal.SIGINT)
    urls: dict[str, str] = {}
    assert process.stdout is not None
    while len(urls) < 2:
        name, _, url = process.stdout.readline().strip().partition(": ")
        if url.startswith("http"):
            urls[name] = url
    return urls


def play(stack: ExitStack) -> None:
    """Play the conversation and take the pictures."""
    urls = demo(stack)
    customer, agent = window(stack, 460, 900), window(stack, 1360, 860)
    customer.get(urls["Customer chat"])
    say(customer, "Hello! What are your opening hours?")
    say(customer, "And how do I get a refund for a lamp that arrived broken?")
    say(customer, "/human")
    agent.get(urls["Agent inbox"])
    find(agent, "view-unassigned").click()
    find(agent, "ticket-row").click()
    find(agent, "assign-me").click()
    find(customer, "chat-message", "joined")
    find(agent, "mode-note").click()
    find(agent, "composer-text").send_keys("Second broken lamp this week: tell the warehouse.")
    find(agent, "composer-send").click()
    find(agent, "message", "Second broken lamp")
    find(agent, "mode-reply").click()
    find(agent, "composer-text").send_keys(
        "I am sorry about your lamp. A new one leaves today, you need not return it."
    )
    find(agent, "composer-send").click()
    find(customer, "chat-message", "I am sorry")
    say(customer, "That is kind, thank you!")
    find(agent, "message", "That is kind")
    agent.save_screenshot(str(IMAGES / "inbox.png"))
    customer.save_screenshot(str(IMAGES / "chat.png"))


def main() -> None:
    """Write the pictures."""
    IMAGES.mkdir(exist_ok=True)
    with ExitStack() as stack:
        play(stack)
    print(f"wrote {', '.join(sorted(path.name for path in IMAGES.glob('*.png')))}")


if __name__ == "__main__":
    main()
