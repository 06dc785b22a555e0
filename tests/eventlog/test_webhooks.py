"""Delivering as Standard Webhooks: what is sent, when again, in which order, and what is kept of it."""

import asyncio
import json
import logging
from datetime import timedelta

import pytest
import sqlalchemy as sa
import standardwebhooks

from hitl_core.database import begin_write
from hitl_core.eventlog import (
    DeliveryPolicy,
    EndpointNotFoundError,
    EventLog,
    InvalidEndpointError,
    SendResult,
    WebhookDispatcher,
)
from hitl_core.standard_webhooks import verify

pytestmark = pytest.mark.anyio

URL = "https://bot.example/hook"
MINUTE, HOUR = 60, 3600


@pytest.fixture
def dispatcher(log, receiver):
    return WebhookDispatcher(log, receiver, rng=lambda: 0.0)


@pytest.fixture
async def secret(hooks):
    _, secret = await hooks.put("bot", "main", url=URL)
    return secret


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


async def test_what_waits_behind_a_failing_event_follows_at_once_when_it_is_replayed(
    append, dispatcher, receiver, secret, clock, hooks
):
    receiver.answers = [SendResult(500), SendResult(500)]
    events = [await append(subject="a", n=n) for n in range(4)]
    await dispatcher.run_once()
    clock.advance(5)
    await dispatcher.run_once()
    waiting = await hooks.deliveries("bot")
    assert {delivery.next_attempt_at for delivery in waiting} == {clock.now() + timedelta(minutes=5)}
    receiver.posted.clear()
    await hooks.replay("bot", waiting[-1].id)
    await dispatcher.run_once()
    assert receiver.ids == [event.id for event in events]


async def test_one_subject_is_never_sent_twice_at_once(append, dispatcher, receiver, secret, tools):
    receiver.gate = asyncio.Event()
    for _ in range(3):
        await append(subject="a")
    async with dispatcher:
        await tools.eventually(lambda: len(receiver.posted) == 1)
        for _ in range(5):
            await append(subject="b")
            await tools.eventually(lambda: len(receiver.posted) == 2)
        receiver.gate.set()
        await tools.eventually(lambda: len(receiver.posted) == 8)
    assert len(set(receiver.ids)) == 8


async def test_concurrency_is_bounded_in_all_and_per_endpoint(log, append, receiver, hooks, tools):
    for name in "abc":
        await hooks.put("bot", name, url=f"https://{name}.example/")
    for n in range(4):
        await append(n=n)
    receiver.gate = asyncio.Event()
    policy = DeliveryPolicy(concurrency=5, endpoint_concurrency=2)
    async with WebhookDispatcher(log, receiver, policy=policy):
        await tools.eventually(lambda: len(receiver.posted) == 5)
        log.notify()
        for _ in range(3):
            await hooks.counts()  # lets the dispatcher look again
        urls = [posted.url for posted in receiver.posted]
        assert sorted(urls.count(f"https://{name}.example/") for name in "abc") == [1, 2, 2]
        receiver.gate.set()
        await tools.eventually(lambda: len(receiver.posted) == 12)


async def test_a_lease_keeps_a_second_dispatcher_away_until_it_ends(log, append, receiver, secret, clock, tools):
    receiver.gate = asyncio.Event()
    event = await append()
    first = WebhookDispatcher(log, receiver, rng=lambda: 0.0)
    sending = asyncio.create_task(first.run_once())
    await tools.eventually(lambda: len(receiver.posted) == 1)
    second = WebhookDispatcher(log, tools.Receiver(clock), rng=lambda: 0.0)
    clock.advance(29)
    assert await second.run_once() == 0
    clock.advance(1)
    assert await second.run_once() == 1
    assert second._sender.ids == [event.id], "the same webhook-id"
    receiver.answers.append(SendResult(500))
    receiver.gate.set()
    assert await sending == 1


async def test_a_result_that_comes_after_the_lease_was_lost_changes_nothing(
    log, append, receiver, secret, clock, tools, hooks
):
    receiver.gate = asyncio.Event()
    receiver.answers = [SendResult(500)]
    await append()
    sending = asyncio.create_task(WebhookDispatcher(log, receiver).run_once())
    await tools.eventually(lambda: len(receiver.posted) == 1)
    clock.advance(30)
    assert await WebhookDispatcher(log, tools.Receiver(clock)).run_once() == 1
    receiver.gate.set()
    await sending
    (delivery,) = await hooks.deliveries("bot")
    assert (delivery.status, delivery.attempts, delivery.last_status) == ("delivered", 2, 204)
    log_lines = await hooks.attempts("bot", delivery.id)
    assert [(line.n, line.status, line.error) for line in log_lines] == [(1, 500, "http_500"), (2, 204, None)]


