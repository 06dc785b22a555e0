"""What the chat refuses, and how it says so."""

import asyncio

import pytest
from hitl_desk.demo.store import Conversations, StoredFile

from hitl_core.testing import VirtualClock

from .conftest import running

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def demo(tmp_path_factory):
    """One demo for all: every test has a conversation of its own."""
    async with running(tmp_path_factory.mktemp("desk")) as made:
        yield made


@pytest.fixture
async def http(demo):
    """A browser that has its conversation."""
    client = await demo.http(base_url=demo.chat)
    (await client.get("api/conversation")).raise_for_status()
    return client


async def said(http):
    records = (await http.get("api/conversation")).json()["records"]
    return [record["data"] for record in records if record["data"]["role"] == "customer"]


@pytest.mark.parametrize(
    ("text", "status", "sentence"),
    [
        ("x" * 4001, 413, "The message has 4,001 characters; at most 4,000 fit. Shorten it."),
        ("   ", 422, "Write something first."),
        (None, 422, "Write something first."),
        ({"a": 1}, 422, "Write something first."),
        ("x" * 70_000, 413, "The message is too long. Shorten it."),
    ],
)
async def test_a_message_out_of_bounds_gets_a_sentence(http, text, status, sentence):
    answer = await http.post("api/messages", json={"text": text})
    assert (answer.status_code, answer.json()) == (status, {"error": sentence})
    assert await said(http) == []


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 60_000, b"7"])
async def test_what_is_no_message_gets_a_sentence(http, body):
    answer = await http.post("api/messages", content=body)
    assert answer.status_code in {400, 422}
    assert answer.json()["error"]


async def test_the_longest_message_and_odd_characters_arrive(demo, http):
    agent = await demo.agent()
    (await http.post("api/messages", json={"text": "/human"})).raise_for_status()
    ticket = await agent.newest()
    longest = "🪔" * 4000
    (await http.post("api/messages", json={"text": longest})).raise_for_status()
    raw = b'{"text": "half \\ud83e pair and NUL \\u0000 end"}'
    (await http.post("api/messages", content=raw)).raise_for_status()
    await agent.sees(ticket, "pair and NUL")
    assert longest in str(await agent.ticket(ticket))


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", 415),
        (b"%PDF-1.7", 415),
        (b"", 415),
        (b"\x89PNG\r\n\x1a\n" + b"x" * (5 * 1024 * 1024), 413),
    ],
)
async def test_only_pictures_of_a_bearable_size_are_taken_whatever_they_call_themselves(http, content, status):
    answer = await http.post("api/files", content=content, headers={"content-type": "image/png"})
    assert answer.status_code == status
    assert "picture" in answer.json()["error"].lower()
    assert await said(http) == []


async def test_a_pictures_name_cannot_lead_elsewhere(http):
    png = b"\x89PNG\r\n\x1a\n"
    headers = {"x-file-name": "..%2F..%2Fetc%2Fpasswd%0d%0aX:1"}
    (await http.post("api/files", content=png, headers=headers)).raise_for_status()
    [entry] = await said(http)
    assert entry["parts"][0]["name"] == "....etcpasswdX:1"


async def test_too_much_at_once_is_refused_for_a_while(http):
    answers = [await http.post("api/messages", json={"text": "hello"}) for _ in range(25)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) == 5
    assert "Please wait" in refused[0].json()["error"]
    assert int(refused[0].headers["retry-after"]) > 0


@pytest.mark.parametrize("path", ["api/messages", "api/files", "api/end", "api/new", "api/typing"])
async def test_another_sites_page_cannot_use_the_cookie(http, path):
    answer = await http.post(path, json={"text": "forged"}, headers={"origin": "http://127.0.0.1:1"})
    assert answer.status_code == 403
    assert await said(http) == []


async def test_the_cookie_is_a_secret_of_its_own_and_out_of_reach_of_scripts(demo):
    client = await demo.http(base_url=demo.chat)
    answer = await client.get("api/conversation")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/chat" in cookie
    token = cookie.partition("=")[2].partition(";")[0]
    assert len(token) >= 32
    assert token not in answer.text


@pytest.mark.parametrize("path", ["api/stream", "api/media/1/0"])
async def test_without_a_conversation_there_is_nothing_to_read(demo, path):
    client = await demo.http(base_url=demo.chat)
    answer = await client.get(path)
    assert answer.status_code == 404
    assert "Reload" in answer.json()["error"]


@pytest.mark.parametrize("path", ["api/media/1/0", "api/media/99/0", "api/media/1/7", "files/none", "api/none"])
async def test_what_is_not_there_is_not_found(http, path):
    assert (await http.get(path)).status_code == 404


async def test_a_forged_webhook_is_refused(demo, http):
    answer = await http.post("webhooks/desk", content=b"{}", headers={"webhook-id": "x"})
    assert answer.status_code == 401
    large = await http.post("webhooks/desk", content=b"x" * (2 * 1024 * 1024 + 1))
    assert large.status_code == 413


async def test_the_page_loads_nothing_from_elsewhere_and_runs_no_inline_script(demo, http):
    page = await http.get("")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "//" not in page.text.replace("<!doctype", "")
    for name in ("chat.js", "messages.js", "dom.js", "api.js"):
        script = (await http.get(f"static/{name}")).raise_for_status().text
        assert "innerHTML" not in script
        assert "insertAdjacentHTML" not in script


async def test_too_many_tabs_are_refused(http):
    streams = [http.stream("GET", "api/stream") for _ in range(8)]
    try:
        opened = [await stream.__aenter__() for stream in streams]
        for answer in opened:
            await anext(answer.aiter_lines())
        assert (await http.get("api/stream")).status_code == 429
    finally:
        for stream in streams:
            await stream.__aexit__(None, None, None)


def test_conversations_and_files_are_bounded():
    conversations = Conversations(VirtualClock())
    first, _ = conversations.create()
    for _ in range(500):
        conversations.create()
    assert conversations.by_token(first) is None
    names = [conversations.keep_file(StoredFile(b"x" * (5 * 1024 * 1024), "image/png", "x")) for _ in range(14)]
    assert conversations.file(names[0]) is None
    assert conversations.file(names[-1]) is not None


async def test_a_conversation_in_use_is_not_the_one_forgotten():
    conversations = Conversations(VirtualClock())
    token, conversation = conversations.create()
    for _ in range(499):
        conversations.create()
    assert conversations.by_token(token) is conversation
    with conversation.reading() as changed:
        conversations.create()
        await asyncio.sleep(0)
        assert conversations.by_id(conversation.id) is conversation
        assert not changed.is_set()
