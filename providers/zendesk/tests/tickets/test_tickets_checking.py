"""``hitl check`` looks at all a hand-off needs, and says of each thing that is missing how to mend it (F42)."""

import pytest
from hitl_zendesk.deliveries import SUBSCRIPTIONS, TEST_SECRET

from hitl_core.testing import not_sent, reply

from .conftest import ME, SECRET

pytestmark = pytest.mark.anyio

URL = "https://bot.test/webhooks/shop"
FORBIDDEN = reply(403, json={"error": {"title": "Forbidden", "message": "Grace"}})
NO_SCOPE = reply(
    403, json={"error": "Forbidden", "description": "You are missing the following required scopes: users:read"}
)


@pytest.fixture
def account(zendesk):
    """An account in which everything is in place."""
    zendesk.on("GET users/me", me())
    for name in ("tickets", "users", "webhooks", "triggers", "ticket_fields"):
        zendesk.on(f"GET {name}", {name: [], "meta": {"has_more": False}})
    return zendesk


def me(headers=None, **more):
    user = {"id": ME, "role": "admin", "restricted_agent": False, "ticket_restriction": None} | more
    told = {"date": "Mon, 05 Jan 2026 12:00:01 GMT", "ratelimit-limit": "700"} if headers is None else headers
    return reply(json={"user": user}, headers=told)


async def check(zendesk, url=None, **settings):
    async with zendesk.connect(**settings) as connection:
        found = await connection.check(webhook_url=url)
    for result in found:
        assert result.name
        assert result.detail
        assert "Grace" not in repr(result)
        assert result.ok or result.mend  # what is missing has a way out
    assert set(zendesk.writes) <= {"POST /oauth/tokens"}
    return {result.name: result for result in found}


async def failing(zendesk, url=None, **settings):
    """Return the one thing that is not in place."""
    (found,) = [result for result in (await check(zendesk, url, **settings)).values() if not result.ok]
    return found


# In place


@pytest.mark.parametrize("mode", ["events", "triggers"])
async def test_f42_an_account_in_order_checks_out(account, mode):
    found = await check(account, webhook_mode=mode)
    assert all(result.ok for result in found.values())
    rights = ["tickets", "users", "webhooks"] + (["triggers"] if mode == "triggers" else [])
    assert list(found) == ["credentials", "clock", "plan", *rights, "webhook", "solving"]
    assert found["credentials"].detail == f"as admin {ME}"


# Credentials


@pytest.mark.parametrize(
    ("answer", "name", "detail", "mend"),
    [
        (reply(401, json={"error": "Couldn't authenticate you"}), "credentials", "credentials are refused", "OAuth"),
        (me(id=None), "credentials", "act as no agent", "to a token of an agent"),
        (me(role="end-user"), "credentials", "act as no agent", "to a token of an agent"),
        (reply(404, body="<html>No help desk</html>"), "account", "no such account", "check subdomain"),
        (NO_SCOPE, "credentials", "may not even read", "lacks the scope users:read; add it to scope"),
        (FORBIDDEN, "credentials", "may not even read", "give it a role"),
        (not_sent(), "reachable", "", "https://acme.zendesk.com"),
        (reply(503), "reachable", "", "https://acme.zendesk.com"),
    ],
)
async def test_f42_without_a_way_in_that_alone_is_told(account, answer, name, detail, mend):
    account.on("GET users/me", answer)
    found = await check(account)
    (result,) = found.values()
    assert (result.name, result.ok) == (name, False)
    assert detail in result.detail
    assert mend in result.mend


async def test_f42_a_client_that_gets_no_token_is_told_as_credentials(account):
    account.on("POST /oauth/tokens", reply(401, json={"error": "invalid_client"}))
    result = await failing(account, client_id="app", client_secret="s3cret-of-the-app")
    assert result.name == "credentials"
    assert "client_id and client_secret" in result.detail
    assert "s3cret" not in repr(result)


async def test_an_api_token_is_told_until_when_it_works(account):
    found = await check(account, email="ada@acme.test", api_token="api-token-88")
    assert found["API token"].ok
    assert "2027-04-30" in found["API token"].detail
    assert "API token" not in await check(account)


# Clock and plan


@pytest.mark.parametrize(
    ("date", "ok"),
    [
        ("Mon, 05 Jan 2026 12:03:59 GMT", True),
        ("Mon, 05 Jan 2026 11:56:01 GMT", True),
        ("Mon, 05 Jan 2026 12:04:30 GMT", False),
        ("Mon, 05 Jan 2026 11:55:00 GMT", False),
        ("Mon, 05 Jan 2026 12:00:00 -0000", True),
        ("Mon, 05 Jan 2026 12:00:00", True),
        ("soon", True),
        (None, True),
    ],
)
async def test_f42_a_clock_that_would_get_deliveries_refused_is_told(account, date, ok):
    account.on("GET users/me", me({"date": date} if date else {}))
    result = (await check(account))["clock"]
    assert result.ok is ok
    if not ok:
        assert "s apart" in result.detail
        assert "NTP" in result.mend


@pytest.mark.parametrize("name", ["ratelimit-limit", "X-Rate-Limit", "rate-limit"])
@pytest.mark.parametrize(("limit", "low"), [("700", False), ("200", False), ("10", True)])
async def test_f42_a_plan_with_few_requests_is_told(account, name, limit, low):
    account.on("GET users/me", me({name: limit}))
    detail = (await check(account))["plan"].detail
    assert f"{limit} requests a minute" in detail
    assert ("about three for each message" in detail) is low