async def test_a_late_failure_does_not_take_the_lease_from_the_attempt_that_followed_it(
    log, append, dispatcher, receiver, secret, clock, tools, hooks
):
    first, second = asyncio.Event(), asyncio.Event()
    receiver.gate = first
    receiver.answers = [SendResult(500), SendResult(204)]
    await append()
    early = asyncio.create_task(dispatcher.run_once())
    await tools.eventually(lambda: len(receiver.posted) == 1)
    receiver.gate = second
    clock.advance(30)
    late = asyncio.create_task(dispatcher.run_once())
    await tools.eventually(lambda: len(receiver.posted) == 2)
    first.set()
    await tools.eventually(lambda: len(dispatcher._jobs) == 1)
    (delivery,) = await hooks.deliveries("bot")
    assert (delivery.status, delivery.failures) == ("pending", 0)
    assert await WebhookDispatcher(log, receiver).run_once() == 0
    second.set()
    await asyncio.gather(early, late)
    assert (await hooks.counts("bot"))["delivered"] == 1


async def test_a_failure_that_comes_after_the_endpoint_was_disabled_owes_nothing_new(
    log, append, receiver, secret, tools, hooks
):
    dispatcher = WebhookDispatcher(log, receiver, policy=DeliveryPolicy(schedule=(0,)))
    receiver.gate = asyncio.Event()
    receiver.answers = [SendResult(500)]
    await append()
    sending = asyncio.create_task(dispatcher.run_once())
    await tools.eventually(lambda: len(receiver.posted) == 1)
    endpoint = await hooks.disable("bot", "main", "switched off by Ada")
    receiver.gate.set()
    await sending
    assert endpoint.disabled_reason == "switched off by Ada"
    assert await hooks.counts("bot") == {"pending": 0, "delivered": 0, "failed": 0, "discarded": 1}


async def test_many_dispatchers_send_each_delivery_once_and_in_order(log, append, tools, clock, secret, hooks):
    receiver = tools.Receiver(clock)
    events = [await append(subject=f"s{n % 4}", n=n) for n in range(40)]
    dispatchers = [WebhookDispatcher(log, receiver) for _ in range(4)]
    while (await hooks.counts())["pending"]:
        await asyncio.gather(*(dispatcher.run_once() for dispatcher in dispatchers))
    assert sorted(receiver.ids) == sorted(event.id for event in events)
    for subject in range(4):
        own = [event.id for event in events if event.subject == f"s{subject}"]
        assert [sent for sent in receiver.ids if sent in own] == own


async def test_stopping_gives_unfinished_work_back_at_once(log, append, receiver, secret, tools, hooks, clock):
    receiver.gate = asyncio.Event()
    event = await append()
    dispatcher = WebhookDispatcher(log, receiver)
    running = asyncio.create_task(dispatcher.run())
    await tools.eventually(lambda: len(receiver.posted) == 1)
    await dispatcher.stop(grace=0)
    await running
    receiver.gate.set()
    assert await WebhookDispatcher(log, receiver).run_once() == 1
    assert receiver.ids == [event.id, event.id]
    (delivery,) = await hooks.deliveries("bot")
    first, second = await hooks.attempts("bot", delivery.id)
    assert (first.duration_ms, first.status, first.error) == (None, None, None)
    assert (second.duration_ms, second.status) == (0, 204)


async def test_stopping_waits_for_an_attempt_under_way(append, dispatcher, receiver, secret, tools, hooks):
    receiver.gate = asyncio.Event()
    await append()
    async with dispatcher:
        await tools.eventually(lambda: len(receiver.posted) == 1)
        asyncio.get_running_loop().call_later(0.01, receiver.gate.set)
    assert (await hooks.counts())["delivered"] == 1


