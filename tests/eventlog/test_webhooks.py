"""Delivering as Standard Webhooks: what is sent, when again, and in which order."""

import asyncio
import json

import pytest
import standardwebhooks

from hitl_core.eventlog import (
    DeliveryPolicy,
    EventLog,
    InvalidEndpointError,
    SendResult,
    WebhookDispatcher,
)
from hitl_core.standard_webhooks import verify

pytestmark = pytest.mark.anyio

URL = "https://bot.example/hook"
MINUTE, HOUR = 60, 3600


async def test_a_delivery_is_a_standard_webhook(log, append, dispatcher, receiver, secret, clock):
    event = await append("ticket.closed", subject="t_1", text="Grüße")
    assert await dispatcher.run_once() == 1
    (posted,) = receiver.posted
    assert posted.url == URL
    assert posted.headers["webhook-id"] == event.id
    assert posted.headers["webhook-timestamp"] == str(int(clock.now().timestamp()))
    assert posted.headers["content-type"] == "application/json"
    assert posted.headers["user-agent"].startswith("hitl-core/")
    body = json.loads(posted.body)
    assert list(body)[:3] == ["type", "timestamp", "data"]
    assert body == event.to_dict() == (await log.read("bot")).events[0].to_dict()
    assert verify([secret], posted.headers, posted.body, now=clock.now())


async def test_the_reference_library_accepts_a_delivery_and_refuses_a_changed_one(
    engine, tables, receiver, hooks, append, secret
):
    log = EventLog(engine, tables)  # the library judges by the machine's clock
    await append(text="Grüße 🙂")
    await WebhookDispatcher(log, receiver).run_once()
    (posted,) = receiver.posted
    reference = standardwebhooks.Webhook(secret)
    assert reference.verify(posted.body, posted.headers) == json.loads(posted.body)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        reference.verify(posted.body.replace(b"message", b"massage"), posted.headers)


async def test_retries_follow_the_schedule_with_the_same_id_and_body_and_then_fail(
    append, dispatcher, receiver, secret, clock, hooks
):
    receiver.answer = SendResult(500)
    event = await append()
    begin = clock.monotonic()
    waits = [0, 5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR]
    for number, wait in enumerate(waits, start=1):
        if wait:
            clock.advance(wait - 1)
            assert await dispatcher.run_once() == 0, f"attempt {number} came early"
            clock.advance(1)
        assert await dispatcher.run_once() == 1
    clock.advance(100 * HOUR)
    assert await dispatcher.run_once() == 0
    assert clock.monotonic() - begin == sum(waits) + 100 * HOUR
    assert set(receiver.ids) == {event.id}
    assert len({posted.body for posted in receiver.posted}) == 1
    stamps = [posted.headers["webhook-timestamp"] for posted in receiver.posted]
    assert stamps == [str(int(posted.at.timestamp())) for posted in receiver.posted]
    assert len(set(stamps)) == 10
    (delivery,) = await hooks.deliveries("bot")
    assert (delivery.status, delivery.attempts, delivery.last_error) == ("failed", 10, "http_500")
    assert await hooks.counts("bot") == {"pending": 0, "delivered": 0, "failed": 1, "discarded": 0}


async def test_jitter_only_lengthens_a_wait(log, append, receiver, secret, clock):
    dispatcher = WebhookDispatcher(log, receiver, rng=lambda: 1.0)
    receiver.answers = [SendResult(500)]
    await append()
    await dispatcher.run_once()
    clock.advance(5.4)
    assert await dispatcher.run_once() == 0
    clock.advance(0.11)
    assert await dispatcher.run_once() == 1


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (SendResult(301), "http_301"),
        (SendResult(404), "http_404"),
        (SendResult(error="connect"), "connect"),
        (ConnectionError("secret words"), "ConnectionError"),
        (TimeoutError(), "timeout"),
    ],
)
async def test_anything_but_2xx_is_a_failure_with_a_class(append, dispatcher, receiver, secret, hooks, result, error):
    receiver.answers = [result]
    event = await append()
    await dispatcher.run_once()
    (delivery,) = await hooks.deliveries("bot", "main")
    assert (delivery.status, delivery.last_error, delivery.event_id) == ("pending", error, event.id)


async def test_an_attempt_that_hangs_is_cut_off(log, append, receiver, secret, hooks):
    receiver.gate = asyncio.Event()
    dispatcher = WebhookDispatcher(log, receiver, policy=DeliveryPolicy(timeout=0.01, lease=10))
    await append()
    await dispatcher.run_once()
    (delivery,) = await hooks.deliveries("bot")
    assert (delivery.status, delivery.last_error) == ("pending", "timeout")


