"""Long lists of the simulated Zendesk, and those that lag behind."""

import pytest

pytestmark = pytest.mark.anyio


def ids(answer, name="tickets"):
    return [each["id"] for each in answer[name]]


async def test_an_export_leaves_out_the_newest_minute(call, clock):
    ticket = await call.ticket()
    clock.advance(59)
    assert ids(await call("GET", "incremental/tickets/cursor", start_time=0)) == []
    clock.advance(1)
    assert ids(await call("GET", "incremental/tickets/cursor", start_time=0)) == [ticket["id"]]


async def test_an_export_goes_on_from_its_cursor(call, clock):
    first, second = await call.ticket(), await call.ticket()
    clock.advance(100)
    page = await call("GET", "incremental/tickets/cursor", start_time=0, per_page=1)
    assert (ids(page), page["end_of_stream"]) == ([first["id"]], False)
    assert page["after_url"].endswith(page["after_cursor"])
    page = await call("GET", "incremental/tickets/cursor", cursor=page["after_cursor"])
    assert (ids(page), page["end_of_stream"]) == ([second["id"]], True)
    again = await call("GET", "incremental/tickets/cursor", cursor=page["after_cursor"])
    assert (ids(again), again["after_cursor"]) == ([], page["after_cursor"])
    await call.update(first, subject="Changed")
    clock.advance(100)
    assert ids(await call("GET", "incremental/tickets/cursor", cursor=page["after_cursor"])) == [first["id"]]


async def test_an_export_shows_deleted_tickets_as_such(call, clock):
    ticket = await call.ticket()
    await call("DELETE", f"tickets/{ticket['id']}")
    clock.advance(100)
    (found,) = (await call("GET", "incremental/tickets/cursor", start_time=0))["tickets"]
    assert (found["id"], found["status"]) == (ticket["id"], "deleted")


async def test_an_export_cannot_begin_within_the_last_minute(call, clock):
    now = int(clock.now().timestamp())
    refused = await call("GET", "incremental/tickets/cursor", start_time=now - 30)
    assert (refused.status, refused["error"]) == (400, "StartTimeTooRecent")
    assert (await call("GET", "incremental/tickets/cursor", start_time=now - 60)).status == 200
    assert (await call("GET", "incremental/tickets/cursor")).status == 400


async def test_a_search_lags(call, clock):
    ticket = await call.ticket(external_id="c-1", tags=["hitl"])
    await call.ticket(external_id="c-2")
    query = "type:ticket external_id:c-1 tags:hitl"
    assert (await call("GET", "search", query=query))["count"] == 0
    clock.advance(60)
    found = await call("GET", "search", query=query)
    assert ids(found, "results") == [ticket["id"]]
    assert found["results"][0]["result_type"] == "ticket"


async def test_a_customers_tickets_are_listed_with_a_delay(call, clock):
    ticket = await call.ticket()
    await call.ticket()
    path = f"users/{ticket['requester_id']}/tickets/requested"
    assert ids(await call("GET", path)) == []
    clock.advance(30)
    assert ids(await call("GET", path)) == [ticket["id"]]


async def test_tickets_are_read_by_number_and_by_cursor(call):
    made = [(await call.ticket())["id"] for _ in range(3)]
    first = await call("GET", "tickets", per_page=2)
    second = await call("GET", first["next_page"].replace("https://example.zendesk.com", "https://helpdesk.test"))
    assert ids(first) + ids(second) == made
    by_cursor = await call("GET", "tickets", **{"page[size]": 2})
    assert "count" not in by_cursor.json
    forward = {"page[size]": 2, "page[after]": by_cursor["meta"]["after_cursor"]}
    rest = await call("GET", "tickets", **forward)
    assert ids(by_cursor) + ids(rest) == made
    back = {"page[size]": 2, "page[before]": rest["meta"]["before_cursor"]}
    assert ids(await call("GET", "tickets", **back)) == made[:2]


async def test_audits_are_read_by_cursor_and_by_id(call):
    ticket = await call.ticket()
    await call.update(ticket, subject="Letter")
    path = f"tickets/{ticket['id']}/audits"
    first = await call("GET", path, **{"page[size]": 1})
    assert first["meta"]["has_more"] is True
    (second,) = (await call("GET", path, **{"page[after]": first["meta"]["after_cursor"]}))["audits"]
    assert (await call("GET", f"{path}/{second['id']}"))["audit"] == second


@pytest.mark.parametrize("name", ["groups", "brands", "ticket_forms", "ticket_fields", "custom_statuses"])
async def test_what_the_account_was_set_up_with_can_be_read(call, name):
    every = (await call("GET", name))[name]
    single = (await call("GET", f"{name}/{every[0]['id']}")).json
    assert list(single.values()) == [every[0]]
    assert (await call("GET", f"{name}/1")).status == 404


async def test_a_required_field_is_listed_as_such(call, simulator):
    simulator.account.required_to_solve = (360001234567,)
    fields = (await call("GET", "ticket_fields"))["ticket_fields"]
    assert [field["title"] for field in fields if field["required"]] == ["Order number"]
