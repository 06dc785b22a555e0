"""Repeats and limits of the simulated Zendesk: idempotency keys, plans, and refusals by each limit."""

import pytest

pytestmark = pytest.mark.anyio


async def opened(call, text="Hello", key="k-1"):
    given = {"ticket": {"subject": "Parcel", "comment": {"body": text}}}
    return await call("POST", "tickets", given, headers={"idempotency-key": key} if key else None)


async def test_a_key_opens_one_ticket(call):
    first, second = await opened(call), await opened(call)
    assert (first.status, second.status) == (201, 201)
    assert (first.headers["x-idempotency-lookup"], second.headers["x-idempotency-lookup"]) == ("miss", "hit")
    assert first.json == second.json
    assert (await call("GET", "tickets"))["count"] == 1


async def test_without_a_key_every_request_opens_one(call):
    answers = [await opened(call, key=None) for _ in range(2)]
    assert "x-idempotency-lookup" not in answers[0].headers
    assert (await call("GET", "tickets"))["count"] == 2


async def test_a_key_with_another_body_is_refused(call):
    await opened(call)
    refused = await opened(call, "Other")
    assert (refused.status, refused["error"]) == (400, "IdempotentRequestError")


async def test_a_key_lives_two_hours(call, clock):
    first = await opened(call)
    clock.advance(7199)
    assert (await opened(call))["ticket"]["id"] == first["ticket"]["id"]
    clock.advance(1)
    again = await opened(call)
    assert again["ticket"]["id"] != first["ticket"]["id"]
    assert again.headers["x-idempotency-lookup"] == "miss"


async def test_a_refused_request_leaves_its_key_free(call, simulator):
    simulator.account.bot.suspended = True
    assert (await opened(call)).status == 422
    simulator.account.bot.suspended = False
    assert (await opened(call)).headers["x-idempotency-lookup"] == "miss"


# Limits ---------------------------------------------------------------------------------------------------------


def quota(answer, name):
    pairs = (part.split("=") for part in answer.headers[f"zendesk-ratelimit-{name}"].split("; "))
    return {key: int(value) for key, value in pairs}


async def test_without_a_plan_nothing_is_refused_and_updates_are_counted(call, simulator):
    ticket = await call.ticket()
    for _ in range(120):
        assert (await call.update(ticket, subject="x")).status == 200
    assert simulator.updates == {ticket["id"]: 120}
    assert not simulator.refused


@pytest.mark.parametrize(("plan", "total"), [("essential", 10), ("team", 200), ("professional", 400)])
async def test_a_plan_allows_so_many_requests_a_minute(make, clock, plan, total):
    simulator, call = make(plan=plan)
    for left in range(total - 1, -1, -1):
        answer = await call("GET", "users/me")
        assert (answer.status, answer.headers["x-rate-limit"]) == (200, str(total))
        assert answer.headers["ratelimit-remaining"] == answer.headers["x-rate-limit-remaining"] == str(left)
    clock.advance(20)
    refused = await call("GET", "users/me")
    assert (refused.status, refused.headers["retry-after"]) == (429, "40")
    assert refused.raw == b"Number of allowed API requests per minute exceeded"
    assert refused.headers["content-type"].startswith("text/plain")
    assert simulator.limits.refused == {"account": 1}
    clock.advance(40)
    assert (await call("GET", "users/me")).status == 200


async def test_a_ticket_takes_thirty_updates_of_one_user_in_ten_minutes(make, clock):
    simulator, call = make(plan="enterprise")
    ticket, other = await call.ticket(), await call.ticket()
    for left in range(29, -1, -1):
        answer = await call.update(ticket, comment={"body": "x"})
        assert quota(answer, "per-ticket-updates") == {"total": 30, "remaining": left, "resets": 600}
    clock.advance(100)
    refused = await call.update(ticket, comment={"body": "x"})
    assert (refused.status, refused.headers["retry-after"]) == (429, "500")
    assert quota(refused, "per-ticket-updates") == {"total": 30, "remaining": 0, "resets": 500}
    assert simulator.limits.refused == {"per-ticket-updates": 1}
    assert simulator.limits.updates[ticket["id"]] == 30
    assert len(await call.comments(ticket)) == 31, "a refused update does nothing"
    assert (await call.update(other, comment={"body": "x"})).status == 200, "another ticket has its own"
    clock.advance(500)
    assert (await call.update(ticket, comment={"body": "x"})).status == 200


@pytest.mark.parametrize(("plan", "total"), [("trial", 20), ("enterprise", 100)])
async def test_an_account_takes_so_many_updates_a_minute(make, plan, total):
    simulator, call = make(plan=plan)
    tickets = [await call.ticket() for _ in range(total // 20 + 1)]
    for number in range(total):
        answer = await call.update(tickets[number // 20], subject="x")
        assert answer.status == 200
        assert ("zendesk-ratelimit-tickets-update" in answer.headers) is (plan == "trial"), "seen on trials alone"
    assert (await call.update(tickets[-1], subject="x")).status == 429
    assert simulator.limits.refused == {"tickets-update": 1}


async def test_users_are_written_once_a_second_and_five_times_a_minute(make, clock):
    simulator, call = make(plan="enterprise")

    async def upsert():
        return (await call("POST", "users/create_or_update", {"user": {"name": "Ada", "external_id": "a"}})).status

    assert [await upsert(), await upsert()] == [201, 429]
    for _ in range(4):
        clock.advance(1)
        assert await upsert() == 200
    clock.advance(1)
    assert await upsert() == 429
    assert simulator.limits.refused == {"users-per-second": 1, "users-create-or-update": 1}
    clock.advance(60)
    assert await upsert() == 200


async def test_exports_are_ten_a_minute(make):
    _, call = make(plan="enterprise")
    for _ in range(10):
        assert (await call("GET", "incremental/tickets/cursor", start_time=0)).status == 200
    assert (await call("GET", "incremental/tickets/cursor", start_time=0)).status == 429


async def test_a_plan_nobody_has_is_a_mistake(make):
    with pytest.raises(ValueError, match="no plan 'gold'"):
        make(plan="gold")


# Refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["tickets/1", "tickets/abc", "users/1", "webhooks/1", "attachments/1", "triggers/1"])
async def test_what_is_not_there_is_not_found(call, path):
    answer = await call("GET", path)
    assert answer.status == 404
    assert answer.json == {"error": "RecordNotFound", "description": "Not found"}


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"ticket": 1}', b"{}"])
async def test_a_body_that_is_none_is_a_bad_request(call, body):
    assert (await call("POST", "tickets", body)).status == 400


async def test_a_path_nobody_knows_is_no_endpoint(call):
    assert (await call("GET", "levitations"))["error"] == "InvalidEndpoint"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500, 503])
def test_every_refusal_has_a_body_of_the_vendors(simulator, status):
    headers, body = simulator.error(status)
    assert headers["content-type"].startswith("application/json")
    assert b'"error"' in body


def test_too_many_requests_is_plain_text(simulator):
    headers, body = simulator.error(429)
    assert headers["content-type"].startswith("text/plain")
    assert body == b"Number of allowed API requests per minute exceeded"
    assert headers["retry-after"] == "7"