async def test_the_attempt_is_in_the_delivery_log_before_anything_is_sent(
    append, dispatcher, receiver, secret, tools, hooks
):
    receiver.gate = asyncio.Event()
    event = await append()
    async with dispatcher:
        await tools.eventually(lambda: len(receiver.posted) == 1)
        (attempt,) = await hooks.attempts("bot", f"{event.id}.main")
        assert (attempt.n, attempt.duration_ms) == (1, None)
        receiver.gate.set()


async def test_the_running_dispatcher_delivers_on_notify_and_finds_retries_by_polling(
    append, dispatcher, receiver, secret, tools, clock
):
    receiver.answers = [SendResult(500)]
    async with dispatcher:
        await append()
        await tools.eventually(lambda: len(receiver.posted) == 1)
        for _ in range(5):
            await tools.eventually(lambda: clock.sleeping() and len(dispatcher._jobs) == 0)
            clock.advance(1)
        await tools.eventually(lambda: len(receiver.posted) == 2)


async def test_rotation_signs_with_both_secrets_until_the_overlap_ends(
    append, dispatcher, receiver, secret, hooks, clock
):
    new = await hooks.rotate_secret("bot", "main", overlap=timedelta(hours=24))
    assert new != secret
    await append()
    await dispatcher.run_once()
    both = receiver.posted[-1]
    for one in (new, secret):
        assert verify([one], both.headers, both.body, now=clock.now())
    assert len(both.headers["webhook-signature"].split(" ")) == 2
    clock.advance(24 * HOUR)
    await append()
    await dispatcher.run_once()
    only = receiver.posted[-1]
    assert verify([new], only.headers, only.body, now=clock.now())
    assert len(only.headers["webhook-signature"].split(" ")) == 1
    endpoint = await hooks.get("bot", "main")
    assert endpoint.secret_expiries == (None, clock.now())


async def test_a_leaked_secret_ends_at_once_and_old_ones_are_forgotten(hooks, secret, append, dispatcher, receiver):
    await hooks.rotate_secret("bot", "main")
    new = await hooks.rotate_secret("bot", "main", overlap=timedelta(0))
    assert (await hooks.get("bot", "main")).secret_expiries == (None,)
    await append()
    await dispatcher.run_once()
    assert len(receiver.posted[0].headers["webhook-signature"].split(" ")) == 1
    assert new.startswith("whsec_")


async def test_a_test_event_goes_to_its_endpoint_only_whatever_its_types(log, dispatcher, receiver, hooks):
    await hooks.put("bot", "main", url=URL, types=["ticket.closed"])
    await hooks.put("bot", "else", url="https://else.example/")
    delivery = await hooks.send_test("bot", "main")
    assert delivery.status == "pending"
    assert await dispatcher.run_once() == 1
    assert json.loads(receiver.posted[0].body)["type"] == "webhook.test"
    assert receiver.posted[0].url == URL
    assert (await hooks.delivery("bot", delivery.id)).status == "delivered"
    assert await hooks.replay_since("bot", "else") == 0, "someone else's test is not replayed"
    await hooks.disable("bot", "main")
    with pytest.raises(InvalidEndpointError, match="disabled"):
        await hooks.send_test("bot", "main")


async def test_a_replay_sends_the_same_again_and_counts_on_in_the_delivery_log(
    append, dispatcher, receiver, secret, hooks
):
    event = await append()
    await dispatcher.run_once()
    (delivery,) = await hooks.deliveries("bot")
    again = await hooks.replay("bot", delivery.id)
    assert (again.status, again.failures, again.finished_at) == ("pending", 0, None)
    await dispatcher.run_once()
    assert receiver.ids == [event.id, event.id]
    assert receiver.posted[0].body == receiver.posted[1].body
    assert [line.n for line in await hooks.attempts("bot", delivery.id)] == [1, 2]


async def test_a_range_is_replayed_behind_a_cursor_or_by_status(log, append, receiver, secret, hooks, clock):
    dispatcher = WebhookDispatcher(log, receiver, policy=DeliveryPolicy(schedule=(0,)))
    receiver.answers = [SendResult(500)]
    events = [await append(subject="t", n=n) for n in range(4)]
    await dispatcher.run_once()
    receiver.posted.clear()
    assert await hooks.replay_since("bot", "main", statuses={"failed", "discarded"}) == 1
    await dispatcher.run_once()
    assert receiver.ids == [events[0].id]
    receiver.posted.clear()
    assert await hooks.replay_since("bot", "main", events[1].cursor) == 2
    await dispatcher.run_once()
    assert receiver.ids == [events[2].id, events[3].id]


