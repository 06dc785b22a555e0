"""What comes from agents in Zendesk messaging, by webhook and by pull (S257-S261, F25, R17)."""

import json

import pytest

import hitl_core as hitl
from hitl_core.download import Download
from hitl_core.webhooks import KnownSession

pytestmark = pytest.mark.anyio

KIM, LOU = "21000000000001", "21000000000002"


def known_of(*sessions, **more):
    return {session.id: KnownSession(session=session, **more) for session in sessions}


def kinds(events):
    return [event.kind for event in events]


# Who counts as an agent --------------------------------------------------------------------------------------------


async def test_s259_a_business_message_with_an_agent_id_is_an_agents(scene, message_event):
    author = {"type": "business", "displayName": "Kim", "avatarUrl": "https://example.com/kim.png"}
    (event,) = await scene.parse(message_event("c1", author=author))
    assert isinstance(event, hitl.AgentMessage)
    assert (event.event_id, event.message_id) == ("message:m1", "m1")
    assert event.agent == hitl.Agent(id=KIM, name="Kim", avatar_url="https://example.com/kim.png")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"agent": None}, "echo"),
        ({"agent": "__trigger"}, "system"),
        ({"agent": " "}, "system"),
        ({"agent": None, "source": {"type": "zd:answerBot"}}, "bot"),
        ({"agent": None, "source": {"type": "zd:agentWorkspace"}}, "system"),
        ({"agent": None, "author": {"type": "business", "subtypes": ["AI"]}}, "bot"),
        ({"agent": None, "author": {"type": "business", "subtypes": ["activity"]}}, "system"),
        ({"agent": None, "activity": {"type": "ticket:closed"}}, "system"),
        ({"agent": None, "author": {"type": "user", "userId": "u"}}, "end_user"),
        ({"author": {"type": "user", "userId": "u"}}, "end_user"),
    ],
)
async def test_s259_everybody_else_is_ignored_with_a_reason(scene, message_event, more, reason):
    (event,) = await scene.parse(message_event("c1", **more))
    assert isinstance(event, hitl.Ignored)
    assert (event.reason, event.message_id) == (reason, "m1")


async def test_f24_what_we_wrote_is_an_echo_by_its_mark_and_by_its_id(scene, message_event):
    marked = message_event("c1", agent=None, author={"type": "user", "userId": "u"})
    marked["payload"]["message"]["metadata"] = {"hitlOwner": scene.connection.key, "hitlKey": "k"}
    (event,) = await scene.parse(marked)
    assert event.reason == "echo"
    session = await scene.start()
    known = known_of(session, own_message_ids=frozenset({"m1"}))
    (event,) = await scene.parse(message_event(session.id), known=known)
    assert event.reason == "echo"


# Whose conversation ------------------------------------------------------------------------------------------------


async def test_s258_a_conversation_of_another_installation_is_not_ours(scene, message_event):
    event = message_event("c1")
    event["payload"]["conversation"]["metadata"] = {"hitlOwner": "another/bot"}
    (ignored,) = await scene.parse(event)
    assert ignored.reason == "not_ours"


async def test_s258_where_metadata_is_shown_one_without_an_owner_is_not_ours(scene, message_event):
    event = message_event("c1")
    event["payload"]["conversation"]["metadata"] = {"lang": "en"}
    (ignored,) = await scene.parse(event)
    assert ignored.reason == "not_ours"


async def test_s258_a_record_of_ours_counts_more_than_metadata(scene, message_event):
    session = await scene.start()
    event = message_event(session.id)
    event["payload"]["conversation"]["metadata"] = {"hitlOwner": "before/it-was-renamed"}
    (told,) = await scene.parse(event, known=known_of(session))
    assert isinstance(told, hitl.AgentMessage)
    (ignored,) = await scene.parse(event, known={})
    assert ignored.reason == "not_ours"


async def test_s258_a_body_without_a_list_of_events_is_refused(scene):
    for body in ({}, {"events": None}, {"events": {"a": 1}}):
        webhook = scene.sim.webhook(body)
        with pytest.raises(hitl.WebhookParseError, match="events"):
            await scene.connection.parse_webhook(headers=webhook.headers, body=webhook.body)


# Batches -----------------------------------------------------------------------------------------------------------