async def test_410_disables_the_endpoint_and_discards_what_waits(log, append, dispatcher, receiver, secret, hooks):
    receiver.answers = [SendResult(410)]
    await append(subject="t")
    await append(subject="t")
    await dispatcher.run_once()
    endpoint = await hooks.get("bot", "main")
    assert (endpoint.status, endpoint.disabled_reason) == ("disabled", "gone")
    assert await hooks.counts("bot") == {"pending": 0, "delivered": 0, "failed": 1, "discarded": 1}
    await append(subject="t")
    assert await dispatcher.run_once() == 0
    assert len(await hooks.deliveries("bot")) == 2, "a disabled endpoint is owed nothing"


async def test_an_endpoint_enabled_again_catches_up_by_replay_in_order(append, dispatcher, receiver, secret, hooks):
    receiver.answers = [SendResult(410)]
    events = [await append(subject="t", n=n) for n in range(2)]
    await dispatcher.run_once()
    events.append(await append(subject="t", n=2))
    with pytest.raises(InvalidEndpointError, match="enable it first"):
        await hooks.replay_since("bot", "main")
    await hooks.enable("bot", "main")
    assert await dispatcher.run_once() == 0
    assert await hooks.replay_since("bot", "main") == 3
    receiver.posted.clear()
    assert await dispatcher.run_once() == 3
    assert receiver.ids == [event.id for event in events]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_retry_after_is_never_undercut_and_holds_for_the_whole_endpoint(
    append, dispatcher, receiver, secret, clock, hooks, status
):
    receiver.answers = [SendResult(status, retry_after=600)]
    await append(subject="a")
    await dispatcher.run_once()
    await append(subject="b")
    clock.advance(599)
    assert await dispatcher.run_once() == 0
    assert (await hooks.get("bot", "main")).resume_at is not None
    clock.advance(1)
    assert await dispatcher.run_once() == 2
    assert (await hooks.counts())["delivered"] == 2


async def test_retry_after_does_not_shorten_the_schedule_nor_an_earlier_pause(
    append, dispatcher, receiver, secret, clock
):
    receiver.answers = [SendResult(429, retry_after=600), SendResult(429, retry_after=1)]
    receiver.gate = asyncio.Event()
    await append(subject="a")
    await append(subject="b")
    sending = asyncio.create_task(dispatcher.run_once())
    receiver.gate.set()
    assert await sending == 2
    clock.advance(599)
    assert await dispatcher.run_once() == 0
    receiver.answers = [SendResult(503, retry_after=1), SendResult(204)]
    clock.advance(1)
    assert await dispatcher.run_once() == 2
    clock.advance(5 * MINUTE - 1)
    assert await dispatcher.run_once() == 0
    clock.advance(1)
    assert await dispatcher.run_once() == 1


async def test_an_endpoint_gets_only_the_types_it_wants(append, dispatcher, receiver, hooks):
    await hooks.put("bot", "closed", url=URL, types=["ticket.closed"])
    await append("message.created")
    wanted = await append("ticket.closed")
    await append("ticket.closed", stream="other")
    await dispatcher.run_once()
    assert receiver.ids == [wanted.id]
    endpoint, again = await hooks.put("bot", "closed", url=URL, types=["message.created"])
    assert (endpoint.types, again) == (("message.created",), None)
    later = await append("message.created")
    await append("ticket.closed")
    await dispatcher.run_once()
    assert receiver.ids == [wanted.id, later.id]


async def test_a_new_endpoint_gets_what_comes_after_it(append, dispatcher, receiver, hooks):
    await append()
    await hooks.put("bot", "main", url=URL)
    event = await append()
    await dispatcher.run_once()
    assert receiver.ids == [event.id]


async def test_a_failing_event_holds_its_subject_and_no_other(append, dispatcher, receiver, secret, clock, hooks):
    receiver.answers = [SendResult(500)]
    first = await append(subject="a")
    await dispatcher.run_once()
    second = await append(subject="a")
    other = await append(subject="b")
    alone = [await append(), await append()]
    await hooks.put("bot", "else", url="https://else.example/")
    await dispatcher.run_once()
    assert receiver.ids[:1] == [first.id]
    assert sorted(receiver.ids[1:]) == sorted([other.id, alone[0].id, alone[1].id])
    receiver.posted.clear()
    clock.advance(5)
    await dispatcher.run_once()
    assert receiver.ids == [first.id, second.id]


async def test_a_given_up_event_lets_its_subject_go_on(log, append, receiver, secret, clock, hooks):
    dispatcher = WebhookDispatcher(log, receiver, policy=DeliveryPolicy(schedule=(0, 5), jitter=0))
    receiver.answers = [SendResult(500), SendResult(500)]
    await append(subject="a")
    second = await append(subject="a")
    await dispatcher.run_once()
    clock.advance(5)
    await dispatcher.run_once()
    assert receiver.ids[-1] == second.id
    assert await hooks.counts("bot") == {"pending": 0, "delivered": 1, "failed": 1, "discarded": 0}
