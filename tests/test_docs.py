"""What the documentation says runs, and what it names exists."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
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


def answer_as_an_agent(url, link):
    """Sign in by the link, take the only ticket and answer it."""
    with httpx.Client(base_url=url) as client:
        assert client.get(link).status_code == 303
        headers = {"X-CSRF-Token": client.get("/inbox/api/me").json()["csrf"]}
        (ticket,) = client.get("/inbox/api/tickets", params={"view": "unassigned"}).json()["tickets"]
        reply = {"kind": "reply", "text": "It is on its way.", "attachments": [], "client_ref": "r1"}
        client.post(f"/inbox/api/tickets/{ticket['id']}/messages", json=reply, headers=headers).raise_for_status()
        return lambda: client_view(url, client.cookies, ticket["id"])


def client_view(url, cookies, ticket):
    with httpx.Client(base_url=url, cookies=cookies) as client:
        return client.get(f"/inbox/api/tickets/{ticket}").json()


def test_the_library_example_of_the_readme_runs_as_it_stands(desk, tmp_path):
    (example,) = code_blocks(ROOT / "README.md", "python")
    lines = [line for line in example.splitlines() if line.strip() and not line.startswith(("import", "from"))]
    assert len(lines) <= 15
    url = desk["HITL_DESK_BASE_URL"]
    create = hitl("desk", "create-agent", "--email", "a@b.test", "--name", "Ada", "--link", "--public-url", url)
    link = subprocess.run([*create, "--data", tmp_path], capture_output=True, text=True, check=True).stdout.strip()
    program = [sys.executable, "-W", "error", "-c", example]
    with subprocess.Popen(
        program, env=os.environ | desk, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            assert running.stdout.readline().startswith(f"Now answer it in the inbox: {url}/inbox")
            see = answer_as_an_agent(url, link)
            assert running.communicate(timeout=30)[1] == ""
        finally:
            running.kill()
    assert running.returncode == 0
    seen = see()
    assert [message["message"]["text"] for message in seen["messages"] if message["kind"] == "message"] == [
        "It is on its way.",
        "Thank you!",
    ]
    assert seen["ticket"]["category"] == "closed"


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
