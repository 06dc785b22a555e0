"""One key, one effect: repeats, races, mismatches, failures, and the end of a key."""

import asyncio

import pytest
import sqlalchemy as sa
from hitl_desk.server import create_app, tables
from hitl_desk.server.housekeeping import sweep

pytestmark = pytest.mark.anyio


async def count(desk, table):
    async with desk.read() as conn:
        return (await conn.execute(sa.select(sa.func.count()).select_from(table))).scalar()


def key(value):
    return {"Idempotency-Key": value}


async def test_a_repeat_gets_the_first_answer_and_does_nothing(bot, desk, open_ticket, says):
    ticket = await open_ticket()
    calls = [
        (f"/v1/tickets/{ticket['id']}/messages", says(), tables.messages),
        ("/v1/tickets", {"customer_id": ticket["customer"]["id"], "title": "Another"}, tables.tickets),
    ]
    for n, (path, body, table) in enumerate(calls):
        first = await bot.post(path, json=body, headers=key(f"k{n}"))
        before = await count(desk, table)
        second = await bot.post(path, json=body, headers=key(f"k{n}"))
        assert (second.status_code, second.content) == (first.status_code, first.content) == (201, first.content)
        assert second.headers["idempotency-replayed"] == "true"
        assert "idempotency-replayed" not in first.headers
        assert await count(desk, table) == before
    assert second.json()["created_with_key"] == "k1"


async def test_closing_and_testing_an_endpoint_take_keys_as_well(bot, desk, open_ticket):
    ticket = await open_ticket()
    await bot.put("/v1/webhook-endpoints/main", json={"url": "https://bot.example/hook"})
    for path in (f"/v1/tickets/{ticket['id']}/close", "/v1/webhook-endpoints/main/test"):
        first = await bot.post(path, headers=key(path[-4:]))
        before = await count(desk, tables.events.events)
        assert (await bot.post(path, headers=key(path[-4:]))).content == first.content
        assert await count(desk, tables.events.events) == before
    assert (await bot.post(f"/v1/tickets/{ticket['id']}/typing", headers=key("typing"))).status_code == 204


async def test_an_upload_is_recognised_although_its_form_is_written_differently(bot, desk):
    def upload(content, boundary):
        body = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
            f"Content-Type: text/plain\r\n\r\n{content}\r\n--{boundary}--\r\n"
        )
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"} | key("file")
        return bot.post("/v1/attachments", content=body, headers=headers)

    first, second = await upload("hello", "aaa"), await upload("hello", "bbb")
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert (await upload("other", "aaa")).json()["code"] == "idempotency_mismatch"
    kept = [path.name for path in desk.settings.attachments_dir.iterdir()]
    assert kept == [first.json()["id"]], "a repeat leaves no second file"


async def test_a_key_used_for_another_request_is_refused(bot, open_ticket, says):
    ticket = await open_ticket()
    path = f"/v1/tickets/{ticket['id']}/messages"
    await bot.post(path, json=says("one"), headers=key("k"))
    for answer in (
        await bot.post(path, json=says("two"), headers=key("k")),
        await bot.post(f"/v1/tickets/{ticket['id']}/close", json=says("one"), headers=key("k")),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_mismatch")


async def test_several_at_once_have_one_effect_and_one_answer(bot, desk, open_ticket, says):
    ticket = await open_ticket()
    path = f"/v1/tickets/{ticket['id']}/messages"
    answers = await asyncio.gather(*(bot.post(path, json=says(), headers=key("k")) for _ in range(8)))
    assert await count(desk, tables.messages) == 1
    assert {(answer.status_code, answer.text) for answer in answers} == {(201, answers[0].text)}
    assert sorted(answer.headers.get("idempotency-replayed", "") for answer in answers) == ["", *["true"] * 7]
    assert not desk.turns, "nothing is kept of keys nobody waits for"


async def test_a_repeat_is_told_to_come_back_when_the_first_takes_long(bot, settings, pages, tools, open_ticket, says):
    ticket = await open_ticket()
    impatient = create_app(settings.model_copy(update={"key_wait": 0.02}), sender=tools.Receiver(), static=pages)
    async with impatient.state.desk as desk, tools.Client(impatient, headers=bot.headers) as client:
        first = desk.turns[bot.id, "k"] = asyncio.Lock()
        async with first:
            answer = await client.post(f"/v1/tickets/{ticket['id']}/messages", json=says(), headers=key("k"))
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress")
        assert answer.headers["retry-after"] == "1"
        assert await count(desk, tables.messages) == 0


async def test_two_processes_at_once_have_one_effect(app, bot, settings, clock, tools, pages, open_ticket, says):
    ticket = await open_ticket()
    path = f"/v1/tickets/{ticket['id']}/messages"
    other = create_app(settings, clock=clock, sender=tools.Receiver(), static=pages)
    async with other.state.desk, tools.Client(other, headers=bot.headers) as second:
        answers = await asyncio.gather(
            *(client.post(path, json=says(), headers=key(f"k{n}")) for n in range(10) for client in (bot, second))
        )
    assert {answer.status_code for answer in answers} == {201}
    for one, two in zip(answers[::2], answers[1::2], strict=True):
        assert one.json() == two.json()
    assert await count(app.state.desk, tables.messages) == 10


async def test_a_request_that_failed_is_not_remembered(bot, agent, desk, open_ticket, says):
    ticket = await open_ticket()
    path, inner = f"/v1/tickets/{ticket['id']}/messages", f"/inbox/api/tickets/{ticket['id']}"
    await agent.post(f"{inner}/close", json={})
    assert (await bot.post(path, json=says(), headers=key("k"))).status_code == 409
    assert await count(desk, tables.idempotency) == 0
    await agent.post(f"{inner}/reopen", json={})
    assert (await bot.post(path, json=says(), headers=key("k"))).status_code == 201


async def test_keys_belong_to_their_bot_and_end_after_a_day(bot, connect_bot, desk, clock, open_ticket, says):
    stranger = await connect_bot("Stranger")
    for client in (bot, stranger):
        ticket = await open_ticket(client)
        path = f"/v1/tickets/{ticket['id']}/messages"
        assert (await client.post(path, json=says(), headers=key("k"))).status_code == 201
    clock.advance(86_401)
    again = await stranger.post(path, json=says("new day"), headers=key("k"))
    assert again.status_code == 201
    assert "idempotency-replayed" not in again.headers
    await sweep(desk)
    assert await count(desk, tables.idempotency) == 1


@pytest.mark.parametrize("value", ["", " ", "x" * 256, "schlüssel", "a\tb"])
async def test_a_key_that_is_none_is_refused(bot, open_ticket, says, value):
    ticket = await open_ticket()
    answer = await bot.post(
        f"/v1/tickets/{ticket['id']}/messages", json=says(), headers={"Idempotency-Key": value.encode()}
    )
    assert answer.status_code == 422
