"""``WebhookDelivery``: what is stored of a proven delivery, and how it is told from others."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

from hitl_core.connection import Connection
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.claims import promised
from hitl_core.testing.conformance.tools.genuine import Proof, at, changed, genuine
from hitl_core.testing.simulator import SimWebhook
from hitl_core.webhooks import WebhookDelivery

__all__ = ["DeliveryTests"]

_CREDENTIALS = {
    "authorization": "Bearer kit-credential-of-a-proxy",
    "cookie": "session=kit-credential-of-a-proxy",
    "x-api-key": "kit-credential-of-a-proxy",
}


class DeliveryTests(ConformanceBase):
    """Proven deliveries."""

    @rule("verify_webhook")
    async def test_headers_count_in_any_case_and_order(self, room: Room) -> None:
        """Header names count in any case and order, among any others: servers and proxies change both."""
        _, webhook = await genuine(room)
        headers = webhook.headers
        async with at(room) as connection:
            plain = _proven(connection, webhook)
            forms = {
                "upper case": {name.upper(): value for name, value in headers.items()},
                "title case": {name.title(): value for name, value in headers.items()},
                "the reverse order": dict(reversed(headers.items())),
                "others in front": {"accept": "*/*", **headers},
                "others behind": {**headers, "x-request-id": "kit-of-a-proxy", "via": "1.1 proxy"},
            }
            for what, form in forms.items():
                with promised(f"with {what} a delivery is accepted"):
                    delivery = connection.verify_webhook(headers=form, body=webhook.body)
                same = delivery.model_copy(update={"headers": plain.headers})
                assert same == plain, f"with {what} another delivery was understood"

    @rule("verify_webhook")
    async def test_a_stored_delivery_holds_no_credential(self, room: Room) -> None:
        """What is stored of a delivery holds neither secret nor signature nor any other credential: use ``of``."""
        _, webhook = await genuine(room)
        proof = Proof.of(room.simulator)
        others = {name: value for name, value in _CREDENTIALS.items() if name not in proof.signatures}
        delivery = _proven(room.connection, changed(webhook, headers=others))
        never = {
            "the webhook secret": room.simulator.secret,
            **{f"the value of {name}": webhook.headers[name] for name in proof.signatures},
            **{f"the value of {name}": value for name, value in others.items()},
        }
        stored = delivery.model_dump_json() + repr(delivery)
        found = [what for what, value in never.items() if value in stored or json.dumps(value)[1:-1] in stored]
        assert not found, f"deliveries are stored: build them by WebhookDelivery.of; it holds {', '.join(found)}"

    @rule("verify_webhook", "parse_webhook")
    async def test_a_stored_delivery_means_the_same_when_it_is_read_later(self, room: Room) -> None:
        """A delivery that went through JSON is the same delivery, and gives the same events in another process."""
        session, webhook = await genuine(room)
        delivery = _proven(room.connection, webhook)
        stored = WebhookDelivery.model_validate_json(delivery.model_dump_json())
        assert stored == delivery, "a delivery must survive the way through JSON"
        with promised("a proven delivery is read"):
            now = await room.connection.parse_delivery(delivery, room.known(session))
        async with room.connect() as restarted:
            with promised("a stored delivery is read by whoever works then; keep nothing beside it"):
                later = await restarted.parse_delivery(stored, room.known(session))
        assert later.events == now.events, "a stored delivery must give the events it would have given at once"

    # Ids --------------------------------------------------------------------------------------------------------

    @rule("verify_webhook")
    async def test_the_same_delivery_has_the_same_id(self, room: Room) -> None:
        """One delivery that arrives at two instances of the bot gets one id (F22)."""
        _, webhook = await genuine(room)
        async with at(room) as one, at(room) as other:
            ids = {_proven(connection, webhook).id for connection in (one, one, other)}
        assert len(ids) == 1, f"one delivery got the ids {sorted(ids)}: take the vendor's, or let WebhookDelivery.of"

    @rule("verify_webhook", named_deliveries=True)
    async def test_a_repeated_delivery_has_the_same_id(self, room: Room) -> None:
        """A delivery the vendor sends again, signed anew, keeps its id (F22)."""
        _, webhook = await genuine(room)
        now = room.clock.now()
        async with at(room) as first, at(room, 30) as second:
            sent = room.signed(webhook.body, at=now, id="kit-delivery")
            again = room.signed(webhook.body, at=now + timedelta(seconds=30), id="kit-delivery")
            ids = [_proven(first, sent).id, _proven(second, again).id]
        assert ids[0] == ids[1], f"a repeated delivery got the ids {ids}: take the vendor's id of it"

    @rule("verify_webhook")
    async def test_two_deliveries_have_two_ids(self, room: Room) -> None:
        """Two deliveries of one session never share an id: the second would pass for a repeat of the first (F22)."""
        session, webhook = await genuine(room)
        _, next_webhook = await genuine(room, session)
        async with at(room) as one, at(room, 1) as other:
            ids = [_proven(one, webhook).id, _proven(other, next_webhook).id]
        assert ids[0] != ids[1], f"two deliveries share the id {ids[0]!r}, so the second would be dropped as a repeat"

    # Plain and quick --------------------------------------------------------------------------------------------

    @rule("verify_webhook")
    async def test_proving_a_delivery_asks_nobody(self, room: Room) -> None:
        """Proving a delivery sends no request, neither at once nor behind the caller's back."""
        _, webhook = await genuine(room)
        before = len(room.wire.requests)
        _proven(room.connection, webhook)
        for _ in range(10):
            await asyncio.sleep(0)  # the turn of whatever was started on the side
        sent = [f"{request.method} {request.url.partition('?')[0]}" for request in room.wire.requests[before:]]
        assert not sent, f"verify_webhook answers by itself, since vendors wait for it; it sent {', '.join(sent)}"


def _proven(connection: Connection, webhook: SimWebhook) -> WebhookDelivery:
    with promised("a genuine delivery is accepted"):
        return connection.verify_webhook(headers=webhook.headers, body=webhook.body)
    raise AssertionError  # never: what is promised is returned, or has failed
