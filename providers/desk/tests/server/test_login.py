"""Agents at the door: passwords, links, sessions, forged requests, and guessing."""

import re

import httpx
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from hitl_desk.server import ServerSettings, create_agent, create_app, create_login_link, tables

from hitl_core.errors import ConfigurationError

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"


@pytest.fixture
async def door(app, tools):
    """A browser without a session, in front of a desk with one agent who has a password."""
    await create_agent(app.state.desk, email="Ada@Desk.example", name="Ada", password=PASSWORD)
    async with tools.Client(app) as client:
        yield client


async def form(client):
    page = await client.get("/inbox/login")
    return re.search(r"value='([^']+)'", page.text)[1]


async def log_in(client, email="ada@desk.example", password=PASSWORD, **headers):
    fields = {"email": email, "password": password, "csrf": await form(client)}
    return await client.post("/inbox/login", data=fields, headers=headers)


async def test_an_agent_logs_in_by_password_and_out_again(door, desk):
    assert (await door.get("/inbox")).headers["location"] == "/inbox/login"
    assert (await door.get("/inbox/api/me")).status_code == 401
    entered = await log_in(door, " ADA@desk.example ")
    assert (entered.status_code, entered.headers["location"]) == (303, "/inbox")
    cookie = next(value for value in entered.headers.get_list("set-cookie") if "session" in value)
    assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/inbox"))
    assert (await door.get("/inbox")).status_code == 200
    assert (await door.get("/inbox/login")).headers["location"] == "/inbox"
    me = (await door.get("/inbox/api/me")).json()
    assert me["agent"]["name"] == "Ada"
    kept = door.cookies["hitl_desk_session"]
    out = await door.post("/inbox/logout", headers={"X-CSRF-Token": me["csrf"]})
    assert out.headers["location"] == "/inbox/login"
    assert "hitl_desk_session" not in door.cookies
    door.cookies.set("hitl_desk_session", kept, domain="desk.example", path="/inbox")
    assert (await door.get("/inbox/api/me")).status_code == 401, "a session that was closed stays closed"
    async with desk.read() as conn:
        assert (await conn.execute(sa.select(sa.func.count()).select_from(tables.sessions))).scalar() == 0


async def test_plain_http_gets_a_cookie_it_can_use(tmp_path, pages, tools):
    app = create_app(ServerSettings(data_dir=tmp_path, public_url="http://127.0.0.1:1"), static=pages)
    async with app.state.desk as desk, tools.Client(app) as client:
        agent = await create_agent(desk, email="ada@desk.example", name="Ada")
        entered = await client.get((await create_login_link(desk, agent["id"])).removeprefix("http://127.0.0.1:1"))
    assert "Secure" not in entered.headers["set-cookie"]


async def test_logging_in_again_replaces_the_session(door, desk):
    await log_in(door)
    first = door.cookies["hitl_desk_session"]
    csrf = (await door.get("/inbox/api/me")).json()["csrf"]
    link = await create_login_link(desk, (await door.get("/inbox/api/me")).json()["agent"]["id"])
    await door.get(link)
    assert door.cookies["hitl_desk_session"] != first
    assert (await door.get("/inbox/api/me")).json()["csrf"] != csrf
    async with desk.read() as conn:
        assert (await conn.execute(sa.select(sa.func.count()).select_from(tables.sessions))).scalar() == 1


@pytest.mark.parametrize(
    ("email", "password"), [("ada@desk.example", "wrong"), ("nobody@desk.example", PASSWORD), ("", "")]
)
async def test_wrong_credentials_look_the_same_whoever_they_name(door, email, password):
    answer = await log_in(door, email, password)
    assert (answer.status_code, answer.json()["code"]) == (401, "wrong_credentials")
    in_browser = await log_in(door, email, password, accept="text/html,*/*")
    assert in_browser.headers["location"] == "/inbox/login?error=credentials"
    assert "hitl_desk_session" not in door.cookies


async def test_an_unknown_address_costs_as_much_as_a_wrong_password(door, desk, hasher):
    await create_agent(desk, email="linked@desk.example", name="Enters by links only")
    for email in ("ada@desk.example", "nobody@desk.example", "linked@desk.example"):
        hasher.checked.clear()
        assert (await log_in(door, email, "wrong")).status_code == 401
        (checked,) = hasher.checked
        assert checked.rpartition("$")[0].rpartition("$")[0] == "$argon2id$v=19$m=8,t=1,p=1", "at the same cost"


async def test_a_password_hashed_at_another_cost_is_hashed_anew_when_it_is_used(door, desk):
    async with desk.write() as unit:
        old = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
        await unit.conn.execute(sa.update(tables.agents).values(password_hash=old))
    assert (await log_in(door)).status_code == 303
    async with desk.read() as conn:
        assert "m=8,t=1" in (await conn.execute(sa.select(tables.agents.c.password_hash))).scalar()


async def test_guessing_is_slowed_per_address_and_per_email(door, clock):
    for _ in range(5):
        assert (await log_in(door, password="wrong")).status_code == 401
    refused = await log_in(door)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attempts")
    assert refused.headers["retry-after"] == "901"
    in_browser = await log_in(door, accept="text/html")
    assert in_browser.headers["location"] == "/inbox/login?error=attempts"
    for n in range(30 - 7):
        assert (await log_in(door, f"guess{n}@desk.example")).status_code == 401
    assert (await log_in(door, "another@desk.example")).status_code == 429, "the address is slowed, whoever it tries"
    clock.advance(901)
    assert (await log_in(door)).status_code == 303


async def test_a_success_forgets_the_failures_before(door):
    for _ in range(3):
        for _ in range(4):
            assert (await log_in(door, password="wrong")).status_code == 401
        assert (await log_in(door)).status_code == 303
        door.cookies.clear()


