"""Driving the running product: the demo as a newcomer starts it, and headless browsers on its pages."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from hitl_core.testing.simulator import Simulator, serving

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
    "--hide-scrollbars",
)

OUTSIDE = """
    const wide = document.documentElement.clientWidth;
    const shown = (element) => !element.closest('.sr-only, .table-scroll, svg') && element.getClientRects().length > 0;
    const elements = [...document.querySelectorAll('body *')].filter(shown);
    const outside = elements.filter((element) => element.getBoundingClientRect().right > wide + 1);
    return [document.documentElement.scrollWidth - wide, outside.map((element) => element.outerHTML.slice(0, 80))];
"""
"""A script that says by how much the page is too wide, and what is outside of it."""


def find_chromium() -> tuple[str, str] | None:
    """Return browser and driver, or ``None`` when one is missing."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


class Page:
    """One browser window, its elements found by ``data-testid``."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get(url)

    def resize(self, width: int, height: int) -> None:
        """Lay the page out for another screen, also for one narrower than the browser's own window can be."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page; one that returns a promise is waited for."""
        return self.driver.execute_script(script, *arguments)

    def all(self, testid: str, **data: str) -> list[Any]:
        attributes = "".join(f'[data-{name}="{value}"]' for name, value in data.items())
        return self.driver.find_elements(By.CSS_SELECTOR, f'[data-testid="{testid}"]{attributes}')

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait for something to be so; an element the page draws anew meanwhile is looked up again."""
        wait = WebDriverWait(self.driver, PATIENCE, 0.05, ignored_exceptions=[StaleElementReferenceException])
        return wait.until(lambda _: condition(), f"waited for {what}")

    def one(self, testid: str, **data: str) -> Any:
        return self.until(
            lambda: next((found for found in self.all(testid, **data) if found.is_displayed()), None),
            f"{testid} {data or ''}",
        )

    def click(self, testid: str, **data: str) -> None:
        def clicked() -> bool:
            for found in self.all(testid, **data):
                if found.is_displayed() and found.is_enabled():
                    found.click()
                    return True
            return False

        self.until(clicked, f"{testid} {data or ''} to be clicked")

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


@contextmanager
def window(chromium: tuple[str, str], profile: Path, *, width: int = 1360, height: int = 860) -> Iterator[Page]:
    """Open a browser of its own, with an empty profile."""
    binary, driver = chromium
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--window-size={width},{height}", f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield Page(opened)
    finally:
        opened.quit()


@contextmanager
def running_demo(*options: str) -> Iterator[dict[str, str]]:
    """Run ``hitl demo``; give the two addresses it prints; end it by Ctrl-C, which it must take well."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "hitl_core.cli", "demo", "--port", str(port), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            urls: dict[str, str] = {}
            while len(urls) < 2:
                line = process.stdout.readline()
                assert line, f"the demo ended early: {process.communicate()[1]}"
                name, colon, url = line.strip().partition(": ")
                if colon and url.startswith("http"):
                    urls[name] = url
            yield urls
        finally:
            process.send_signal(signal.SIGINT)
            errors = process.communicate(timeout=15)[1]
    assert (process.returncode, "Traceback" in errors) == (0, False), errors


class Served:
    """A simulator on a port, in a thread of its own.

    :param url: where it is.
    """

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self._loop = loop

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Let something happen at the helpdesk."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)


@contextmanager
def served(simulator: Simulator) -> Iterator[Served]:
    """Serve a simulator while browsers, which block, look at it."""
    up, down, found = threading.Event(), asyncio.Event(), []

    async def serve() -> None:
        async with serving(simulator) as url:
            found.append(Served(url, asyncio.get_running_loop()))
            up.set()
            await down.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert up.wait(PATIENCE)
        yield found[0]
    finally:
        found[0]._loop.call_soon_threadsafe(down.set)
        thread.join(PATIENCE)