@pytest.mark.parametrize("headers", [{}, {"ratelimit-limit": "many"}])
async def test_f42_a_plan_that_is_not_told_is_no_obstacle(account, headers):
    account.on("GET users/me", me(headers))
    assert (await check(account))["plan"].detail == "Zendesk does not tell its limit"


# Rights


@pytest.mark.parametrize("name", ["tickets", "users", "webhooks", "triggers"])
@pytest.mark.parametrize(("answer", "mend"), [(NO_SCOPE, "users:read"), (FORBIDDEN, "give it a role")])
async def test_f42_a_right_that_is_missing_is_named(account, name, answer, mend):
    account.on(f"GET {name}", answer)
    result = await failing(account, webhook_mode="triggers")
    assert (result.name, result.detail) == (name, "may not be read")
    assert mend in result.mend
    assert ("an admin's" in result.mend) is (name in {"webhooks", "triggers"})


@pytest.mark.parametrize("name", ["tickets", "users", "webhooks", "triggers"])
@pytest.mark.parametrize("answer", [reply(404), reply(500), reply(422), not_sent()])
async def test_f42_what_cannot_be_looked_at_does_not_hide_the_rest(account, name, answer):
    account.on(f"GET {name}", answer)
    result = await failing(account, webhook_mode="triggers")
    assert result.name == name


async def test_triggers_are_looked_at_only_where_they_are_used(account):
    account.on("GET triggers", FORBIDDEN)
    assert "triggers" not in await check(account)


@pytest.mark.parametrize(
    ("user", "ok"),
    [
        ({"ticket_restriction": None}, True),
        ({"ticket_restriction": "groups"}, True),
        ({"ticket_restriction": "assigned"}, False),
        ({"ticket_restriction": "organization"}, False),
        ({"ticket_restriction": "requested"}, False),
    ],
)
async def test_f42_an_agent_who_does_not_see_every_ticket_is_told(account, user, ok):
    account.on("GET users/me", me(role="agent", **user))
    found = await check(account)
    assert ("ticket access" in found) is not ok
    if not ok:
        assert "see all tickets" in found["ticket access"].mend


# Webhook


def webhook(connection_name, **more):
    told = {"id": "01J0", "name": connection_name, "status": "active", "endpoint": URL}
    return told | {"subscriptions": list(SUBSCRIPTIONS)} | more


async def our_name(zendesk):
    """Return the name our webhook has, as it is asked for."""
    from urllib.parse import parse_qs, urlsplit

    await check(zendesk)
    asked = [parse_qs(urlsplit(r.url).query) for r in zendesk.sent("GET webhooks")]
    return next(query["filter[name_contains]"][0] for query in asked if "filter[name_contains]" in query)


@pytest.mark.parametrize("url", [None, URL])
async def test_f42_our_webhook_is_found_and_said_to_be_active(account, url):
    account.on("GET webhooks", {"webhooks": [webhook(await our_name(account))]})
    assert (await check(account, url))["webhook"].detail == "active"


@pytest.mark.parametrize("url", [None, URL])
async def test_f42_a_webhook_that_is_switched_off_is_told(account, url):
    account.on("GET webhooks", {"webhooks": [webhook(await our_name(account), status="inactive")]})
    result = await failing(account, url)
    assert (result.name, result.detail) == ("webhook", "it is switched off")
    assert "register it again" in result.mend


async def test_f42_a_webhook_to_another_address_is_told_apart(account):
    account.on("GET webhooks", {"webhooks": [webhook(await our_name(account), endpoint="https://else.test")]})
    assert "none of ours leads to that address" in (await check(account, URL))["webhook"].detail


async def test_no_webhook_is_no_fault_for_answers_can_be_read(account):
    found = (await check(account))["webhook"]
    assert found.ok
    assert "read by pull" in found.detail


@pytest.mark.parametrize("secrets", [TEST_SECRET, [SECRET, TEST_SECRET]])
async def test_f42_the_secret_everybody_knows_is_told(account, secrets):
    result = await failing(account, webhook_secret=secrets)
    assert result.name == "webhook secret"
    assert "everybody knows" in result.detail
    assert "webhook_secret" in result.mend
    assert TEST_SECRET not in repr(result)


# Solving


def field(id_, **more):
    return {"id": id_, "title": "Grace's order", "active": True, "required": True, "removable": True} | more


async def test_f42_fields_that_stand_in_the_way_of_solving_are_named_by_number(account):
    fields = [
        field(1),
        field(2, required=False),
        field(3, active=False),
        field(4, removable=False),
        field(5),
    ]
    account.on("GET ticket_fields", {"ticket_fields": fields})
    result = (await check(account))["solving"]
    assert result.ok
    assert result.detail.startswith("fields 1, 5 are required")


async def test_fields_that_cannot_be_read_hide_nothing_else(account):
    account.on("GET ticket_fields", FORBIDDEN)
    found = await check(account)
    assert "solving" not in found
    assert all(result.ok for result in found.values())


async def test_f42_several_things_that_fail_are_all_told(account):
    for name in ("tickets", "users", "webhooks", "ticket_fields"):
        account.on(f"GET {name}", reply(500, body="<html>Grace</html>"))
    found = await check(account)
    assert {name for name, result in found.items() if not result.ok} == {"tickets", "users", "webhooks"}
