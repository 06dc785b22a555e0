"""Where the package is, and what to do where django-helpdesk is not."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))  # the example is run from its source, not installed

if importlib.util.find_spec("helpdesk") is None:
    message = "django-helpdesk is not installed: `uv sync --group examples` brings it"
    if os.environ.get("CI"):
        raise pytest.UsageError(message)
    collect_ignore_glob = ["test_*.py"]

    def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.write_line(f"SKIPPED examples/hitl-django-helpdesk: {message}", yellow=True)
