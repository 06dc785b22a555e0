"""A rendered package in a folder, and the programs that look at it."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from hitl_core.cli.new_provider import render

ROOT = Path(__file__).parents[2]


@pytest.fixture
def written(tmp_path):
    """Render a package and write it."""

    def write(name="acme", **more):
        folder = tmp_path / f"hitl-{name}"
        for path, text in render(name, **more).items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
        return folder

    return write


@pytest.fixture
def program():
    """Find a program beside Python or on the path; without it the test is skipped here, and fails in CI."""

    def find(name):
        beside = Path(sys.executable).parent / name
        found = str(beside) if beside.exists() else shutil.which(name)
        if found is None:
            mend = "pip install uv" if name == "uv" else "uv sync --group lint"
            say = f"{name} is not installed ({mend}), so what authors will do with a new package is NOT tested"
            if os.environ.get("CI"):
                pytest.fail(say)
            pytest.skip(say)
        return found

    return find


@pytest.fixture
def clean_environment():
    """What a child process may see: nothing of this run's pytest or paths."""
    hidden = ("PYTHONPATH", "PYTEST_", "VIRTUAL_ENV", "UV_PROJECT", "COVERAGE_", "COV_", "HITL_")
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
