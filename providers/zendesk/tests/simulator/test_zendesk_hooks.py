"""Webhooks of the simulated Zendesk: set up, signed, delivered, and seldom repeated."""

import pytest

from hitl_core.signatures import HmacScheme

pytestmark = pytest.mark.anyio

URL = "https://bot.test/hook"
SCHEME = HmacScheme(
    "x-zendesk-webhook-signature",
    encoding="base64",
    template="{timestamp}{body}",
    timestamp_header="x-zendesk-webhook-signature-timestamp",
    timestamp_unit="iso",
)


async def secret_of(call, hook):
    return (await call("GET", f"webhooks/{hook['id']}/signing_secret"))["signing_secret"]["secret"]


# Setting up -----------------------------------------------------------------------------------------------------


async def test_a_webhook_has_a_fraction_in_its_time_only_when_it_is_made(call):
    hook = await call.hook("comment_added")
    assert set(hook) == {
        "id", "name", "status", "subscriptions", "created_at", "created_by", "endpoint", "http_method",
        "request_format",
    }  # fmt: skip
    assert len(hook["id"]) == 26
    read = (await call("GET", f"webhooks/{hook['id']}"))["webhook"]
    assert (len(hook["created_at"]), read["created_at"]) == (30, "2026-01-05T12:00:00Z")
    assert {**hook, "created_at": None} == {**read, "created_at": None}


@pytest.mark.parametrize(
    ("authentication", "shown"),
    [
        (
            {"type": "basic_auth", "data": {"username": "ada", "password": "secret"}, "add_position": "header"},
            {"type": "basic_auth", "data": {"username": "ada"}, "add_position": "header"},
        ),
        (
            {"type": "bearer_token", "data": {"token": "secret"}, "add_position": "header"},
            {"type": "bearer_token", "add_position": "header"},
        ),
        (
            {"type": "api_key", "data": {"name": "X-Key", "value": "secret"}, "add_position": "header"},
            {"type": "api_key", "data": {"name": "X-Key"}, "add_position": "header"},
        ),
    ],
)
async def test_credentials_of_a_webhook_are_sent_and_never_shown(call, control, posted, authentication, shown):
    hook = await call.hook("comment_added", authentication=authentication)
    assert hook["authentication"] == shown
    await control.reply(str((await call.ticket())["id"]), "Hello")
    headers = posted[-1][1]
    assert "secret" in headers.get("x-key", "") or headers["authorization"].split()[0] in {"Basic", "Bearer"}


async def test_webhooks_are_found_by_name_and_status(call):
    first = await call.hook(name="HITL one")
    await call.hook(name="HITL two", status="inactive")
    await call.hook(name="other")
    found = await call("GET", "webhooks", **{"filter[name_contains]": "hitl", "filter[status]": "active"})
    assert [each["id"] for each in found["webhooks"]] == [first["id"]]
    assert found["meta"] == {"has_more": False}


async def test_webhooks_are_read_by_cursor(call):
    made = [(await call.hook(name=str(number)))["id"] for number in range(3)]
    first = await call("GET", "webhooks", **{"page[size]": 2})
    assert first["meta"]["has_more"] is True
    after = {"page[size]": 2, "page[after]": first["meta"]["after_cursor"]}
    second = await call("GET", "webhooks", **after)
    assert [each["id"] for page in (first, second) for each in page["webhooks"]] == made


async def test_put_clears_what_it_leaves_out_and_patch_does_not(call):
    more = {"description": "ours", "authentication": {"type": "bearer_token", "data": {"token": "x"}}}
    hook = await call.hook(**more)
    path = f"webhooks/{hook['id']}"
    assert (await call("PATCH", path, {"webhook": {"name": "new"}})).status == 204
    read = (await call("GET", path))["webhook"]
    assert (read["name"], read["description"], "authentication" in read) == ("new", "ours", True)
    assert (read["updated_at"], read["updated_by"]) == ("2026-01-05T12:00:00Z", hook["created_by"])
    names = ("name", "endpoint", "http_method", "request_format", "status", "subscriptions")
    answer = await call("PUT", path, {"webhook": {name: hook[name] for name in names}})
    assert (answer.status, answer.raw) == (204, b"")
    read = (await call("GET", path))["webhook"]
    assert not {"description", "authentication"} & set(read)


