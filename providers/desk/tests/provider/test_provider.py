"""The provider keeps the contract against the real desk."""

import asyncio
from datetime import UTC, datetime

import pytest

import hitl_core as hitl

from .conftest import PNG

pytestmark = pytest.mark.anyio

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


async def receive(connection, room, count):
    """Read the webhooks the desk sent, as the bot would."""
    return [
        event
        for headers, body in await room.postbox.take(count)
        for event in await connection.parse_webhook(headers=headers, body=body)
    ]


async def test_f35_an_existing_customer_keeps_what_is_not_given(connection, room):
    first = await connection.create_user(name="Grace", external_id="u1", email="grace@example.com")
    again = await connection.create_user(external_id="u1", phone="123")
    session = await connection.start_hitl(user=again, title="T")
    customer = (await room.agent.see(session.id))["customer"]
    assert first.id == again.id
    assert (customer["name"], customer["email"], customer["phone"]) == ("Grace", "grace@example.com", "123")


async def test_a_customer_who_is_known_needs_no_other_id(connection):
    known = await connection.create_user(name="Grace", idempotency_key="first")
    again = await connection.create_user(name="Grace", known=known, idempotency_key="second")
    assert again == known


async def test_an_e_mail_address_names_a_customer_and_stays_out_of_urls(connection, room):
    first = await connection.create_user(email="Grace@Example.com")
    again = await connection.create_user(email="grace@example.com ")
    session = await connection.start_hitl(user=again, title="T")
    customer = (await room.agent.see(session.id))["customer"]
    assert first.id == again.id
    assert "grace" not in customer["external_id"].lower()


async def test_customers_without_a_name_or_with_odd_ids_are_welcome(connection):
    ids = [(await connection.create_user(external_id=id_)).id for id_ in ("a/b?c#d", "ünï cödé", "..x", "a@b.c")]
    assert len(set(ids)) == 4


async def test_the_ticket_carries_title_reason_priority_tags_and_the_whole_history(connection, room):
    user = await connection.create_user(name="Grace", external_id="u1")
    history = [
        hitl.HistoryEntry.of(hitl.Author.user(user), "My lamp is broken", datetime(2026, 11, 21, 8, tzinfo=UTC)),
        hitl.HistoryEntry.of(
            hitl.Author.bot("Robin"), hitl.Choice(text="Which?", options=(hitl.Option(label="A", value="a"),))
        ),
        hitl.HistoryEntry.of(hitl.Author.user(user), hitl.Image(url="https://files.test/lamp.png")),
    ]
    session = await connection.start_hitl(
        user=user,
        title="Lamp",
        description="A broken lamp",
        history=history,
        options={"priority": "high", "tags": ["lamp"], "reason": "asked for a human"},
        external_id="c1",
    )
    seen = await room.agent.see(session.id)
    ticket = seen["ticket"]
    assert (ticket["title"], ticket["priority"], ticket["tags"], ticket["reason"], ticket["external_id"]) == (
        "Lamp", "high", ["lamp"], "asked for a human", "c1",
    )  # fmt: skip
    assert [entry["message"]["type"] for entry in seen["transcript"]] == ["text", "choice", "image"]
    assert [entry["author"]["role"] for entry in seen["transcript"]] == ["customer", "bot", "customer"]
    assert session.url.startswith("https://desk.test/inbox")


async def test_s026_500_messages_of_history_go_in_one_request(room):
    class Counting:
        def __init__(self, app):
            self.app, self.paths = app, []

        async def __call__(self, scope, receive, send):
            self.paths.append(f"{scope['method']} {scope['path']}")
            await self.app(scope, receive, send)

    counting = Counting(room.app)
    history = [hitl.HistoryEntry.of(hitl.Author.user(), f"message {number}") for number in range(500)]
    async with room.connect(transport=counting) as connection:
        user = await connection.create_user(external_id="u1")
        counting.paths.clear()
        session = await connection.start_hitl(user=user, title="Long", history=history)
    assert counting.paths == ["POST /v1/tickets"]
    assert len((await room.agent.see(session.id))["transcript"]) == 500


async def test_f02_the_same_start_twice_at_once_makes_one_ticket(connection):
    user = await connection.create_user(external_id="u1")
    starts = [connection.start_hitl(user=user, title="T", idempotency_key="k") for _ in range(5)]
    assert len({session.id for session in await asyncio.gather(*starts)}) == 1


