"""Dispatchers beside each other: leases, bounds, stopping, and a database that goes away."""

import asyncio

import pytest
import sqlalchemy as sa

from hitl_core.database import begin_write
from hitl_core.eventlog import (
    DeliveryPolicy,
    EventLog,
    SendResult,
    WebhookDispatcher,
)

pytestmark = pytest.mark.anyio


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


def test_a_lease_shorter_than_an_attempt_is_refused():
    with pytest.raises(ValueError, match="outlast"):
        DeliveryPolicy(timeout=20, lease=20)