@pytest.mark.parametrize(
    "fields",
    [
        {"endpoint": None},
        {"http_method": "FETCH"},
        {"subscriptions": ["conditional_ticket_events", "zen:event-type:ticket.created"]},
        {"subscriptions": ["ticket.created"]},
        {"subscriptions": ["zen:event-type:ticket.created"], "http_method": "GET"},
        {"custom_headers": {"x": "y"}, "endpoint": "http://bot.test"},
    ],
)
async def test_a_webhook_that_cannot_be_is_refused(call, fields):
    given = {
        "name": "hitl",
        "endpoint": URL,
        "http_method": "POST",
        "request_format": "json",
        "status": "active",
        "subscriptions": ["conditional_ticket_events"],
    }
    refused = await call("POST", "webhooks", {"webhook": given | fields})
    assert refused.status == 400
    assert {"code", "title"} <= set(refused["errors"][0])


async def test_subscriptions_cannot_be_changed(call):
    hook = await call.hook("comment_added")
    changed = {"webhook": {"subscriptions": ["zen:event-type:ticket.created"]}}
    assert (await call("PATCH", f"webhooks/{hook['id']}", changed)).status == 400


async def test_a_webhook_can_be_cloned(call):
    hook = await call.hook("comment_added", name="first")
    clone = (await call("POST", "webhooks", {}, clone_webhook_id=hook["id"]))["webhook"]
    assert clone["id"] != hook["id"]
    assert (clone["name"], clone["subscriptions"]) == ("first", hook["subscriptions"])


async def test_a_trial_account_has_ten_webhooks(make):
    _, call = make(plan="trial")
    for _ in range(10):
        await call.hook()
    with pytest.raises(AssertionError, match="TooManyWebhooks"):
        await call.hook()


async def test_what_is_deleted_is_gone_and_hears_nothing(call, control, posted):
    hook = await call.hook("comment_added")
    assert (await call("DELETE", f"webhooks/{hook['id']}")).status == 204
    assert (await call("DELETE", f"webhooks/{hook['id']}")).status == 404
    await control.reply(str((await call.ticket())["id"]), "Hello")
    assert not posted


# Secrets and deliveries -----------------------------------------------------------------------------------------


async def test_each_webhook_has_a_secret_of_its_own_and_signs_with_it(call, control, posted, clock):
    first, second = await call.hook("comment_added"), await call.hook("comment_added", endpoint=f"{URL}/2")
    secrets = {URL: await secret_of(call, first), f"{URL}/2": await secret_of(call, second)}
    assert len(set(secrets.values())) == 2
    assert {len(secret) for secret in secrets.values()} == {44}
    await control.reply(str((await call.ticket())["id"]), "Hello")
    assert {url for url, _, _ in posted} == set(secrets)
    for url, headers, body in posted:
        assert SCHEME.verify([secrets[url]], headers, body, now=clock.now()).timestamp == clock.now()


async def test_a_secret_that_was_reset_signs_no_more(call, control, posted, clock):
    hook = await call.hook("comment_added")
    old = await secret_of(call, hook)
    answer = await call("POST", f"webhooks/{hook['id']}/signing_secret", {})
    assert (answer.status, answer["signing_secret"]["algorithm"]) == (201, "SHA256")
    new = answer["signing_secret"]["secret"]
    assert new == await secret_of(call, hook) != old
    await control.reply(str((await call.ticket())["id"]), "Hello")
    _, headers, body = posted[-1]
    SCHEME.verify([new], headers, body, now=clock.now())


async def test_a_delivery_names_account_webhook_and_invocation(call, control, posted):
    hook = await call.hook("comment_added")
    await control.reply(str((await call.ticket())["id"]), "Hello")
    (_, one, _), (_, two, _) = posted
    assert one["x-zendesk-webhook-id"] == hook["id"]
    assert one["x-zendesk-account-id"].isdecimal()
    assert (one["user-agent"], one["content-type"]) == ("Zendesk Webhook", "application/json; charset=utf-8")
    assert one["x-zendesk-webhook-invocation-id"] != two["x-zendesk-webhook-invocation-id"]
    assert len(one["x-zendesk-webhook-invocation-id"]) == 26


