"""Mutants for what is not for the customer."""

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider

from .mutants_events import Retelling
from .mutation import kills


def heard_as_message(event):
    """Return an ignored message as if an agent had written it to the customer."""
    raw = event.raw["message"]
    text = hitl.Text(text=raw["text"])
    agent = hitl.Agent(id=raw["actor"]["id"])
    return hitl.AgentMessage(
        event_id=event.event_id, session=event.session, message_id=raw["id"], agent=agent, message=text, raw=event.raw
    )


class Indiscreet(Retelling):
    """The reference, passing on what it should leave out for one of the reasons."""

    passed_on: str

    def told(self, event):
        is_message = isinstance(event, hitl.Ignored) and event.reason == self.passed_on and "message" in event.raw
        return [heard_as_message(event) if is_message else event]


class Secretive(Retelling):
    """The reference, dropping what is left out for one of the reasons."""

    dropped: str

    def told(self, event):
        return [] if isinstance(event, hitl.Ignored) and event.reason == self.dropped else [event]


@kills("test_an_internal_note_is_never_a_message")
class PassesNotesOn(Indiscreet):
    """Takes an internal note for a message."""

    passed_on = "internal_note"


@kills("test_an_internal_note_is_never_a_message")
class DropsNotes(Secretive):
    """Drops internal notes without a word."""

    dropped = "internal_note"


@kills("test_what_we_sent_is_an_echo")
class HearsItself(Indiscreet):
    """Takes what we sent for an agent's message."""

    passed_on = "echo"


@kills("test_what_we_sent_is_an_echo")
class DropsEchoes(Secretive):
    """Drops echoes without a word."""

    dropped = "echo"


@kills("test_what_the_bot_said_is_known_without_a_record")
class KnowsOurMessagesById(Indiscreet):
    """Knows what we sent by the ids of messages alone."""

    passed_on = "echo"

    def retold(self, events, request):
        return super().retold(events, request) if request.known is None else events


@kills("test_what_the_customer_writes_there_is_no_agents_message")
class PassesMailOn(Indiscreet):
    """Takes a customer's mail for an agent's message."""

    passed_on = "end_user"


@kills("test_what_the_customer_writes_there_is_no_agents_message")
class MistakesMail(Retelling):
    """Takes a customer's mail for a machine's."""

    def told(self, event):
        mail = isinstance(event, hitl.Ignored) and event.reason == "end_user"
        return [event.model_copy(update={"reason": hitl.IgnoredReason.SYSTEM}) if mail else event]


@kills("test_what_a_machine_does_is_not_told_to_customers")
class TakesMachinesForAgents(Retelling):
    """Takes an automation that touches a session for an agent who takes it."""

    def told(self, event):
        if isinstance(event, hitl.Ignored) and event.reason == "system":
            return [hitl.AgentAssigned(event_id=event.event_id, session=event.session, agent=hitl.Agent(id="rules"))]
        return [event]


@kills("test_every_delivery_means_something")
class DropsMachines(Secretive):
    """Drops what automations do without a word."""

    dropped = "system"


@kills("test_a_delivery_of_an_unknown_kind_is_no_failure")
class KnowsEveryKind(Retelling):
    """Fails on kinds it does not know."""

    def told(self, event):
        if isinstance(event, hitl.UnknownEvent):
            raise hitl.WebhookParseError(event.kind)
        return [event]


@kills("test_a_delivery_of_an_unknown_kind_is_no_failure")
class DropsUnknownKinds(Retelling):
    """Drops kinds it does not know without a word."""

    def told(self, event):
        return [] if isinstance(event, hitl.UnknownEvent) else [event]


@kills("test_a_test_delivery_is_known_as_such")
class KnowsNoTests(Retelling):
    """Takes the vendor's test delivery for a kind it does not know."""

    def told(self, event):
        if isinstance(event, hitl.Ignored) and event.reason == "test_ping":
            return [hitl.UnknownEvent(kind="webhook.test", event_id=event.event_id)]
        return [event]


class Possessive(ReferenceProvider):
    """The reference, asking nobody whose a session is."""

    @hitl.hookimpl
    async def parse_webhook(self, request):
        return await super().parse_webhook(request.model_copy(update={"known": None}))


@kills("test_a_session_that_is_not_ours_is_ignored_until_it_is")
class TakesEverySessionForOurs(Possessive):
    """Takes every session for ours."""


@kills("test_a_session_no_bot_opened_is_never_heard")
class HearsEverybody(Possessive):
    """Hears what happens in sessions nobody of us opened."""


@kills("test_a_session_that_is_not_ours_is_ignored_until_it_is")
class RemembersWhoseItIs(Retelling):
    """Keeps to its first opinion of whose a session is."""

    def told(self, event):
        self._others = getattr(self, "_others", set())
        if isinstance(event, hitl.Ignored) and event.reason == "not_ours":
            self._others.add(event.session.id)
        elif event.session is not None and event.session.id in self._others:
            return [hitl.Ignored(event_id=event.event_id, session=event.session, reason="not_ours")]
        return [event]