async def test_f25_a_batch_is_routed_event_by_event(scene, message_event):
    """The first event's owner says nothing about the others, and an unreadable one costs nobody anything."""
    ours, theirs = await scene.start(), await scene.start(external_id="c2")
    batch = (
        message_event(theirs.id, id="m1", event="e1", content={"type": "text", "text": "theirs"}),
        {"id": "e2", "type": "conversation:message", "payload": {"conversation": {"id": ours.id}, "message": None}},
        "nonsense",
        message_event(ours.id, id="m3", event="e3", content={"type": "text", "text": "ours"}),
        {"id": "e4", "type": "switchboard:releaseControl", "payload": {"conversation": {"id": ours.id}}},
    )
    events = await scene.parse(*batch, known=known_of(ours))
    assert kinds(events) == ["ignored", "conversation:message", "unreadable", "agent_message", "session_stopped"]
    assert events[0].session == theirs.ref
    assert [event.session for event in events[3:]] == [ours.ref, ours.ref]
    assert len({event.event_id for event in events}) == len(events)


async def test_f25_a_delivery_names_every_conversation_of_the_batch(scene, message_event):
    body = {
        "app": {"id": "x"},
        "events": [message_event("c1"), message_event("c2", event="e2"), 7, message_event("c1")],
    }
    body["app"]["id"] = scene.connection.account
    webhook = scene.sim.webhook(body)
    delivery = scene.connection.verify_webhook(headers=webhook.headers, body=webhook.body)
    assert delivery.session_ids == ("c1", "c2")


async def test_our_ids_are_read_from_what_we_wrote_alone(scene, message_event):
    mine, other = message_event("c1"), message_event("c2", event="e2")
    mine["payload"]["conversation"]["metadata"] = {"hitlOwner": scene.connection.key, "hitlExternalId": "chat-1"}
    other["payload"]["conversation"]["metadata"] = {"hitlOwner": "another/bot", "hitlExternalId": "chat-2"}
    webhook = scene.sim.webhook({"app": {"id": scene.connection.account}, "events": [mine, other]})
    delivery = scene.connection.verify_webhook(headers=webhook.headers, body=webhook.body)
    assert delivery.external_ids == ("chat-1",)


async def test_f22_a_delivery_is_known_again_by_the_ids_of_its_events(scene, message_event):
    def delivered(*events):
        webhook = scene.sim.webhook({"app": {"id": scene.connection.account}, "events": list(events)})
        return scene.connection.verify_webhook(headers=webhook.headers, body=webhook.body).id

    first, second = message_event("c1"), message_event("c1", event="e2")
    changed = json.loads(json.dumps(first)) | {"createdAt": "2026-03-01T11:00:00.000Z"}
    assert delivered(first) == delivered(changed)
    assert len({delivered(first), delivered(second), delivered(first, second)}) == 3


async def test_f32_another_apps_delivery_is_refused(scene, message_event):
    with pytest.raises(hitl.WebhookVerificationError, match="account"):
        await scene.parse(message_event("c1"), app="another")


# What they say -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"type": "text", "text": "Hi"}, hitl.Text(text="Hi")),
        ({"type": "text", "htmlText": "<p>2 &lt; <b>3</b></p>"}, hitl.Text(text="2 < 3")),
        ({"type": "form", "text": "Your number?", "fields": []}, hitl.Text(text="Your number?")),
        ({"type": "carousel", "items": []}, hitl.UnknownMessage(type="zendesk:carousel")),
        (
            {"type": "location", "coordinates": {"lat": 1.5, "long": -2}, "location": {"name": "Here"}},
            hitl.Location(latitude=1.5, longitude=-2, title="Here"),
        ),
    ],
)
async def test_s260_texts_and_what_is_no_file(scene, message_event, content, expected):
    (event,) = await scene.parse(message_event("c1", content=content))
    assert event.message == expected


@pytest.mark.parametrize(
    "content", [{"type": "text", "text": ""}, {"type": "text"}, {"type": "image"}, {"type": "file"}]
)
async def test_s260_an_empty_message_is_ignored_as_such(scene, message_event, content):
    (event,) = await scene.parse(message_event("c1", content=content))
    assert event.reason == "empty"


@pytest.mark.parametrize(
    ("kind", "media_type", "cls"),
    [
        ("image", "image/png", hitl.Image),
        ("image", None, hitl.Image),
        ("file", "image/tiff", hitl.Image),
        ("file", "audio/ogg; codecs=opus", hitl.Audio),
        ("file", "VIDEO/mp4", hitl.Video),
        ("file", "application/pdf", hitl.File),
        ("file", None, hitl.File),
    ],
)
async def test_s260_a_file_is_told_by_its_media_type(scene, message_event, kind, media_type, cls):
    content = {"type": kind, "mediaUrl": "https://acme.zendesk.com/a/my%20scan.pdf", "mediaSize": 12}
    content |= {"mediaType": media_type} if media_type else {}
    (event,) = await scene.parse(message_event("c1", content=content))
    assert type(event.message) is cls
    assert (event.message.name, event.message.size) == ("my scan.pdf", 12)
    assert event.message.ref.id == "m1"


