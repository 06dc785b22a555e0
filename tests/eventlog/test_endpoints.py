"""Endpoints, their secrets, tests, replays and the delivery log."""

import asyncio
import json
import logging
from datetime import timedelta

import pytest

from hitl_core.database import begin_write
from hitl_core.eventlog import (
    DeliveryPolicy,
    EndpointNotFoundError,
    InvalidEndpointError,
    SendResult,
    WebhookDispatcher,
)
from hitl_core.standard_webhooks import generate_secret, verify

pytestmark = pytest.mark.anyio

URL = "https://bot.example/hook"
HOUR = 3600


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


async def test_a_secret_the_receiver_has_already_can_be_given(log, hooks, append, dispatcher, receiver):
    own = generate_secret()
    _, shown = await hooks.put("bot", "main", url=URL, secret=own)
    _, later = await hooks.put("bot", "main", url=URL, secret=generate_secret())
    await append()
    await dispatcher.run_once()
    posted = receiver.posted[0]
    assert (shown, later) == (own, None)
    verify([own], posted.headers, posted.body, now=log.clock.now())


@pytest.mark.parametrize("secret", ["", "word", "whsec_d29yZA==", "whsec_" + "ab=" * 20])
async def test_a_given_secret_that_signs_badly_is_refused_without_showing_it(hooks, secret):
    with pytest.raises(InvalidEndpointError) as caught:
        await hooks.put("bot", "main", url=URL, secret=secret)
    assert "d29" not in str(caught.value)


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


async def test_a_replay_of_what_was_missed_respects_the_types(append, dispatcher, receiver, hooks):
    missed = [await append("ticket.closed"), await append("message.created"), await append("ticket.closed")]
    await hooks.put("bot", "main", url=URL, types=["ticket.closed"])
    assert await hooks.replay_since("bot", "main", missed[0].cursor) == 1
    await dispatcher.run_once()
    assert receiver.ids == [missed[2].id]
