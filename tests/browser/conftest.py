"""Real browsers against real servers."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

PATIENCE = 20
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--window-size=1360,860",
)


def find_chromium() -> tuple[str, str]:
    """Find browser and driver; without them skip loudly, or fail where a skip would hide a broken set-up."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if browser and driver:
        return browser, driver
    message = "NO CHROMIUM FOUND: the browser tests did not run. Install chromium and chromium-driver."
    if os.environ.get("CI"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


class Page:
    """One browser window, its elements found by ``data-testid``."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get(url)

    def all(self, testid: str, **data: str):
        attributes = "".join(f'[data-{name}="{value}"]' for name, value in data.items())
        return self.driver.find_elements(By.CSS_SELECTOR, f'[data-testid="{testid}"]{attributes}')

    def until(self, condition, what: str):
        def settled(_):
            from selenium.common.exceptions import StaleElementReferenceException

            try:
                return condition()
            except StaleElementReferenceException:
                return False  # the page drew it anew while we looked

        return WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05).until(settled, f"waited for {what}")

    def one(self, testid: str, **data: str):
        return self.until(
            lambda: next((found for found in self.all(testid, **data) if found.is_displayed()), None),
            f"{testid} {data or ''}",
        )

    def click(self, testid: str, **data: str) -> None:
        self.until(
            lambda: any(found.is_enabled() for found in self.all(testid, **data) if found.is_displayed()),
            f"{testid} to be enabled",
        )
        self.one(testid, **data).click()

    def type(self, testid: str, text: str) -> None:
        box = self.one(testid)
        box.clear()
        box.send_keys(text)

    def texts(self, testid: str, **data: str) -> list[str]:
        return [found.text for found in self.all(testid, **data)]

    def see(self, testid: str, text: str, **data: str) -> None:
        self.until(lambda: any(text in shown for shown in self.texts(testid, **data)), f"{text!r} in {testid} {data}")

    def problems(self) -> list[str]:
        """Return what the browser complained about: script errors, blocked content."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture(scope="session")
def chromium():
    return find_chromium()


@pytest.fixture
def browser(chromium, tmp_path):
    """Open windows, each a browser of its own with an empty profile."""
    binary, driver = chromium
    with ExitStack() as stack:

        def open_window(name: str) -> Page:
            options = webdriver.ChromeOptions()
            options.binary_location = binary
            for flag in FLAGS:
                options.add_argument(flag)
            options.add_argument(f"--user-data-dir={tmp_path / name}")
            options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
            window = webdriver.Chrome(options=options, service=Service(driver))
            stack.callback(window.quit)
            return Page(window)

        yield open_window


@pytest.fixture
def demo(tmp_path):
    """Run ``hitl demo`` as a newcomer does; give the two addresses it prints; end it by Ctrl-C."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "hitl_core.cli", "demo", "--port", str(port), "--data", str(tmp_path / "desk")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            urls: dict[str, str] = {}
            while len(urls) < 2:
                line = process.stdout.readline()
                if not line:
                    pytest.fail(f"the demo ended early: {process.stderr.read()}")
                name, colon, url = line.strip().partition(": ")
                if colon and url.startswith("http"):
                    urls[name] = url
            yield urls
        finally:
            process.send_signal(signal.SIGINT)
            errors = process.communicate(timeout=15)[1]
    assert process.returncode == 0
    assert "Traceback" not in errors
