"""Mutants for events as facts."""

import itertools

import hitl_core as hitl

from .mutants_events import Retelling, but, text_of
from .mutation import kills


@kills("test_a_delivery_read_twice_tells_the_same")
class NumbersEvents(Retelling):
    """Numbers events as they are read."""

    def told(self, event):
        self._count = getattr(self, "_count", itertools.count())
        return [but(event, event_id=f"{event.event_id}-{next(self._count)}")]


@kills("test_a_delivery_tells_every_instance_the_same")
class SignsEvents(Retelling):
    """Gives events ids that hold who read them."""

    def told(self, event):
        return [but(event, event_id=f"{event.event_id}-{id(self)}")]


@kills("test_two_facts_never_share_an_id")
class NamesEventsByTheirKind(Retelling):
    """Makes an event's id from its session and kind."""

    def told(self, event):
        return [but(event, event_id=f"{event.session.id}:{event.kind}")] if event.session else [event]


@kills("test_every_event_survives_json")
class KeepsBytes(Retelling):
    """Keeps the vendor's object as bytes."""

    def retold(self, events, request):
        return [but(event, raw=request.delivery.body) for event in events]


@kills("test_the_vendors_object_is_kept_and_not_shown")
class ThrowsTheObjectAway(Retelling):
    """Keeps nothing of what the vendor said."""

    def told(self, event):
        return [but(event, raw=None)]


@kills("test_the_vendors_object_is_kept_and_not_shown")
class NamesEventsByTheirWords(Retelling):
    """Makes an event's id from what was written."""

    def reply(self, event):
        return but(event, event_id=f"{event.event_id}:{text_of(event)}")


@kills("test_reading_needs_no_record_of_sessions")
class NeedsARecord(Retelling):
    """Takes no session for ours where no record is kept."""

    def told(self, event):
        return [hitl.Ignored(event_id=event.event_id, session=event.session, reason="not_ours")]

    def retold(self, events, request):
        return super().retold(events, request) if request.known is None and self._knows_one(events) else events

    def _knows_one(self, events):
        return any(isinstance(event, hitl.AgentMessage) for event in events)


@kills("test_reading_changes_nothing_at_the_helpdesk")
class MarksAsRead(Retelling):
    """Leaves a note on a ticket that it has read of its end."""

    @hitl.hookimpl
    async def parse_webhook(self, request):
        parsed = await super().parse_webhook(request)
        for event in parsed.events:
            if isinstance(event, hitl.SessionStopped):
                body = {"role": "system", "text": "heard", "public": False, "reopen": True}
                await self._call("parse_webhook", "POST", f"tickets/{event.session.id}/messages", json=body)
        return parsed
