"""``parse_webhook``: one fact, one id, whoever reads it, and however often."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from hitl_core.events import AgentMessage, AnyEvent, SessionChanged, parse_event
from hitl_core.testing.clock import VirtualClock
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.claims import promised
from hitl_core.testing.conformance.tools.genuine import REPLY, at, genuine
from hitl_core.testing.conformance.tools.hearing import everything_told, replies, said

__all__ = ["FactTests"]


class FactTests(ConformanceBase):
    """Events are facts."""

    @rule("parse_webhook")
    async def test_a_delivery_read_twice_tells_the_same(self, room: Room) -> None:
        """A delivery that arrives twice gives the same events with the same ``event_id`` (F22)."""
        _, webhooks = await everything_told(room)
        async with at(room) as connection:
            for webhook in webhooks:
                once, twice = [await _read(connection, webhook) for _ in range(2)]
                _assert_same(once, twice, "when it was read a second time")

    @rule("parse_webhook")
    async def test_a_delivery_tells_every_instance_the_same(self, room: Room) -> None:
        """A delivery gives the same events with the same ``event_id`` to every instance of the bot (F22)."""
        _, webhooks = await everything_told(room)
        async with at(room) as one, at(room) as other:
            for webhook in webhooks:
                _assert_same(await _read(one, webhook), await _read(other, webhook), "to another instance")

    @rule("parse_webhook")
    async def test_two_facts_never_share_an_id(self, room: Room) -> None:
        """Two events with one ``event_id`` tell the same fact: any other would be dropped as a repeat (F22)."""
        _, webhooks = await everything_told(room)
        clock = VirtualClock(webhooks[0].sent_at)
        told: dict[str, tuple[Any, AnyEvent]] = {}
        async with room.connect(clock=clock) as connection:
            for webhook in webhooks:
                clock.advance(max((webhook.sent_at - clock.now()) / timedelta(seconds=1), 0))
                events = await _read(connection, webhook)
                ids = [event.event_id for event in events]
                assert len(set(ids)) == len(ids), f"two events of one delivery share an id: {ids}"
                for event in events:
                    delivery = webhook.body, webhook.sent_at  # all that tells one hint from another
                    before = told.setdefault(event.event_id, (delivery, event))
                    if before[0] != delivery:
                        _assert_one_fact(before[1], event)

    @rule("parse_webhook")
    async def test_every_event_survives_json(self, room: Room) -> None:
        """Every event is the same after a way through JSON: events are stored before they are worked on (F21)."""
        _, webhooks = await everything_told(room)
        for webhook in webhooks:
            for event in await _read(room.connection, webhook):
                with_words = (
                    f"a {event.kind} event does not survive JSON: raw is the vendor's object as its JSON was read"
                )
                try:
                    stored = parse_event(json.loads(event.model_dump_json()))
                except (ValueError, TypeError) as error:  # of whatever a provider put into it
                    raise AssertionError(with_words) from error
                assert stored == event, with_words

    @rule("parse_webhook")
    async def test_the_vendors_object_is_kept_and_not_shown(self, room: Room) -> None:
        """An agent's message keeps the vendor's object in ``raw``; its ``repr`` shows nobody's words."""
        session = await room.session()
        await room.agent.reply(session.id, REPLY)
        heard = await room.hear(session, said(REPLY))
        for event in replies(heard):
            assert event.raw is not None, "keep the vendor's own object in raw, for whoever needs more than we read"
        shown = [event.kind for event in heard if "kit-reply-words" in repr(event)]
        assert not shown, f"logs show the repr of events; that of {', '.join(shown)} holds what the agent wrote"

    @rule("parse_webhook")
    async def test_reading_needs_no_record_of_sessions(self, room: Room) -> None:
        """Without ``known`` every session is ours: a bot may keep no record and hear its agents all the same."""
        session, webhook = await genuine(room)
        events = await _read(room.connection, webhook)
        about = [event for event in events if isinstance(event, AgentMessage | SessionChanged)]
        assert [event.session for event in about] == [session.ref], (
            "a reply read with known=None is heard as it is with its session in known"
        )

    @rule("parse_webhook")
    async def test_reading_changes_nothing_at_the_helpdesk(self, room: Room) -> None:
        """Reading deliveries, once or again, leaves session, messages and customers as they are."""
        session, webhooks = await everything_told(room)
        before = await room.agent.session(session.id), await room.agent.users()
        for webhook in webhooks:
            with promised("what the vendor sends can be read"):
                await room.parse(webhook, session)
        after = await room.agent.session(session.id), await room.agent.users()
        assert after == before, "parse_webhook may read from the vendor, and writes nothing: it may be called again"


async def _read(connection: Any, webhook: Any) -> tuple[AnyEvent, ...]:
    with promised("what the vendor sends can be read, without any record of sessions"):
        events: tuple[AnyEvent, ...] = await connection.parse_webhook(headers=webhook.headers, body=webhook.body)
        return events
    raise AssertionError  # never: what is promised is returned, or has failed


def _assert_same(one: tuple[AnyEvent, ...], other: tuple[AnyEvent, ...], when: str) -> None:
    ids = [event.event_id for event in one], [event.event_id for event in other]
    assert ids[0] == ids[1], f"a delivery told {ids[0]}, and {ids[1]} {when}: take event_id from the vendor's object"
    assert one == other, f"a delivery told something else {when}, under the same ids {ids[0]}"


def _assert_one_fact(one: AnyEvent, other: AnyEvent) -> None:
    same = one.model_dump(exclude={"raw"}) == other.model_dump(exclude={"raw"})
    assert same, (
        f"two deliveries tell different things ({one.kind}, {other.kind}) under the id {one.event_id!r}, so the second "
        "would be dropped as a repeat of the first"
    )
    assert not isinstance(one, SessionChanged), (
        f"two hints share the id {one.event_id!r}: the second says look again; make its id from the delivery's"
    )