async def test_the_delivery_log_pages_newest_first(append, dispatcher, receiver, secret, hooks):
    await hooks.put("bot", "else", url="https://else.example/")
    events = [await append(n=n) for n in range(3)]
    first = await hooks.deliveries("bot", limit=4)
    rest = await hooks.deliveries("bot", before=first[-1].id)
    assert [(each.event_id, each.endpoint_id) for each in (*first, *rest)] == [
        (event.id, name) for event in reversed(events) for name in ("else", "main")
    ]
    assert await hooks.deliveries("bot", statuses=["delivered"]) == ()
    assert await hooks.deliveries("stranger") == ()


async def test_tenants_do_not_see_each_others_endpoints_or_deliveries(append, dispatcher, secret, hooks):
    await append()
    (delivery,) = await hooks.deliveries("bot")
    for call in (
        hooks.get("stranger", "main"),
        hooks.delete("stranger", "main"),
        hooks.disable("stranger", "main"),
        hooks.enable("stranger", "main"),
        hooks.rotate_secret("stranger", "main"),
        hooks.send_test("stranger", "main"),
        hooks.replay_since("stranger", "main"),
        hooks.delivery("stranger", delivery.id),
        hooks.attempts("stranger", delivery.id),
        hooks.replay("stranger", delivery.id),
        hooks.deliveries("stranger", before=delivery.id),
    ):
        with pytest.raises(EndpointNotFoundError):
            await call
    await hooks.put("stranger", "main", url=URL)
    assert [endpoint.stream for endpoint in await hooks.list("bot")] == ["bot"]


async def test_deleting_an_endpoint_ends_its_deliveries_even_under_way(
    append, dispatcher, receiver, secret, hooks, tools
):
    receiver.gate = asyncio.Event()
    await append()
    await append()
    async with dispatcher:
        await tools.eventually(lambda: len(receiver.posted) == 2)
        await hooks.delete("bot", "main")
        receiver.gate.set()
    assert await hooks.deliveries("bot") == ()
    assert await hooks.list("bot") == ()


async def test_an_endpoint_changes_in_the_hosts_transaction(log, hooks, append):
    async def change_of_mind():
        async with begin_write(log.engine) as conn:
            await hooks.put("bot", "main", url=URL, conn=conn)
            assert (await hooks.get("bot", "main", conn=conn)).url == URL
            assert len(await hooks.list("bot", conn=conn)) == 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await change_of_mind()
    assert await hooks.list("bot") == ()


@pytest.mark.parametrize(
    "url",
    [
        "", "bot.example/hook", "ftp://bot.example/", "https://", "https://user:word@bot.example/", "https://bot.example:x/",
        "https://bot.example/a b", "https://bot.example/\n", "https://bot.example/" + "x" * 2048, "https://[::1/",
    ],
)  # fmt: skip
async def test_a_url_that_cannot_be_posted_to_is_refused_without_showing_it(hooks, url):
    with pytest.raises(InvalidEndpointError) as caught:
        await hooks.put("bot", "main", url=url)
    assert "word" not in str(caught.value).replace("password", "")


@pytest.mark.parametrize(("id", "types"), [("", None), ("a b", None), ("x" * 65, None), ("main", ["ticket.*"])])
async def test_ids_and_types_are_checked(hooks, id, types):
    with pytest.raises(InvalidEndpointError):
        await hooks.put("bot", id, url=URL, types=types)


async def test_no_secret_and_no_customers_words_show_in_logs_and_reprs(
    append, dispatcher, receiver, secret, hooks, caplog
):
    caplog.set_level(logging.DEBUG)
    receiver.answers = [ConnectionError("4111"), SendResult(410)]
    await append(text="my card is 4111")
    await dispatcher.run_once()
    hidden = secret.removeprefix("whsec_")
    shown = caplog.text + repr(await hooks.get("bot", "main")) + repr(await hooks.deliveries("bot"))
    assert "4111" not in shown
    assert hidden not in shown
    assert "bot.example" not in shown


