"""Mutants for what is stored of deliveries, and for deliveries nobody should send."""

import asyncio
import hashlib
import itertools
import json
import time
from typing import ClassVar

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider

from .mutants_authenticity import Verifier
from .mutation import kills


@kills("test_headers_count_in_any_case_and_order")
class CountsHeaders(Verifier):
    """Takes the last header for the vendor's id of the delivery."""

    def proven(self, request):
        delivery = super().proven(request)
        return delivery.model_copy(update={"id": list(request.headers.values())[-1]})


@kills("test_a_stored_delivery_holds_no_credential")
class StoresEveryHeader(Verifier):
    """Stores the headers as they came."""

    def proven(self, request):
        return super().proven(request).model_copy(update={"headers": dict(request.headers)})


@kills("test_a_stored_delivery_means_the_same_when_it_is_read_later")
class KeepsTheBodyInMemory(Verifier):
    """Stores a delivery without its body, which it remembers."""

    def concluded(self, delivery):
        self._body = delivery.body
        return delivery.model_copy(update={"body": b""})

    @hitl.hookimpl
    async def parse_webhook(self, request):
        whole = request.delivery.model_copy(update={"body": getattr(self, "_body", b'{"events":[]}')})
        return await super().parse_webhook(request.model_copy(update={"delivery": whole}))


@kills("test_the_same_delivery_has_the_same_id")
class CountsDeliveries(Verifier):
    """Numbers deliveries as they arrive."""

    _count: ClassVar = itertools.count()

    def concluded(self, delivery):
        return delivery.model_copy(update={"id": f"{delivery.id}-{next(self._count)}"})


@kills("test_a_repeated_delivery_has_the_same_id")
class TakesTheTimeForTheId(Verifier):
    """Leaves the vendor's id of the delivery unused."""

    def proven(self, request):
        plain = super().proven(request)
        return hitl.WebhookDelivery.of(request, session_ids=plain.session_ids, account=plain.account)


@kills("test_two_deliveries_have_two_ids")
class TakesTheSessionForTheId(Verifier):
    """Names a delivery by the session it is about."""

    def concluded(self, delivery):
        return delivery.model_copy(update={"id": hashlib.sha256("".join(delivery.session_ids).encode()).hexdigest()})


@kills("test_proving_a_delivery_asks_nobody")
class LooksTheSessionUp(Verifier):
    """Asks the helpdesk on the side whether the session exists."""

    def concluded(self, delivery):
        self._asking = asyncio.get_running_loop().create_task(self._call("verify_webhook", "GET", "me"))
        return delivery


# Deliveries nobody should send ----------------------------------------------------------------------------------------


@kills("test_signed_nonsense_is_refused_as_such")
class ExpectsAnObject(Verifier):
    """Reads the body of a delivery as if it were always one of the vendor's."""

    def arrived(self, request):
        json.loads(request.body).keys()
        return request


@kills("test_signed_nonsense_is_refused_as_such")
class ReadsWithoutCare(ReferenceProvider):
    """Lets the errors of its reader out."""

    @hitl.hookimpl
    async def parse_webhook(self, request):
        json.loads(request.delivery.body)["events"]
        return await super().parse_webhook(request)


@kills("test_large_and_deep_deliveries_cost_little")
class IsSlow(Verifier):
    """Takes longer, the larger a body is."""

    def arrived(self, request):
        end = time.thread_time() + (1.1 if request.body.startswith(b"\x00\x00") else 0)
        while time.thread_time() < end:
            pass
        return request


@kills("test_values_of_wrong_kinds_are_refused_as_such")
class TrustsTheForm(Verifier):
    """Names sessions by whatever stands where an id should be."""

    def concluded(self, delivery):
        try:
            events = json.loads(delivery.body)["events"]
        except (ValueError, KeyError, TypeError):
            return delivery
        return delivery.model_copy(update={"session_ids": tuple(sorted({event["ticket_id"] for event in events}))})


@kills("test_a_refusal_quotes_nothing_of_the_delivery")
class QuotesTheBody(ReferenceProvider):
    """Shows what it cannot read."""

    @hitl.hookimpl
    async def parse_webhook(self, request):
        try:
            return await super().parse_webhook(request)
        except hitl.WebhookParseError as error:
            msg = f"cannot read {request.delivery.body[:300]!r}"
            raise hitl.WebhookParseError(msg) from error
