"""Webhooks of simulators: the vendor's retry policy by the injected clock, and what can happen on the way."""

import pytest

from hitl_core.testing.reference import ReferenceSimulator
from hitl_core.testing.reference.events import SIGNATURE
from hitl_core.testing.simulator import WebhookFault, WebhookRetries

pytestmark = pytest.mark.anyio

URL = "https://bot.test/hook"


@pytest.fixture
def subscribed(simulator):
    simulator.webhooks.endpoints.clear()
    simulator.webhooks.subscribe("bot", URL, simulator.secret)


async def replies(control, ticket, *texts):
    for text in texts:
        await control.reply(ticket, text)


def texts(posted):
    return [text for _, _, body in posted for text in (b"one", b"two", b"three") if text in body]


async def test_a_webhook_is_signed_as_the_vendor_signs(control, ticket, clock, simulator):
    await control.reply(ticket, "one")
    (sent,) = await control.webhooks()
    assert SIGNATURE.verify([simulator.secret], sent.headers, sent.body, now=clock.now()).id == sent.id


async def test_a_failed_delivery_is_repeated_by_the_vendors_policy_with_one_id(
    control, ticket, clock, posted, subscribed, simulator
):
    posted.status = 500
    await control.reply(ticket, "one")
    for delay in simulator.webhook_retries.delays:
        await control.advance(delay - 1)
        before = len(posted)
        await control.advance(1)
        assert len(posted) == before + 1
    await control.advance(10_000)
    assert len(posted) == 1 + len(simulator.webhook_retries.delays)
    assert len({headers["x-reference-id"] for _, headers, _ in posted}) == 1
    attempts = await control.webhooks()
    assert [attempt.attempt for attempt in attempts] == [1, 2, 3, 4]
    assert [attempt.status for attempt in attempts] == [500] * 4


async def test_each_attempt_is_signed_at_its_own_time(control, ticket, posted, subscribed):
    posted.status = 500
    await control.reply(ticket, "one")
    posted.status = 200
    await control.advance(5)
    assert len({headers["x-reference-time"] for _, headers, _ in posted}) == 2


async def test_an_answer_that_disables_ends_everything(control, ticket, posted, subscribed):
    posted.status = 410
    await replies(control, ticket, "one", "two")
    await control.advance(10_000)
    assert texts(posted) == [b"one"]


async def test_a_final_status_is_not_repeated(simulator, control, ticket, posted, subscribed):
    simulator.webhooks._retries = WebhookRetries(final=frozenset({400}))
    posted.status = 400
    await control.reply(ticket, "one")
    await control.advance(10_000)
    assert len(posted) == 1


async def test_no_answer_is_a_failure(control, ticket, posted, subscribed):
    posted.status = None
    await control.reply(ticket, "one")
    posted.status = 200
    await control.advance(5)
    assert len(posted) == 2


async def test_lost(control, ticket, posted, subscribed):
    await control.add_webhook_fault(WebhookFault("lose"))
    await replies(control, ticket, "one", "two")
    assert texts(posted) == [b"two"]


async def test_duplicated(control, ticket, posted, subscribed):
    await control.add_webhook_fault(WebhookFault("duplicate"))
    await replies(control, ticket, "one", "two")
    assert texts(posted) == [b"one", b"one", b"two"]


async def test_delayed(control, ticket, posted, subscribed):
    await control.add_webhook_fault(WebhookFault("delay", seconds=30))
    await replies(control, ticket, "one", "two")
    assert texts(posted) == [b"two"]
    await control.advance(30)
    assert texts(posted) == [b"two", b"one"]


async def test_reordered(control, ticket, posted, subscribed):
    await control.add_webhook_fault(WebhookFault("reorder", count=3))
    await replies(control, ticket, "one", "two", "three")
    assert texts(posted) == [b"three", b"two", b"one"]


async def test_an_endpoint_that_is_gone_hears_nothing_more(control, simulator, ticket, posted, subscribed):
    posted.status = 500
    await control.reply(ticket, "one")
    assert simulator.webhooks.unsubscribe("bot")
    assert not simulator.webhooks.unsubscribe("bot")
    await control.advance(10_000)
    assert len(posted) == 1


async def test_what_the_vendors_own_code_signed_goes_out_as_it_is_and_is_not_repeated(simulator, control, posted):
    endpoint = simulator.webhooks.subscribe("bot", URL, "not used")
    for attempt, status in enumerate((500, 204), 1):
        posted.status = status
        answer = await simulator.webhooks.forward(endpoint, {"by": "itself"}, b"{}", id="evt-1", attempt=attempt)
        assert answer == status
    await control.advance(10_000)
    assert posted == [(URL, {"by": "itself"}, b"{}")] * 2
    assert [(sent.id, sent.attempt, sent.status) for sent in await control.webhooks()] == [
        ("evt-1", 1, 500),
        ("evt-1", 2, 204),
    ]


async def test_faults_hit_what_the_vendors_own_code_signed_and_it_does_not_notice(simulator, control, posted):
    endpoint = simulator.webhooks.subscribe("bot", URL, "not used")
    await control.add_webhook_fault(WebhookFault("lose"))
    await control.add_webhook_fault(WebhookFault("delay", seconds=30))
    for number in (b"1", b"2", b"3"):
        assert await simulator.webhooks.forward(endpoint, {}, number, id=f"evt-{number}") in {200, 204}
    assert [body for _, _, body in posted] == [b"3"]
    await control.advance(30)
    assert [body for _, _, body in posted] == [b"3", b"2"]


async def test_a_simulator_that_ended_badly_can_be_run_again_and_sends_its_webhooks(posted, clock):
    simulator = ReferenceSimulator(clock=clock, post=posted.post)
    with pytest.raises(LookupError):
        async with simulator.running(dispatching=True):
            raise LookupError
    async with simulator.running():
        simulator.webhooks.subscribe("bot", URL, simulator.secret)
        simulator.webhooks.emit(b"one")
        await simulator.pump()
    assert texts(posted) == [b"one"]