@pytest.mark.parametrize("author", [hitl.Author.user(), hitl.Author.bot(), hitl.Author.system()], ids=lambda a: a.role)
async def test_f18_each_speaker_is_shown_as_who_it_is(connection, room, session, author):
    await connection.send_message(session, "Hello", author=author)
    (message,) = (await room.agent.see(session.id))["messages"]
    assert message["author"]["role"] == {"user": "customer"}.get(author.role, author.role)


@pytest.mark.parametrize(
    "message",
    [
        hitl.Text(text="ünïcödé 🎉 {{ticket.id}} <b>"),
        hitl.Markdown(markdown="**bold**"),
        hitl.Image(url="https://files.test/a.png"),
        hitl.Location(latitude=-1, longitude=2),
        hitl.Card(title="Card"),
        hitl.Carousel(items=(hitl.Card(title="Card"),)),
        hitl.Dropdown(text="Which?", options=(hitl.Option(label="A", value="a"),)),
        hitl.Bloc(items=(hitl.Text(text="a"), hitl.Markdown(markdown="b"))),
    ],
    ids=lambda message: message.type,
)
async def test_every_kind_of_message_arrives_as_it_is(connection, room, session, message):
    await connection.send_message(session, message)
    (seen,) = (await room.agent.see(session.id))["messages"]
    assert hitl.parse_message(seen["message"]) == message


async def test_f17_a_file_is_uploaded_and_reads_back_the_same(connection, room, session):
    await connection.send_message(session, hitl.Image(url=PNG, name="lamp.png"), author=hitl.Author.user())
    (seen,) = (await room.agent.see(session.id))["messages"]
    picture = seen["message"]
    assert (picture["type"], picture["name"], picture["content_type"]) == ("image", "lamp.png", "image/png")
    assert picture["url"].startswith("/inbox/api/attachments/")
    opened = await connection.open_attachment(hitl.AttachmentRef.model_validate(picture["ref"]))
    content = b"".join([chunk async for chunk in opened.chunks])
    await opened.close()
    assert content.startswith(b"\x89PNG")
    assert opened.content_type == "image/png"


async def test_r16_an_over_long_text_arrives_whole_in_parts(connection, room, session):
    text = "word " * 30_000
    await connection.send_message(session, text.strip())
    seen = (await room.agent.see(session.id))["messages"]
    assert len(seen) > 1
    assert " ".join(message["message"]["text"] for message in seen) == text.strip()


async def test_an_over_size_file_is_refused_before_anything_is_sent(connection, session):
    with pytest.raises(hitl.InvalidRequestError, match="more than the 20971520"):
        await connection.send_message(session, hitl.File(url="https://files.test/a", size=30_000_000))


async def test_push_and_pull_tell_the_same_in_the_same_order(connection, room, session):
    await connection.register_webhook("https://bot.test/hook")
    reply = await room.agent.reply(session.id, "Hello")
    await room.agent.note(session.id, "secret note")
    await room.agent.edit(reply["id"], "Hello!")
    await room.agent.do(session.id, "assign", agent_id=None)
    await room.agent.do(session.id, "close", text="Good bye")
    await room.agent.do(session.id, "reopen")
    await room.agent.delete(reply["id"])
    page = await connection.list_events(session)
    pushed = await receive(connection, room, len(page.events))
    kinds = [event.kind for event in page.events if event.kind != "ignored"]
    assert sorted(pushed, key=lambda event: event.raw["seq"]) == list(page.events)
    assert kinds == [
        "agent_assigned",
        "agent_message",
        "agent_message_updated",
        "agent_unassigned",
        "agent_assigned",
        "agent_message",
        "session_stopped",
        "session_reopened",
        "agent_message_deleted",
    ]
    assert "secret note" not in page.model_dump_json()
    assert len({event.event_id for event in page.events}) == len(page.events)


