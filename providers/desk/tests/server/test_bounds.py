"""Bad input: whatever is sent, the answer is a problem that says what is wrong, and never a 5xx."""

import json

import pytest
from hitl_desk.server.problems import MEDIA_TYPE
from hitl_desk.server.settings import MIB

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}


def assert_problem(answer, status, code):
    body = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code), body
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert body["type"] == f"urn:hitl-desk:problem:{code}"
    assert body["title"]
    assert body["detail"]


@pytest.fixture
async def path(open_ticket):
    return f"/v1/tickets/{(await open_ticket())['id']}/messages"


def message(text):
    return f'{{"author": {{"role": "customer"}}, "message": {{"type": "text", "text": {text}}}}}'.encode()


UNREADABLE = [b"{", b"\xff\xfe", b'"\xed\xa0\x80"', message('"').replace(b'"}}', b""), b"{'a': 1}"]
UNSTORABLE = [
    b"",
    message('"\\u0000"'),
    message('"\\ud83d"'),
    message("NaN"),
    message("-Infinity"),
    message("1e999"),
    message("9" * 30),
    message("9" * 5000),
    b'{"a":' * 70 + b"1" + b"}" * 70,
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b"null",
    b"[]",
    b'{"\\u0000": 1}',
]


async def test_a_body_that_cannot_be_read_or_stored_is_refused(bot, path):
    for body in UNREADABLE:
        assert_problem(await bot.post(path, content=body, headers=JSON), 400, "malformed_json")
    for body in UNSTORABLE:
        assert_problem(await bot.post(path, content=body, headers=JSON), 422, "invalid_request")


async def test_emoji_and_escaped_pairs_are_welcome(bot, path):
    answer = await bot.post(path, content=message('"\\ud83d\\ude42 🙂 \\u0001"'), headers=JSON)
    assert answer.json()["message"]["text"] == "🙂 🙂 \x01"


async def test_a_rule_broken_is_named_with_its_place(bot, path):
    broken = [
        ({"message": {"type": "text", "text": "x" * 65_537}}, "body.message"),
        ({"message": {"type": "text", "text": ""}}, "body.message.text.text"),
        ({"message": {"type": "hologram"}}, "body.message"),
        ({"message": {"text": "no type"}}, "body.message"),
        ({"message": {"type": "image"}}, "body.message.image"),
        ({"author": {"role": "agent"}}, "body.author.role"),
        ({"visibility": "secret"}, "body.visibility"),
        ({"client_ref": "x" * 256}, "body.client_ref"),
    ]
    for fields, location in broken:
        body = {"author": {"role": "customer"}, "message": {"type": "text", "text": "x"}} | fields
        answer = await bot.post(path, json=body)
        assert_problem(answer, 422, "invalid_request")
        assert answer.json()["errors"][0]["location"] == location


async def test_an_over_long_text_is_told_the_limit(bot, path, says):
    answer = await bot.post(path, json=says("x" * 65_537))
    assert "65,536" in answer.json()["detail"]
    assert (await bot.post(path, json=says("🙂" * 65_536))).status_code == 201


async def test_an_unknown_kind_of_message_is_told_those_there_are(bot, path):
    body = {"author": {"role": "bot"}, "message": {"type": "hologram" * 100}}
    detail = (await bot.post(path, json=body)).json()["detail"]
    assert len(detail) < 500


async def test_a_ticket_keeps_to_its_bounds(bot, open_ticket):
    said = {"author": {"role": "user"}, "message": {"type": "text", "text": "x"}}
    broken = [
        {"title": "x" * 256},
        {"priority": "asap"},
        {"tags": ["x"] * 51},
        {"tags": [""]},
        {"metadata": {"x": "y" * 70_000}},
        {"transcript": [said] * 2001},
        {"transcript": [said | {"message": {"type": "text", "text": "x" * 65_537}}]},
        {"transcript": [said | {"sent_at": "noon"}]},
        {"customer_id": "cus_nobody"},
        {"customer_id": None},
    ]
    ticket = await open_ticket()
    for fields in broken:
        answer = await bot.post("/v1/tickets", json={"customer_id": ticket["customer"]["id"]} | fields)
        assert answer.status_code == 422, fields.keys()
        assert answer.json()["errors"][0]["location"].startswith(f"body.{next(iter(fields))}")


async def test_a_long_conversation_fits(bot, open_ticket):
    entry = {"author": {"role": "user"}, "message": {"type": "text", "text": "x" * 2000}}
    ticket = await open_ticket(transcript=[entry] * 2000)
    assert ticket["category"] == "triage"