async def test_s260_a_files_title_is_its_alternative_text_and_a_caption_comes_first(scene, message_event):
    content = {"type": "file", "mediaUrl": "https://acme.zendesk.com/a/x", "altText": "bill.pdf", "text": "Here it is"}
    (event,) = await scene.parse(message_event("c1", content=content))
    text, file = event.message.items
    assert text == hitl.Text(text="Here it is")
    assert (file.title, file.name) == ("bill.pdf", "bill.pdf")


@pytest.mark.parametrize("received", ["2026-03-01T10:00:00.000Z", 1772359200, 1772359200.0])
async def test_times_of_every_version_are_read(scene, message_event, received):
    (event,) = await scene.parse(message_event("c1", received=received))
    assert event.occurred_at.isoformat() == "2026-03-01T10:00:00+00:00"


@pytest.mark.parametrize("received", ["yesterday", None, True, 1e300])
async def test_a_time_that_cannot_be_read_costs_no_message(scene, message_event, received):
    (event,) = await scene.parse(message_event("c1", received=received))
    assert isinstance(event, hitl.AgentMessage)
    assert event.occurred_at is None


# The end, and who has it -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({}, "agent_closed"),
        ({"reason": "ticketClosed"}, "agent_closed"),
        ({"reason": "transferToEmail"}, "transferred"),
        ({"reason": "something new"}, "agent_closed"),
        ({"reason": ["odd"]}, "agent_closed"),
    ],
)
async def test_s257_a_release_of_control_ends_the_hand_off(scene, payload, reason):
    event = {"id": "e1", "type": "switchboard:releaseControl", "payload": {"conversation": {"id": "c1"}, **payload}}
    (stopped,) = await scene.parse(event)
    assert isinstance(stopped, hitl.SessionStopped)
    assert (stopped.reason, stopped.event_id) == (reason, "event:e1")


async def test_s257_an_end_of_ours_comes_back_as_an_echo(scene):
    session = await scene.start()
    await scene.heard()
    await scene.connection.stop_hitl(session)
    (event,) = await scene.heard()
    assert (event.kind, event.reason) == ("ignored", "echo")


async def test_a_conversation_that_was_deleted_has_ended(scene):
    (event,) = await scene.parse({"id": "e", "type": "conversation:remove", "payload": {"conversation": {"id": "c1"}}})
    assert event.reason is hitl.StopReason.DELETED


async def test_control_that_went_elsewhere_is_looked_at(scene):
    session = await scene.start()
    await scene.heard()
    scene.sim.switchboard.pass_to(scene.conversation(session), "zd-answerBot", {})
    (event,) = await scene.heard()
    assert isinstance(event, hitl.SessionChanged)
    assert not (await scene.connection.list_events(session)).state.open


async def test_the_transfers_of_a_start_are_echoes(scene):
    await scene.start()
    assert {(event.kind, getattr(event, "reason", None)) for event in await scene.heard()} == {("ignored", "echo")}


async def test_s261_the_first_agent_needs_no_assignment_and_the_next_one_has_it_from_then_on(scene):
    session = await scene.start()
    cursor, told = None, []
    for agent, text in ((KIM, "one"), (KIM, "two"), (LOU, "three"), (LOU, "four"), (KIM, "five")):
        await scene.sim.reply(session.id, text, agent=scene.sim.agent(agent))
        for webhook in await scene.deliveries():
            delivery = scene.connection.verify_webhook(headers=webhook.headers, body=webhook.body)
            parsed = await scene.connection.parse_delivery(delivery, known_of(session, cursor=cursor))
            cursor = parsed.cursors.get(session.id, cursor)
            told += [
                event.agent.id if event.kind == "agent_assigned" else event.message.text
                for event in parsed.events
                if event.kind != "ignored"
            ]
    assert told == ["one", "two", LOU, "three", "four", KIM, "five"]


