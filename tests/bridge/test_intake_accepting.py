"""A webhook's first moments: proven, kept, answered; nothing is read before that (behaviour F20, F21)."""

import logging
from datetime import timedelta

import pytest

from hitl_core import standard_webhooks
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.tables import deliveries
from hitl_core.calls import WebhookRegistration
from hitl_core.spec import hookimpl
from hitl_core.webhooks import WebhookDelivery, WebhookReply

from .intake_scene import DeskProvider, scene, with_intake

pytestmark = pytest.mark.anyio


async def test_f21_a_delivery_is_kept_before_it_is_answered_and_read_afterwards(store):
    async with scene(store) as it:
        it.desk.open("t1")
        await it.link("t1")
        receipt = await it.says("t1", "Hello", id="d1")
        assert receipt.accepted
        assert receipt.reply.status == 200
        assert it.desk.parsed == []
        assert await it.states() == {"d1": (0, None)}
        await it.settle()
        assert await it.states() == {"d1": (1, "1 event")}
        assert await it.said() == ["Hello"]
        assert set(it.touched) == {"c-t1"}


async def test_f20_what_is_not_proven_is_answered_401_and_leaves_no_trace(store, caplog):
    async with scene(store) as it:
        it.desk.open("t1")
        delivery = it.desk.reply("t1", "secret words")
        forged = standard_webhooks.sign(
            [standard_webhooks.generate_secret()], id="d1", timestamp=it.now, body=delivery.body
        )
        receipt = await it.receive(delivery, headers=forged)
        assert not receipt.accepted
        assert receipt.reply.status == 401
        assert await it.rows(deliveries) == []
        assert "was refused" in caplog.text
        assert "secret words" not in caplog.text


@pytest.mark.parametrize("minutes", [-30, 30])
async def test_f20_a_delivery_from_outside_the_time_window_is_refused(store, minutes):
    async with scene(store) as it:
        it.desk.open("t1")
        receipt = await it.says("t1", "Hello", at=it.now + timedelta(minutes=minutes))
        assert receipt.reply.status == 401
        assert await it.rows(deliveries) == []


async def test_f20_a_replayed_delivery_is_accepted_and_kept_once(store):
    async with scene(store) as it:
        it.desk.open("t1")
        await it.link("t1")
        delivery = it.desk.reply("t1", "Hello")
        for _ in range(3):
            assert (await it.receive(delivery, id="d1")).accepted
        await it.settle()
        assert (await it.receive(delivery, id="d1")).accepted
        await it.settle()
        assert await it.said() == ["Hello"]
        assert it.desk.parsed == [("d1", ["t1"])]


async def test_f20_secrets_that_another_process_registered_are_read_again_once_a_minute(store):
    async with scene(store, webhook_secret=()) as it:
        it.desk.open("t1")
        assert (await it.says("t1", "One")).reply.status == 401
        registered = WebhookRegistration.model_validate({"url": "https://bot.example", "secrets": [it.desk.secret]})
        value = registered.model_dump(mode="json", context={"reveal_secrets": True})
        await it.connection._context.state.put("webhook_registration", value, None)
        assert (await it.says("t1", "Two")).reply.status == 401, "anybody can ask, so not at each"
        it.clock.advance(61)
        assert (await it.says("t1", "Three")).accepted


async def test_a_probe_is_answered_without_asking_the_provider(store):
    async with scene(store, with_intake(probe_methods=frozenset({"HEAD"}))) as it:
        receipt = await it.intake.receive(it.connection, headers={}, body=b"", method="head")
        assert (receipt.accepted, receipt.reply.status) == (False, 200)
        assert (await it.intake.receive(it.connection.key, headers={}, body=b"")).reply.status == 401


async def test_a_body_that_is_too_large_is_refused_before_it_is_proven(store):
    async with scene(store) as it:
        intake = it.worker("w1", max_bytes=1000)
        it.desk.open("t1")
        delivery = it.desk.reply("t1", "x" * 2000)
        receipt = await it.receive(delivery, intake=intake)
        assert (receipt.accepted, receipt.reply.status) == (False, 413)


class ReplyingProvider(DeskProvider):
    """Its vendor wants to hear something."""

    status = 202

    @hookimpl
    def verify_webhook(self, request):
        """Answer in the vendor's way."""
        return WebhookDelivery.of(request, id="d1", reply=WebhookReply(status=self.status, body=b"[accepted]"))


async def test_the_providers_own_reply_is_given_once_the_delivery_is_kept(store):
    async with scene(store, ReplyingProvider) as it:
        receipt = await it.intake.receive(it.connection, headers={}, body=b"{}")
        assert receipt.accepted
        assert (receipt.reply.status, receipt.reply.body) == (202, b"[accepted]")


class LeavingProvider(ReplyingProvider):
    """It says what would switch its webhook off."""

    status = 410


async def test_410_is_never_answered_whoever_wants_it(store, tmp_path):
    async with scene(store, LeavingProvider) as it:
        receipt = await it.intake.receive(it.connection, headers={}, body=b"{}")
        assert receipt.accepted
        assert receipt.reply.status == 200


async def test_410_is_never_answered_for_refusals_and_a_busy_store_either(store, tmp_path, clock):
    never = frozenset({401, 410, 413, 503})
    async with scene(store, with_intake(never=never, busy_status=410)) as it:
        broken = Store(f"sqlite:///{tmp_path}/nowhere/hitl.db", clock=clock)
        intake = it.worker("w1", store=broken, max_bytes=1000)
        it.desk.open("t1")
        statuses = [
            (await it.says("t1", "Hello", intake=intake)).reply.status,
            (await it.says("t1", "x" * 2000, intake=intake)).reply.status,
            (await it.says("t1", "Hello", intake=intake, headers={})).reply.status,
        ]
        assert statuses == [500, 400, 403]
        await broken.close()


async def test_f21_a_store_that_is_lost_is_answered_busy_so_that_the_vendor_repeats_it(store, tmp_path, clock, caplog):
    async with scene(store) as it:
        broken = Store(f"sqlite:///{tmp_path}/nowhere/hitl.db", clock=clock)
        it.desk.open("t1")
        with caplog.at_level(logging.ERROR):
            receipt = await it.says("t1", "Hello there", intake=it.worker("w1", store=broken))
        assert not receipt.accepted
        assert (receipt.reply.status, receipt.reply.headers) == (503, {"retry-after": "10"})
        assert "Hello there" not in caplog.text
        await broken.close()


class SurrogateProvider(DeskProvider):
    """It takes a session's id from JSON that holds half a character."""

    @hookimpl
    def verify_webhook(self, request):
        """Name a session no database can hold."""
        return WebhookDelivery.of(request, id="d1", session_ids=["\ud800"])


async def test_what_cannot_be_stored_is_answered_busy_and_told(store, caplog):
    async with scene(store, SurrogateProvider) as it:
        receipt = await it.intake.receive(it.connection, headers={}, body=b"{}")
        assert (receipt.accepted, receipt.reply.status) == (False, 503)
        assert "cannot be stored" in caplog.text