async def test_s236_a_closing_comment_comes_before_the_end(connection, room, session):
    await room.agent.do(session.id, "close", text="Good bye")
    page = await connection.list_events(session)
    told = [event for event in page.events if event.kind in {"agent_message", "session_stopped"}]
    assert [event.kind for event in told] == ["agent_message", "session_stopped"]
    assert told[0].message == hitl.Text(text="Good bye")
    assert (told[1].reason, told[1].agent.name, page.state.open) == (hitl.StopReason.AGENT_CLOSED, "Ada", False)


async def test_f24_our_own_messages_and_our_own_closing_are_never_told_as_the_agents(connection, session):
    await connection.send_message(session, "from us", author=hitl.Author.user())
    await connection.stop_hitl(session, message="the user left")
    page = await connection.list_events(session)
    assert {event.kind for event in page.events} <= {"ignored"}
    assert page.state.open is False


async def test_f28_an_agents_image_can_be_opened(connection, room, session):
    from base64 import b64decode

    image = b64decode(PNG.partition(",")[2])
    attachment = await room.agent.upload("lamp.png", image, "image/png")
    await room.agent.reply(session.id, "Look", attachments=[attachment])
    page = await connection.list_events(session)
    (event,) = [event for event in page.events if event.kind == "agent_message"]
    assert [item.type for item in event.message.items] == ["text", "image"]
    opened = await connection.open_attachment(event.message.items[1].ref)
    assert b"".join([chunk async for chunk in opened.chunks]) == image
    await opened.close()


async def test_a_changed_session_is_found_by_reading_the_account(connection, room, session):
    before = await connection.list_changes()
    assert before.sessions == ()
    await room.agent.reply(session.id, "Hello")
    after = await connection.list_changes(cursor=before.cursor)
    assert after.sessions == (session.ref,)
    assert (await connection.list_changes(cursor=after.cursor)).sessions == ()


async def test_waiting_for_an_answer_ends_when_it_comes(connection, room, session):
    waiting = asyncio.create_task(connection.list_events(session, wait=20))
    await room.agent.reply(session.id, "Hello")
    async with asyncio.timeout(10):
        page = await waiting
    assert page.events


async def test_a_webhook_secret_is_kept_and_rotates_with_the_registration(room):
    state = hitl.MemoryState()
    async with room.connect(state=state) as connection:
        first = await connection.register_webhook("https://bot.test/hook")
        again = await connection.register_webhook("https://bot.test/hook")
        assert first == again
    async with room.connect(state=state) as connection:
        user = await connection.create_user(external_id="u1")
        session = await connection.start_hitl(user=user, title="T")
        await room.agent.reply(session.id, "Hello")
        assert "agent_message" in [event.kind for event in await receive(connection, room, 2)]
        await connection.unregister_webhook()
        await connection.unregister_webhook()


@pytest.mark.parametrize("url", ["http://localhost:8000/hook", "https://10.0.0.7/hook", "http://bot.example/hook"])
async def test_a_webhook_url_the_desk_may_not_post_to_is_refused_with_how_to_allow_it(connection, url):
    with pytest.raises(hitl.InvalidRequestError, match="hitl desk serve --allow-webhooks-to HOST:PORT") as caught:
        await connection.register_webhook(url)
    error = caught.value
    assert (error.operation, error.status, error.code) == ("register_webhook", 422, "invalid_endpoint")


async def test_a_delivery_of_a_session_that_is_not_ours_is_ignored(connection, room, session):
    await connection.register_webhook("https://bot.test/hook")
    await room.agent.reply(session.id, "Hello")
    for headers, body in await room.postbox.take(2):
        delivery = connection.verify_webhook(headers=headers, body=body)
        assert delivery.session_ids == (session.id,)
        (event,) = (await connection.parse_delivery(delivery, known={})).events
        assert event.reason is hitl.IgnoredReason.NOT_OURS


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b"\xff", b'{"type": 1}', b'{"data": {"ticket": {"id": 7}}}']
)
async def test_a_signed_body_that_is_no_event_is_a_parse_error(room, body):
    from hitl_core import standard_webhooks

    secret = standard_webhooks.generate_secret()
    headers = standard_webhooks.sign([secret], id="evt_1", timestamp=datetime.now(UTC), body=body)
    async with room.connect(webhook_secret=secret) as connection:
        with pytest.raises(hitl.WebhookParseError):
            await connection.parse_webhook(headers=headers, body=body)


