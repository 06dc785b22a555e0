"""What ``start_hitl`` gives back, and how sessions outlive restarts and stay apart."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

from hitl_core.calls import StartPlan
from hitl_core.people import Author
from hitl_core.sessions import HitlSession
from hitl_core.testing.conformance import words
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.claims import promised
from hitl_core.testing.conformance.tools.reading import everything, numbered, within

__all__ = ["SessionTests"]

_MOST_STEPS = 50


class SessionTests(ConformanceBase):
    """Sessions, once they are open."""

    @rule("start_hitl")
    async def test_a_session_names_connection_provider_and_customer(self, room: Room) -> None:
        """A session names its connection, its provider and its customer, and its page only by a safe address."""
        user = await room.user()
        session = await room.session()
        assert session.ref.connection == room.connection.key, "HitlSession.ref.connection is ctx.key (R13, F32)"
        assert session.provider == room.info.name, "HitlSession.provider is the provider's name"
        assert session.user_id in {None, user.id}, "HitlSession.user_id is the id of request.user, or None"
        if session.url is not None:
            parts = urlsplit(session.url)
            on_this_machine = parts.scheme == "http" and parts.hostname == "127.0.0.1"
            assert parts.scheme == "https" or on_this_machine, "HitlSession.url is an https address, or None"
            assert parts.hostname, "HitlSession.url is a whole address, or None"

    @rule("start_hitl")
    async def test_the_ids_of_the_opening_are_those_of_its_messages(self, room: Room) -> None:
        """``StartedSession.ids`` names messages of the session, each once, under the helpdesk's own ids (F24)."""
        plan = await room.plan(description="kit-description", history=words.history(await room.user()))
        started = await room.connection.begin(plan)
        ids = list(started.ids)
        for step in range(1, _MOST_STEPS):
            if started.resume is None:
                break
            started = await room.connection.begin(plan, resume=started.resume, step=step)
            ids += started.ids
        assert started.session is not None, "the last step of a start must name the session"
        known = {message.id for message in (await room.agent.session(started.session.id)).messages}
        assert len(set(ids)) == len(ids), "StartedSession.ids names a message twice"
        assert set(ids) <= known, "StartedSession.ids holds something else than the vendor's ids of messages"

    @rule("start_hitl", "send_message", "stop_hitl")
    async def test_a_session_can_be_stored_and_used_by_another_instance(self, room: Room) -> None:
        """A session that was stored as JSON serves another instance as well: to write in, and to end (S025)."""
        session = await room.session()
        stored = HitlSession.model_validate_json(session.model_dump_json())
        assert stored == session, "HitlSession.data must hold nothing but JSON"
        author = Author.user(await room.user())
        async with room.connect() as other:
            with promised("a session must work after a restart: keep what is needed in HitlSession.data, not in self"):
                await other.send_message(stored, "kit-after-the-restart", author=author, idempotency_key=room.key())
                await other.stop_hitl(stored, idempotency_key=room.key())
        seen = await room.agent.session(session.id)
        assert within(seen, "kit-after-the-restart"), "the message of the second instance must arrive"
        assert not seen.open, "the second instance must end the session"

    @rule("start_hitl")
    async def test_a_plan_can_be_stored_and_carried_out_by_another_instance(self, room: Room) -> None:
        """A plan that was stored as JSON gives the same session, whichever instance takes its steps.

        What a step hands on as ``resume`` is stored between the steps.
        """
        user = await room.user()
        plan = await room.plan(description="kit-description", history=words.history(user, entries=3))
        stored = StartPlan.model_validate_json(plan.model_dump_json())
        assert stored == plan, "a plan must survive being stored"
        session, resume = None, None
        with promised("each step of a start must work on a new instance: hand on what it needs as resume"):
            for step in range(_MOST_STEPS):
                async with room.connect() as other:
                    started = await other.begin(stored, resume=resume, step=step)
                    session, resume = started.session or session, _stored(started.resume)
                    if resume is None:
                        for part in other.follow_ups(stored, started):
                            await other.execute(part)
                        break
        assert session is not None, "the last step of a start must name the session"
        seen = everything(await room.agent.session(session.id))
        assert "kit-description" in seen, "the description must arrive"
        assert numbered(seen, "kit-entry-") == [0, 1, 2], "the history must arrive, once and in order"

    @rule("start_hitl", "send_message")
    async def test_a_second_hand_off_shares_nothing_with_the_first(self, room: Room) -> None:
        """A customer whose hand-off has ended gets a session of its own for the next one (F02, F10)."""
        first = await room.session(title="Kit: first", description="kit-first-description")
        await room.send(first, "kit-first-message")
        await room.agent.close(first.id)
        with promised("a second hand-off of the same customer must work; request.previous names the first"):
            second = await room.session(title="Kit: second", description="kit-second-description", previous=first.ref)
            assert second.id != first.id, "a new hand-off is a new session"
            await room.send(second, "kit-second-message")
        before, after = await room.agent.session(first.id), await room.agent.session(second.id)
        assert after.open, "the second session is open"
        assert not before.open, "the first session stays closed"
        assert "kit-first" not in everything(after), "nothing of the first hand-off belongs into the second"
        assert "kit-second" not in everything(before), "nothing of the second hand-off belongs into the first"
        for words_of_the_second in ("kit-second-description", "kit-second-message"):
            assert within(after, words_of_the_second), "what belongs to the second hand-off must be in its session"

    @rule("start_hitl")
    async def test_two_starts_at_once_do_not_mix(self, room: Room) -> None:
        """Two hand-offs of two customers that begin at the same moment are two sessions, each with its own words."""
        plans = []
        for name in ("one", "two"):
            user = await room.user(f"-{name}")
            fields: dict[str, Any] = {"title": f"Kit: title-{name}", "description": f"description-{name}"}
            plans.append(await room.plan(user=user, history=words.history(user, entries=4), **fields))
        with promised("two starts at once must work"):
            one, two = await asyncio.gather(*(room.run(plan) for plan in plans))
        assert one.id != two.id, "each start opens a session of its own"
        for session, plan, mine, other in ((one, plans[0], "one", "two"), (two, plans[1], "two", "one")):
            seen = await room.agent.session(session.id)
            text = everything(seen)
            assert seen.user_id == plan.request.user.id, "each session belongs to its own customer"
            assert text.count(f"-{mine}") >= 2, "each session has its own title and description"
            assert f"-{other}" not in text, "no session has the other's words: keep nothing of a call in self"
            assert numbered(text, "kit-entry-") == [0, 1, 2, 3], "each session has its own history, once and in order"


def _stored(resume: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what a step handed on as it comes out of a database."""
    if resume is None:
        return None
    read: dict[str, Any] = json.loads(json.dumps(resume))
    return read
