"""Without django-helpdesk there is nothing to test: told to people, and a failure in CI."""

from __future__ import annotations

import importlib.util
import os

import pytest


def test_django_helpdesk_is_installed() -> None:
    if importlib.util.find_spec("helpdesk") is None:
        message = (
            "django-helpdesk is not installed, no test of the example was run; `uv sync --group examples` brings it"
        )
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