async def test_an_event_of_the_future_is_unknown_and_kept(room):
    from hitl_core import standard_webhooks

    secret = standard_webhooks.generate_secret()
    body = b'{"id":"evt_9","type":"ticket.waved","data":{"ticket":{"id":"tkt_1"},"with":"both hands"}}'
    headers = standard_webhooks.sign([secret], id="evt_9", timestamp=datetime.now(UTC), body=body)
    async with room.connect(webhook_secret=secret) as connection:
        (event,) = await connection.parse_webhook(headers=headers, body=body)
    assert (event.kind, event.session.id, event.raw["data"]["with"]) == ("ticket.waved", "tkt_1", "both hands")


async def test_ambiguous_writes_can_be_looked_up(connection, session):
    user = await connection.create_user(external_id="u1")
    same = connection.plan_start(user=user, title="Refund", external_id="c1", idempotency_key="c1:1")
    other = connection.plan_start(user=user, title="Refund", external_id="c1", idempotency_key="c1:2")
    found = await connection.find_session(same, sent_after=SINCE)
    assert found.started.session.id == session.id
    assert await connection.find_session(other, sent_after=SINCE) == hitl.Absent()
    (part,) = connection.plan_message(session, "Hello", idempotency_key="m")
    assert await connection.find_message(part, sent_after=SINCE) == hitl.Absent()
    sent = await connection.execute(part)
    assert (await connection.find_message(part, sent_after=SINCE)).sent == sent
    assert await connection.execute(part) == sent


async def test_a_closed_ticket_says_so_and_reopens_on_request(connection, session):
    await connection.stop_hitl(session)
    await connection.stop_hitl(session)
    with pytest.raises(hitl.SessionClosedError, match="reopen=True"):
        await connection.send_message(session, "late")
    await connection.send_message(session, "late", reopen=True)
    assert (await connection.list_events(session)).state.open is True


async def test_a_ticket_that_never_was_is_not_found(connection):
    ref = hitl.SessionRef(connection=connection.key, id="tkt_none")
    with pytest.raises(hitl.NotFoundError):
        await connection.send_message(ref, "Hello")


async def test_typing_and_availability(connection, room, session):
    await connection.send_typing(session)
    await connection.send_typing(session, typing=False)
    assert (await connection.get_availability()).available is False


async def test_s292_a_bot_that_is_switched_off_is_told_what_to_enable(room):
    async with room.connect() as connection:
        await room.agent._client.post(
            f"/inbox/api/bots/{room.bot['id']}", json={"enabled": False}, headers=room.agent._headers
        )
        with pytest.raises(hitl.NotConnectedError) as caught:
            await connection.create_user(external_id="u1")
        (result,) = await connection.check()
    sentence = "This bot is not connected to the desk. Enable it on the desk's Connected bots page, then retry."
    assert str(caught.value) == sentence
    assert (result.ok, result.mend) == (False, sentence)


@pytest.mark.parametrize(
    ("token", "error"), [("dbk_" + "x" * 43, hitl.NotConnectedError), ("nonsense", hitl.AuthenticationError)]
)
async def test_a_wrong_token_is_a_clear_error_without_the_token(room, token, error):
    async with room.connect(token=token) as connection:
        with pytest.raises(error) as caught:
            await connection.identify()
        assert token not in str(caught.value)
        assert [result.ok for result in await connection.check()] == [False]


async def test_two_bots_see_nothing_of_each_other(room, session):
    from hitl_desk.server import create_bot

    _, token = await create_bot(room.app.state.desk, "Other")
    async with room.connect(token=token, alias="other") as other:
        ref = hitl.SessionRef(connection=other.key, id=session.id)
        with pytest.raises(hitl.NotFoundError):
            await other.list_events(ref)
        with pytest.raises(hitl.NotFoundError):
            await other.send_message(ref, "Hello")


async def test_no_secret_and_no_words_are_logged(room, caplog):
    caplog.set_level("DEBUG")
    async with room.connect() as connection:
        user = await connection.create_user(name="Grace Hopper", external_id="u1")
        session = await connection.start_hitl(user=user, title="Confidential title")
        await connection.send_message(session, "confidential words")
    said = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("hitl"))
    assert "POST" in said
    for secret in (room.token, "Grace Hopper", "Confidential title", "confidential words"):
        assert secret not in said
