"""Real browsers against real servers."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

from .driving import find_chromium, running_demo, window


@pytest.fixture(scope="session")
def chromium():
    """Find the browser; without one skip loudly, or fail where a skip would hide a broken set-up."""
    found = find_chromium()
    if found is not None:
        return found
    message = "NO CHROMIUM FOUND: the browser tests did not run. Install chromium and chromium-driver."
    if os.environ.get("CI"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture
def browser(chromium, tmp_path):
    """Open windows, each a browser of its own."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(window(chromium, tmp_path / name))


@pytest.fixture
def demo(tmp_path):
    """Run the demo with its data in a directory of the test."""
    with running_demo("--data", str(tmp_path / "desk")) as urls:
        yield urls