async def test_r17_who_has_it_is_remembered_without_moving_where_reading_begins(scene):
    session = await scene.start()
    await scene.sim.reply(session.id, "one", agent=scene.sim.agent(KIM))
    page = await scene.connection.list_events(session)
    await scene.sim.reply(session.id, "lost", agent=scene.sim.agent(KIM))
    await scene.deliveries()
    await scene.sim.reply(session.id, "three", agent=scene.sim.agent(LOU))
    (webhook,) = await scene.deliveries()
    delivery = scene.connection.verify_webhook(headers=webhook.headers, body=webhook.body)
    parsed = await scene.connection.parse_delivery(delivery, known_of(session, cursor=page.cursor))
    moved = parsed.cursors[session.id]
    read = await scene.connection.list_events(session, cursor=moved)
    assert [event.message.text for event in read.events if event.kind == "agent_message"] == ["lost", "three"]


# The record --------------------------------------------------------------------------------------------------------


async def test_pages_are_read_backwards_until_the_cursor(scenes):
    async with scenes(page_size=3) as scene:
        session = await scene.start()
        for number in range(10):
            await scene.sim.reply(session.id, f"{number}", agent=scene.sim.agent())
        page = await scene.connection.list_events(session, limit=4)
        read, cursor = list(page.events), page.cursor
        assert page.more
        while page.more:
            page = await scene.connection.list_events(session, cursor=cursor, limit=4)
            read += page.events
            cursor = page.cursor
        said = [event.message.text for event in read if event.kind == "agent_message"]
        assert said == [f"{number}" for number in range(10)]


async def test_a_cursor_whose_message_was_deleted_still_holds(scene):
    session = await scene.start()
    for text in ("one", "two"):
        scene.clock.advance(1)
        await scene.sim.reply(session.id, text, agent=scene.sim.agent())
    page = await scene.connection.list_events(session)
    del scene.conversation(session).messages[-1]
    scene.clock.advance(1)
    await scene.sim.reply(session.id, "three", agent=scene.sim.agent())
    read = await scene.connection.list_events(session, cursor=page.cursor)
    assert [event.message.text for event in read.events] == ["three"]


async def test_a_message_taken_back_is_told_by_pull(scene):
    session = await scene.start()
    await scene.sim.reply(session.id, "oops", agent=scene.sim.agent())
    message = scene.conversation(session).messages[-1]
    message |= {"deleted": True, "content": {"type": "text", "text": ""}}
    event = (await scene.connection.list_events(session)).events[-1]
    assert (event.kind, event.message_id) == ("agent_message_deleted", message["id"])


async def test_a_message_that_cannot_be_read_costs_no_other(scene):
    session = await scene.start()
    scene.conversation(session).messages.append({"id": "odd", "received": scene.sim.stamp(), "author": 7})
    await scene.sim.reply(session.id, "one", agent=scene.sim.agent())
    page = await scene.connection.list_events(session)
    assert kinds(page.events)[-2:] == ["conversation:message", "agent_message"]


async def test_the_last_words_are_in_what_is_read_once_it_has_ended(scene):
    session = await scene.start()
    await scene.sim.reply_and_close(session.id, "bye", agent=scene.sim.agent())
    page = await scene.connection.list_events(session)
    assert not page.state.open
    assert page.state.final
    assert page.events[-1].message.text == "bye"


# Files -------------------------------------------------------------------------------------------------------------


async def read(stream):
    try:
        return b"".join([piece async for piece in stream.chunks])
    finally:
        await stream.close()


@pytest.mark.parametrize("private", [False, True])
async def test_a_file_opens_whether_or_not_attachments_are_private(scenes, private):
    """Public ones as anybody may; private ones on our own host, with the key."""
    async with scenes(private_attachments=private) as scene:
        session = await scene.start()
        await scene.sim.attach(session.id, "", [_file()], agent=scene.sim.agent())
        event = (await scene.connection.list_events(session)).events[-1]
        if not private:
            scene.files[event.message.url] = Download(b"hello", "text/plain", "a.txt")
        stream = await scene.connection.open_attachment(event.message.ref)
        assert stream.content_type.startswith("text/plain")
        assert await read(stream) == b"hello"


async def test_the_key_goes_to_no_other_host(scene, message_event):
    content = {"type": "file", "mediaUrl": "https://elsewhere.example/a.txt"}
    (event,) = await scene.parse(message_event("c1", content=content))
    before = len(scene.sim.requests)
    with pytest.raises(hitl.HitlError):
        await scene.connection.open_attachment(event.message.ref)
    assert len(scene.sim.requests) == before


async def test_a_reference_without_an_address_says_what_to_do(scene):
    with pytest.raises(hitl.InvalidRequestError, match="reference"):
        await scene.connection.open_attachment(hitl.AttachmentRef(id="m1"))


def _file():
    from hitl_core.testing.simulator import SimFile

    return SimFile(name="a.txt", content_type="text/plain", content=b"hello")
