"""A vendor that repeats a secret in a header and only says that something happened is heard as the kit wants it."""

from typing import ClassVar

import pytest
from pydantic_core import from_json

import hitl_core as hitl
from hitl_core.signatures import SharedSecretScheme
from hitl_core.testing.reference import ReferenceProvider, ReferenceSimulator
from hitl_core.testing.simulator import Simulator

from .incoming import IncomingSuite

SCHEME = SharedSecretScheme("x-webhook-secret")


class HintingSimulator(ReferenceSimulator):
    """A helpdesk whose rules send the number of a ticket."""

    signs_time: ClassVar[bool] = False
    signs_body: ClassVar[bool] = False
    names_deliveries: ClassVar[bool] = False

    foreign_body = Simulator.foreign_body

    def sign(self, secret, body, *, id, at):
        return SCHEME.sign(secret)

    def unknown_body(self):
        return b'{"rule":"levitated"}'

    def tell(self, ticket, *events):
        self.webhooks.emit({"ticket_id": ticket.id}, session_id=ticket.id)

    async def ping(self):
        self.webhooks.emit({"rule": "test"})


class HintingProvider(ReferenceProvider):
    """Says that a ticket changed, and leaves reading it to whoever wants to know."""

    __module__ = ReferenceProvider.__module__

    @hitl.hookimpl
    def verify_webhook(self, request):
        self._ctx.verify_signature(SCHEME, request)
        return hitl.WebhookDelivery.of(request, session_ids=ticket_in(request.body))

    @hitl.hookimpl
    async def parse_webhook(self, request):
        body, id_ = request.delivery.body, f"changed:{request.delivery.id}"
        for ticket in ticket_in(body):
            session = hitl.SessionRef(connection=self._ctx.key, id=ticket)
            if not request.is_ours(ticket):
                return hitl.Parsed(events=(hitl.Ignored(event_id=id_, session=session, reason="not_ours"),))
            return hitl.Parsed(events=(hitl.SessionChanged(event_id=id_, session=session, raw=from_json(body)),))
        if rule := rule_in(body):
            known = hitl.Ignored(event_id=id_, reason="test_ping") if rule == "test" else None
            return hitl.Parsed(events=(known or hitl.UnknownEvent(event_id=id_, kind=rule, raw=from_json(body)),))
        msg = "the delivery names neither a ticket nor a rule"
        raise hitl.WebhookParseError(msg)


def ticket_in(body):
    found = content_of(body).get("ticket_id")
    return [found] if isinstance(found, str) and found else []


def rule_in(body):
    found = content_of(body).get("rule")
    return found if isinstance(found, str) else None


def content_of(body):
    try:
        content = from_json(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


class TestHintingVendor(IncomingSuite):
    @pytest.fixture
    def provider(self):
        return HintingProvider

    @pytest.fixture
    def simulator(self, clock):
        return HintingSimulator(clock=clock)
