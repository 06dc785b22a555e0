"""What the documentation says runs, and what it names exists."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hitl_core import spec

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md"), *ROOT.glob("providers/*/*.md")]
)


def hitl(*args):
    return [sys.executable, "-m", "hitl_core.cli", *map(str, args)]


@pytest.fixture
def desk(tmp_path):
    """Serve a desk and connect a bot, by the commands a user has; give the settings as variables."""
    with subprocess.Popen(
        hitl("desk", "serve", "--port", 0, "--data", tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            name, _, url = server.stdout.readline().strip().partition(": ")
            assert name == "Agent inbox", server.stderr.read()
            create = hitl("desk", "create-bot", "--name", "Shop bot", "--data", tmp_path)
            token = subprocess.run(create, capture_output=True, text=True, check=True).stdout.strip()
            yield {"HITL_DESK_BASE_URL": url.removesuffix("/inbox"), "HITL_DESK_TOKEN": token}
        finally:
            server.send_signal(signal.SIGINT)
            errors = server.communicate(timeout=20)[1]
    assert (server.returncode, errors) == (0, "")


def code_blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)


def test_the_library_example_of_the_readme_runs_as_it_stands(desk):
    (example,) = code_blocks(ROOT / "README.md", "python")
    lines = [line for line in example.splitlines() if line.strip() and not line.startswith(("import", "from"))]
    assert len(lines) <= 15
    environment = os.environ | desk | {"PATIENCE": "0"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")


def test_the_readme_begins_with_the_commands_a_newcomer_needs():
    (commands, *_) = code_blocks(ROOT / "README.md", "console")
    assert [line.split("#")[0].strip() for line in commands.splitlines()] == [
        "$ pip install uv",
        "$ uv run hitl demo",
        "$ uv run pytest",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_page_on_vendors_walks_every_hook():
    text = (ROOT / "docs" / "how-vendors-map.md").read_text("utf-8")
    hooks = [
        *spec.REQUIRED_HOOKS,
        *spec.OPTIONAL_HOOKS,
        *(hook for hooks in spec.CAPABILITY_HOOKS.values() for hook in hooks),
    ]
    assert [hook for hook in hooks if f"`{hook}`" not in text] == []


def test_the_published_protocol_is_the_one_that_is_served():
    """When this fails: ``python -m hitl_desk.server.openapi docs/desk-openapi.json``."""
    from hitl_desk.server.openapi import document

    assert (ROOT / "docs" / "desk-openapi.json").read_text("utf-8") == document()