async def test_a_body_over_its_limit_is_refused_with_and_without_an_announced_length(bot, path, open_ticket):
    async def pieces(size):
        for _ in range(size // 65_536 + 1):
            yield b" " * 65_536

    ticket = (await open_ticket())["customer"]["id"]
    for url, limit in ((path, MIB), ("/v1/tickets", 5 * MIB), ("/v1/customers/u", MIB)):
        method = "PUT" if "customers" in url else "POST"
        announced = await bot.request(method, url, content=b" " * (limit + 1), headers=JSON)
        unknown = await bot.request(method, url, content=pieces(limit), headers=JSON)
        for answer in (announced, unknown):
            assert_problem(answer, 413, "too_large")
        assert f"{limit // 1024:,} KiB" in announced.json()["detail"]
    padded = json.dumps({"customer_id": ticket}).encode().ljust(2 * MIB)
    assert (await bot.post("/v1/tickets", content=padded, headers=JSON)).status_code == 201


CALLS = [
    ("GET", "/v1/nothing", 404),
    ("GET", "/nothing", 404),
    ("GET", "/v1/tickets/", 404),
    ("PATCH", "/v1/tickets", 405),
    ("DELETE", "/v1/bot", 405),
    ("GET", "/v1/tickets/tkt_nothing", 404),
    ("GET", "/v1/tickets/%00", 422),
    ("GET", "/v1/tickets/" + "x" * 65, 422),
    ("GET", "/v1/tickets/a%20b", 422),
    ("GET", "/v1/tickets", 422),
    ("GET", "/v1/tickets?external_id=%00", 422),
    ("GET", "/v1/tickets?external_id=%ed%a0%80", 200),
    ("GET", "/v1/tickets?external_id=x&limit=0", 422),
    ("GET", "/v1/tickets?external_id=x&limit=99999999999999999999", 422),
    ("GET", "/v1/events?after=nonsense", 422),
    ("GET", "/v1/events?after=ffff.abcdef", 400),
    ("GET", "/v1/events?types=ticket.exploded", 422),
    ("GET", "/v1/events?wait=nan", 422),
    ("GET", "/v1/events?wait=-1", 422),
    ("GET", "/v1/events?ticket=tkt_nothing", 404),
    ("GET", "/v1/stream?after=ffff.abcdef", 400),
    ("PUT", "/v1/customers/", 422),
    ("PUT", "/v1/customers/%00", 422),
    ("PUT", "/v1/customers/" + "x" * 256, 422),
    ("GET", "/v1/attachments/att_nothing", 404),
    ("POST", "/v1/attachments", 422),
    ("DELETE", "/v1/webhook-endpoints/nothing", 404),
    ("PUT", "/v1/webhook-endpoints/a b", 422),
    ("POST", "/v1/webhook-endpoints/nothing/test", 404),
]


async def test_addresses_and_parameters_are_checked(bot):
    for method, path, status in CALLS:
        answer = await bot.request(method, path, **({"json": {}} if method == "PUT" else {}))
        assert answer.status_code == status, (method, path, answer.text)
        if status >= 400:
            assert answer.headers["content-type"] == MEDIA_TYPE
            assert set(answer.json()) >= {"type", "title", "status", "detail", "code"}


URLS = [
    "http://bot.example/hook", "https://127.0.0.1/", "https://10.0.0.1/", "https://[::1]/", "https://169.254.169.254/",
    "https://user:word@bot.example/", "ftp://bot.example/", "https://", "https://bot.example/\\u0000", "nonsense",
]  # fmt: skip


async def test_a_webhook_url_that_must_not_be_posted_to_is_refused(bot):
    for url in URLS:
        answer = await bot.put("/v1/webhook-endpoints/main", json={"url": url})
        assert answer.status_code == 422, url
        assert "word" not in answer.text.replace("password", "")
    assert (await bot.get("/v1/webhook-endpoints")).json() == {"endpoints": []}


async def test_the_inbox_checks_what_its_page_sends(agent, open_ticket):
    ticket = await open_ticket()
    broken = [
        ("messages", {"text": " "}),
        ("messages", {"text": "x" * 65_537}),
        ("messages", {"text": "x", "kind": "shout"}),
        ("assign", {}),
        ("close", {"reason": "Not A Word"}),
        ("priority", {"priority": "asap"}),
        ("read", {"seq": -1}),
        ("read", {"seq": 2**40}),
        ("typing", {}),
    ]
    for path, body in broken:
        answer = await agent.post(f"/inbox/api/tickets/{ticket['id']}/{path}", json=body)
        assert_problem(answer, 422, "invalid_request")


async def test_the_inbox_knows_only_what_is_there(agent):
    for path in ("tickets/tkt_x", "attachments/att_x", "tickets?cursor=nonsense", "tickets?q=%00", "tickets?view=spam"):
        answer = await agent.get(f"/inbox/api/{path}")
        assert 400 <= answer.status_code < 500
        assert answer.headers["content-type"] == MEDIA_TYPE
    for path in ("assign", "close", "reopen", "priority", "read"):
        bodies = {"assign": {"agent_id": None}, "priority": {"priority": "low"}, "read": {"seq": 1}}
        assert (await agent.post(f"/inbox/api/tickets/tkt_x/{path}", json=bodies.get(path, {}))).status_code == 404
    assert (await agent.patch("/inbox/api/messages/msg_x", json={"text": "x"})).status_code == 404
    assert (await agent.post("/inbox/api/deliveries/evt_x.main/replay")).status_code == 404


async def test_an_error_of_ours_is_a_problem_too_and_names_no_cause(app, tools, bot, desk):
    async def rename(name, to):
        async with desk.write() as unit:
            await unit.conn.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {to}")

    broken = tools.Client(app, headers=bot.headers)
    broken._transport.raise_app_exceptions = False
    await rename("desk_tickets", "hidden")
    try:
        async with broken:
            answer = await broken.get("/v1/tickets/tkt_x")
    finally:
        await rename("hidden", "desk_tickets")
    assert answer.status_code in {500, 503}
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert "desk_tickets" not in answer.text