@pytest.mark.parametrize(
    ("status", "attempts"), [(200, 1), (None, 6), (409, 4), (503, 6), (429, 6), (500, 1), (401, 1), (404, 1), (410, 1)]
)
async def test_only_time_outs_conflicts_and_busy_receivers_are_tried_again(
    call, control, posted, clock, simulator, status, attempts
):
    await call.hook("comment_added")
    ticket = await call.ticket()
    posted.clear()
    posted.status = status
    await control.reply(str(ticket["id"]), "Hello")
    for _ in range(10):
        await control.advance(600)
    assert len(posted) == attempts
    assert len({headers["x-zendesk-webhook-invocation-id"] for _, headers, _ in posted}) == 1
    assert len({headers["x-zendesk-webhook-signature-timestamp"] for _, headers, _ in posted}) == attempts
    posted.status = 200
    await control.reply(str(ticket["id"]), "Again")
    assert len(posted) == attempts + 1, "failing switches nothing off"


async def test_who_is_busy_for_a_minute_loses_the_event(call, control, posted, simulator):
    await call.hook("comment_added")
    ticket = await call.ticket()
    posted.clear()
    posted.status, simulator.webhooks.retry_after = 503, 60
    await control.reply(str(ticket["id"]), "Hello")
    await control.advance(6000)
    assert len(posted) == 1


async def test_invocations_show_what_was_sent(call, control, posted):
    hook = await call.hook("comment_added")
    ticket = await call.ticket()
    posted.status = 403
    await control.reply(str(ticket["id"]), "Hello")
    path = f"webhooks/{hook['id']}/invocations"
    newest, oldest = (await call("GET", path))["invocations"]
    assert (newest["status"], newest["status_code"], oldest["status"]) == ("terminated", 403, "success")
    (attempt,) = (await call("GET", f"{path}/{newest['id']}/attempts"))["attempts"]
    assert "Hello" in attempt["request"]["payload"]
    assert {"key": "X-Zendesk-Webhook-Id", "value": hook["id"]} in attempt["request"]["headers"]


async def test_a_test_is_posted_at_once(call, posted, clock):
    hook = await call.hook("comment_added")
    posted.status = 404
    answer = await call("POST", "webhooks/test", {"request": {"payload": "{}"}}, webhook_id=hook["id"])
    assert answer["response"]["status_code"] == 404
    ((url, headers, body),) = posted
    assert (url, body) == (URL, b"{}")
    SCHEME.verify([await secret_of(call, hook)], headers, body, now=clock.now())


async def test_an_inactive_webhook_hears_nothing(call, control, posted):
    hook = await call.hook("comment_added")
    await call("PATCH", f"webhooks/{hook['id']}", {"webhook": {"status": "inactive"}})
    await control.reply(str((await call.ticket())["id"]), "Hello")
    assert not posted
    assert [endpoint.enabled for endpoint in await control.endpoints()] == [False]


async def test_endpoints_can_be_lost_and_changed_behind_the_bots_back(call, control):
    hook = await call.hook("comment_added")
    await control.change_endpoints()
    assert (await call("GET", f"webhooks/{hook['id']}"))["webhook"]["endpoint"] != URL
    await control.lose_endpoints()
    assert (await call("GET", "webhooks"))["webhooks"] == []


async def test_until_a_webhook_is_made_everything_goes_to_the_default_endpoint(call, control, simulator, clock):
    ticket = await call.ticket()
    await control.reply(str(ticket["id"]), "Hello")
    (*_, before) = await control.webhooks()
    SCHEME.verify([simulator.secret], before.headers, before.body, now=clock.now())
    await call.hook("comment_added")
    await control.reply(str(ticket["id"]), "Again")
    assert [webhook.url for webhook in await control.webhooks()] == [URL]