async def test_a_login_form_from_elsewhere_is_refused(door):
    token = await form(door)
    fields = {"email": "ada@desk.example", "password": PASSWORD}
    for csrf in ("", "forged", token[:-1]):
        answer = await door.post("/inbox/login", data=fields | {"csrf": csrf})
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
    door.cookies.clear()
    assert (await door.post("/inbox/login", data=fields | {"csrf": token})).status_code == 403
    door.cookies.set("hitl_desk_login", "forged", domain="desk.example", path="/inbox")
    assert (await door.post("/inbox/login", data=fields | {"csrf": "forged"})).status_code == 403


async def test_every_change_needs_the_sessions_token(app, agent, open_ticket):
    """Each route of the inbox that is not a GET, found in the application itself."""
    ticket = await open_ticket()
    token = agent.headers.pop("X-CSRF-Token")
    changing = [
        (method, context.path)
        for context in _routes(app)
        for method in sorted(context.methods - {"GET", "HEAD"})
        if context.path.startswith("/inbox/api/")
    ]
    assert len(changing) >= 12
    for method, template in changing:
        path = re.sub(r"{\w+}", ticket["id"], template)
        for headers in ({}, {"X-CSRF-Token": "forged"}, {"X-CSRF-Token": "forgäd".encode()}):
            answer = await agent.request(method, path, json={}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "csrf"), (method, template)
    assert (await agent.post("/inbox/logout")).status_code == 403
    assert (await agent.get("/inbox/api/me")).json()["csrf"] == token


def _routes(app):
    """Every route that has methods, also those behind included routers."""
    found = []
    pending = list(app.routes)
    while pending:
        route = pending.pop()
        if getattr(route, "methods", None):
            found.append(route)
        inner = getattr(route, "original_router", None)
        pending += inner.routes if inner is not None else ()
    return found


async def test_without_a_session_the_inbox_says_nothing(app, tools, open_ticket):
    ticket = await open_ticket()
    async with tools.Client(app) as stranger:
        for context in _routes(app):
            if context.path.startswith("/inbox/api/"):
                path = re.sub(r"{\w+}", ticket["id"], context.path)
                for method in context.methods:
                    answer = await stranger.request(method, path)
                    assert answer.status_code == 401, (method, path)


async def test_a_link_lets_its_agent_in_once_within_ten_minutes(app, desk, clock, tools):
    agent = await create_agent(desk, email="ada@desk.example", name="Ada")
    link = await create_login_link(desk, agent["id"])
    async with tools.Client(app) as first, tools.Client(app) as second:
        assert (await first.get(link)).headers["location"] == "/inbox"
        assert (await second.get(link)).headers["location"] == "/inbox/login?error=link"
        late = await create_login_link(desk, agent["id"])
        clock.advance(601)
        assert (await second.get(late)).headers["location"] == "/inbox/login?error=link"
        assert (await second.get("/inbox/enter")).headers["location"] == "/inbox/login?error=link"
        assert (await second.get("/inbox/api/me")).status_code == 401
        assert (await first.get("/inbox/api/me")).json()["agent"]["id"] == agent["id"]


async def test_a_session_ends_after_a_day_of_rest_and_after_a_week_at_the_latest(agent, clock):
    for _ in range(7):
        clock.advance(86_000)
        assert (await agent.get("/inbox/api/me")).status_code == 200
    clock.advance(3_000)
    assert (await agent.get("/inbox/api/me")).status_code == 401


async def test_a_session_unused_for_a_day_is_over(agent, clock):
    clock.advance(86_401)
    assert (await agent.get("/inbox/api/me")).status_code == 401


async def test_a_new_password_ends_the_sessions_of_the_old_one(door, desk):
    await log_in(door)
    await create_agent(desk, email="ada@desk.example", name="Ada", password="another password")
    assert (await door.get("/inbox/api/me")).status_code == 401
    assert (await log_in(door)).status_code == 401
    assert (await log_in(door, password="another password")).status_code == 303


async def test_logging_out_ends_the_open_inbox(agent, tools):
    stream = agent.live("/inbox/api/stream")
    await tools.eventually(lambda: stream.text)
    await agent.post("/inbox/logout")
    await tools.eventually(stream.task.done)


async def test_a_password_is_stored_as_argon2_alone(door, desk):
    async with desk.read() as conn:
        (row,) = (await conn.execute(sa.select(tables.agents))).all()
    assert row.password_hash.startswith("$argon2id$")
    assert PASSWORD not in str(row)
    assert row.email == "ada@desk.example"


@pytest.mark.parametrize(
    ("email", "name", "password"),
    [("ada", "Ada", None), ("a@b", " ", None), ("a@b", "Ada", "short"), ("a@b\n", "Ada", None)],
)
async def test_an_agent_that_will_not_do_is_refused(desk, email, name, password):
    with pytest.raises(ConfigurationError):
        await create_agent(desk, email=email, name=name, password=password)


async def test_pages_come_with_a_strict_policy(door):
    page = await door.get("/inbox/login")
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    script = await door.get("/inbox/static/app.js")
    assert (script.status_code, script.headers["cache-control"]) == (200, "no-cache")
    again = await door.get("/inbox/static/app.js", headers={"If-None-Match": script.headers["etag"]})
    assert again.status_code == 304
    for path in ("/inbox/static/nothing.js", "/inbox/static/../settings.py", "/inbox/static/%2e%2e/settings.py"):
        missing = await door.get(path)
        assert missing.status_code == 404
    assert isinstance(missing, httpx.Response)
    assert (await door.get("/")).headers["location"] == "/inbox"
