"""``/_sim/agent``: the page is whole, strict about where things come from, and asks for nothing the API has not."""

import re
from pathlib import Path

import pytest

from hitl_core._http import HttpRequest
from hitl_core.testing import simulator as package
from hitl_core.testing.simulator import SimFile
from hitl_core.testing.simulator.catalog import VERBS

from .conftest import BASE_URL

pytestmark = pytest.mark.anyio

STATIC = Path(package.__file__).with_name("static")
SOURCES = {path.name: path.read_text("utf-8") for path in STATIC.iterdir()}
SCRIPTS = {name: text for name, text in SOURCES.items() if name.endswith(".js")}
TYPES = {"css": "text/css", "html": "text/html", "js": "text/javascript", "svg": "image/svg+xml"}
PARTS = sorted(set(SOURCES) - {"agent.html"})


@pytest.fixture
def get(transport):
    async def get(path, method="GET"):
        return await transport.send(
            HttpRequest(method, f"{BASE_URL}/_sim{path}", {}, b""), timeout=5, max_bytes=1_000_000
        )

    return get


def strict(answer):
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy.pop("default-src") == "'none'"
    assert {*policy} == {
        "script-src", "style-src", "img-src", "connect-src", "base-uri", "form-action", "frame-ancestors"
    }  # fmt: skip
    assert {source for sources in policy.values() for source in sources.split()} == {"'self'", "'none'", "blob:"}
    assert "blob:" not in policy["script-src"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_the_page_is_served_and_may_load_only_what_is_its_own(get):
    answer = await get("/agent")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    strict(answer)
    named = re.findall(r'(?:href|src)="(?!#)([^"]+)"', answer.text)
    assert named
    assert all(name.removeprefix("agent/static/") in PARTS for name in named)


@pytest.mark.parametrize("name", PARTS)
async def test_every_part_is_served_as_what_it_is(get, name):
    answer = await get(f"/agent/static/{name}")
    assert (answer.status, answer.text) == (200, SOURCES[name])
    assert answer.headers["content-type"].startswith(TYPES[name.rpartition(".")[2]])
    strict(answer)


def test_every_part_is_named_by_another():
    assert all(any(f"/{name}" in text for text in SOURCES.values()) for name in PARTS)


async def test_the_page_with_a_slash_leads_to_the_page(get):
    assert (await get("/agent/")).headers["location"] == f"{BASE_URL}/_sim/agent"


@pytest.mark.parametrize(
    "name", ["nope.js", "agent.html", "..%2Fbase.py", "%2E%2E", "../pages.py", "static/../../base.py"]
)
async def test_nothing_else_is_served(get, name):
    answer = await get(f"/agent/static/{name}")
    assert answer.status == 404
    assert answer.json()["error"]


async def test_the_page_is_only_read(get):
    assert (await get("/agent", "DELETE")).status == 405


@pytest.mark.parametrize("name", SCRIPTS)
def test_texts_are_never_read_as_markup_and_nothing_comes_from_elsewhere(name):
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "srcdoc"):
        assert way not in SCRIPTS[name]
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", SCRIPTS[name])


def test_the_page_has_no_script_and_no_style_inside():
    page = SOURCES["agent.html"]
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)


def test_every_verb_on_the_page_is_one_of_the_api():
    used = {verb for text in SCRIPTS.values() for verb in re.findall(r'(?:verb: |offers\(|act\()"(\w+)"', text)}
    assert used >= {"reply", "note", "attach", "assign", "unassign", "solve", "close", "reopen", "edit", "delete"}
    assert used <= set(VERBS)


async def test_sessions_are_listed_without_the_contents_of_files_where_that_is_asked(get, control, ticket):
    await control.attach(ticket, "See", [SimFile(name="a.bin", content=b"content")])
    [session] = (await get("/sessions?contents=no")).json()
    assert session["messages"][0]["files"] == [{"name": "a.bin", "content_type": "application/octet-stream"}]
    assert (await control.sessions())[0].messages[0].files[0].content == b"content"