async def test_the_dispatcher_outlives_a_database_that_is_away(
    log, engine, tables, append, dispatcher, receiver, secret, tools, clock, caplog
):
    async with dispatcher:
        await tools.eventually(lambda: clock.sleeping() == [1])
        async with begin_write(engine) as conn:
            await conn.execute(
                sa.text(f"alter table {tables.deliveries.name} rename to hidden_{tables.deliveries.name}")
            )
        clock.advance(1)
        await tools.eventually(lambda: "cannot look for webhook deliveries" in caplog.text)
        async with begin_write(engine) as conn:
            await conn.execute(
                sa.text(f"alter table hidden_{tables.deliveries.name} rename to {tables.deliveries.name}")
            )
        event = await append()
        clock.advance(1)
        await tools.eventually(lambda: receiver.ids == [event.id])


async def test_a_result_is_written_once_the_database_is_back(
    engine, tables, append, dispatcher, receiver, secret, tools, clock, hooks
):
    receiver.gate = asyncio.Event()
    await append()
    sending = asyncio.create_task(dispatcher.run_once())
    await tools.eventually(lambda: len(receiver.posted) == 1)
    async with begin_write(engine) as conn:
        await conn.execute(sa.text(f"alter table {tables.deliveries.name} rename to hidden_{tables.deliveries.name}"))
    receiver.gate.set()
    await tools.eventually(lambda: clock.sleeping() == [0.1])
    async with begin_write(engine) as conn:
        await conn.execute(sa.text(f"alter table hidden_{tables.deliveries.name} rename to {tables.deliveries.name}"))
    clock.advance(0.1)
    assert await sending == 1
    assert (await hooks.counts("bot"))["delivered"] == 1


async def test_a_result_that_cannot_be_written_until_the_lease_ends_is_sent_again(
    engine, tables, append, dispatcher, receiver, secret, tools, clock, hooks, caplog
):
    receiver.gate = asyncio.Event()
    event = await append(text="my card is 4111")
    name = tables.deliveries.name
    async with dispatcher:
        await tools.eventually(lambda: len(receiver.posted) == 1 and clock.sleeping() == [1])
        async with begin_write(engine) as conn:
            await conn.execute(sa.text(f"alter table {name} rename to hidden_{name}"))
        clock.advance(29.95)
        receiver.gate.set()
        await tools.eventually(lambda: "is lost" in caplog.text)
        assert "4111" not in caplog.text
        async with begin_write(engine) as conn:
            await conn.execute(sa.text(f"alter table hidden_{name} rename to {name}"))
        while len(receiver.posted) < 2:
            await tools.eventually(lambda: clock.sleeping() or len(receiver.posted) == 2)
            clock.advance(1)
    assert receiver.ids == [event.id, event.id]
    assert (await hooks.counts("bot"))["delivered"] == 1


async def test_stopping_does_not_wait_for_a_database_that_is_away(engine, tables, dispatcher, clock, tools, caplog):
    name = tables.deliveries.name
    async with begin_write(engine) as conn:
        await conn.execute(sa.text(f"alter table {name} rename to hidden_{name}"))
    async with asyncio.timeout(10), dispatcher:
        await tools.eventually(lambda: "trying again" in caplog.text and clock.sleeping() == [1])
    async with begin_write(engine) as conn:
        await conn.execute(sa.text(f"alter table hidden_{name} rename to {name}"))


async def test_a_machine_that_slept_between_leasing_and_sending_sends_nothing(engine, tables, append, secret, tools):
    class Sleepy(tools.FakeClock):
        def monotonic(self):
            self._elapsed += 11
            return super().monotonic()

        def now(self):
            return self._moment

    clock = Sleepy()
    receiver = tools.Receiver(clock)
    await append()
    assert await WebhookDispatcher(EventLog(engine, tables, clock=clock), receiver).run_once() == 1
    assert receiver.posted == []


async def test_a_replay_of_what_was_missed_respects_the_types(append, dispatcher, receiver, hooks):
    missed = [await append("ticket.closed"), await append("message.created"), await append("ticket.closed")]
    await hooks.put("bot", "main", url=URL, types=["ticket.closed"])
    assert await hooks.replay_since("bot", "main", missed[0].cursor) == 1
    await dispatcher.run_once()
    assert receiver.ids == [missed[2].id]


def test_a_lease_shorter_than_an_attempt_is_refused():
    with pytest.raises(ValueError, match="outlast"):
        DeliveryPolicy(timeout=20, lease=20)
