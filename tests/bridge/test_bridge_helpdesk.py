"""What comes from the helpdesk, by webhook and by reading, on the whole bridge (parts 7, 9, 13 and 15; F20-F26)."""

import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from hitl_core.bridge import EndReason, Owner, Policy
from hitl_core.bridge.store.tables import links
from hitl_core.events import (
    AgentAssigned,
    AgentMessageUpdated,
    AgentTyping,
    AgentUnassigned,
    SessionStopped,
    StopReason,
)
from hitl_core.messages import Choice, Image, Option, Text
from hitl_core.people import Agent
from hitl_core.spec import hookimpl
from hitl_core.testing.memory import MemoryTicket

from .world import BEA, CAI, JOINED, Account, told, world

pytestmark = pytest.mark.anyio


@pytest.fixture
async def w(store):
    async with world(store) as made:
        await made.start()
        made.chat.lines.clear()
        yield made


# Agents -------------------------------------------------------------------------------------------------------------


async def test_s080_s091_r17_the_first_message_of_an_agent_tells_who_joined_before_it_is_shown(w):
    await w.deliver(w.desk.reply("t1", "It is on its way.", BEA))
    assert w.chat.lines == [("system", JOINED), ("Bea", "It is on its way.")]
    assert (await w.owner(), (await w.handoff()).agent) == (Owner.HUMAN, BEA)


async def test_s094_s095_f09_one_joined_text_for_each_change_of_agent_however_often_it_is_told(w):
    w.desk.assign("t1", BEA)
    w.desk.reply("t1", "one", BEA)
    facts = w.desk.tickets["t1"].facts
    await w.deliver(w.desk.deliver([facts[1]], delivery_id="message-first"))
    await w.deliver(w.desk.deliver([facts[0]], delivery_id="assignment-second"))
    await w.deliver(w.desk.assign("t1", BEA))
    assert w.texts == [JOINED, "one"]
    await w.deliver(w.desk.assign("t1", CAI))
    await w.deliver(w.desk.reply("t1", "two", CAI))
    assert w.texts == [JOINED, "one", "Cai has joined the conversation.", "two"]


async def test_s089_f26_an_unassigned_customer_waits_again_and_nobody_joins(w):
    await w.deliver(w.desk.assign("t1", BEA))
    await w.deliver(w.desk.assign("t1", None))
    assert (await w.owner(), w.texts) == (Owner.QUEUE, [JOINED])
    assert [type(notice.event) for notice in w.chat.notices] == [AgentAssigned, AgentUnassigned]


async def test_s092_s140_an_agent_without_a_name_or_one_not_to_be_named_is_an_agent(store):
    async with world(store) as w:
        await w.start("c1")
        await w.deliver(w.desk.reply("t1", "one", Agent(id="a9")))
        await w.start("c2", policy={"use_human_agent_info": False})
        await w.deliver(w.desk.reply("t2", "two", BEA))
    shown = [line for line in w.chat.lines if line[1] in {"one", "two"} or "joined" in line[1]]
    joined = told("on_human_agent_assigned_message")
    assert shown == [("system", joined), ("An agent", "one"), ("system", joined), ("An agent", "two")]


async def test_s079_what_the_customers_channel_cannot_show_is_answered_to_the_agent(w):
    question = Choice(text="Which one?", options=(Option(label="A", value="a"), Option(label="B", value="b")))
    await w.deliver(w.desk.reply("t1", question, BEA))
    assert w.texts == []
    [note] = w.desk.tickets["t1"].sent
    assert (note.message.text, note.visibility) == (told("on_incompatible_msg_type_message"), "internal")


async def test_f28_an_agents_picture_is_shown(w):
    await w.deliver(w.desk.reply("t1", Image(url="https://example.org/map.png"), BEA))
    assert w.chat.lines[-1] == ("Bea", "image")


async def test_r12_an_internal_note_is_never_shown(w):
    await w.deliver(w.desk.note("t1", "difficult customer", BEA))
    await w.bridge.reconcile()
    assert w.chat.lines == []


async def test_r10_the_words_an_agent_closes_with_reach_the_customer(w):
    w.desk.reply("t1", "Bye", BEA)
    w.desk.close("t1", BEA)
    await w.deliver(w.desk.deliver(w.desk.tickets["t1"].facts))
    assert w.texts == [JOINED, "Bye", told("on_hitl_stopped_message"), "agent_closed"]


class Talkative(Account):
    """Tells of more than the desk knows, as its desk says."""

    @hookimpl
    async def parse_webhook(self, request):
        parsed = await super().parse_webhook(request)
        more = tuple(build(parsed.events[0].session) for build in getattr(self._desk, "more", ()))
        return parsed.model_copy(update={"events": (*more, *parsed.events)})


async def test_an_agents_typing_goes_past_the_lanes(store):
    async with world(store, provider=Talkative) as w:
        await w.start()
        w.desk.more = [lambda session: AgentTyping(event_id="typing-1", session=session, agent=BEA)]
        await w.deliver(w.desk.assign("t1", BEA))
        kinds = sorted(type(notice.event).__name__ for notice in w.chat.notices)
        assert kinds == ["AgentAssigned", "AgentTyping"]
        assert {notice.conversation_id for notice in w.chat.notices} == {"c1"}
        assert "typing-1" in w.chat.calls, "it goes under its own id, since it is in no lane"


async def test_s006_a_message_an_agent_changes_names_the_one_that_was_shown(store):
    async with world(store, provider=Talkative) as w:
        await w.start()
        await w.deliver(w.desk.reply("t1", "tomorow", BEA))
        [key] = [key for key in w.chat.calls if ":agent:" in key]

        def changed(session):
            new = Text(text="tomorrow")
            return AgentMessageUpdated(event_id="edit-1", session=session, message_id="t1-1", message=new, agent=BEA)

        w.desk.more = [changed]
        await w.deliver(w.desk.assign("t1", BEA))
        [notice] = [notice for notice in w.chat.notices if isinstance(notice.event, AgentMessageUpdated)]
        assert notice.message_keys == (key,)


async def test_a_ticket_merged_into_another_is_followed_there_and_what_was_said_in_it_is_still_shown(store):
    async with world(store, provider=Talkative) as w:
        await w.start()
        w.desk.tickets["t2"] = MemoryTicket("t2", w.desk.tickets["t1"].start)
        before = w.desk.reply("t1", "said right before", BEA)

        def merged(session):
            other = session.model_copy(update={"id": "t2"})
            return SessionStopped(event_id="merge-1", session=session, reason=StopReason.MERGED, moved_to=other)

        w.desk.more = [merged]
        await w.deliver(w.desk.assign("t1", BEA))
        w.desk.more = []
        await w.say("where am I?")
        await w.deliver(w.desk.reply("t2", "here", BEA))
        await w.deliver(before)
        assert (w.sent("t1"), w.sent("t2")) == ([], ["where am I?"])
        assert w.texts[1:] == [JOINED, "said right before", "here"]
        await w.deliver(w.desk.close("t2"))
        assert (await w.owner(), w.texts[-1]) == (Owner.BOT, "agent_closed")
        async with store.read() as conn:
            still_open = (await conn.execute(sa.select(links.c.session_id).where(links.c.open))).scalars().all()
        assert still_open == [], "nobody reads them any more"


# Webhooks -----------------------------------------------------------------------------------------------------------


async def test_f20_a_forged_delivery_is_refused_and_changes_nothing(w):
    delivery = w.desk.reply("t1", "hello", BEA)
    forged = {**delivery.headers, "webhook-signature": "v1,AAAA"}
    receipt = await w.bridge.receive_webhook("memory", headers=forged, body=delivery.body)
    await w.settle()
    assert (receipt.accepted, receipt.reply.status, w.texts) == (False, 401, [])


async def test_f21_a_delivery_is_answered_before_it_is_worked_on(w):
    delivery = w.desk.reply("t1", "hello", BEA)
    receipt = await w.bridge.receive_webhook("memory", headers=delivery.headers, body=delivery.body)
    assert (receipt.accepted, receipt.reply.status, w.texts) == (True, 200, [])
    await w.settle()
    assert w.texts[-1] == "hello"


async def test_f22_the_same_delivery_and_the_same_fact_in_another_are_shown_once(w):
    delivery = w.desk.reply("t1", "hello", BEA)
    again = w.desk.deliver(w.desk.tickets["t1"].facts, delivery_id="another")
    for each in (delivery, delivery, again):
        assert (await w.deliver(each)).accepted
    assert w.texts == [JOINED, "hello"]


async def test_f21_a_delivery_that_cannot_be_read_is_listed_and_the_next_one_is_read(w):
    assert (await w.deliver(w.desk.deliver([{"id": "x", "ticket": "t1"}]))).accepted
    await w.deliver(w.desk.reply("t1", "hello", BEA))
    assert w.texts[-1] == "hello"
    [letter] = await w.letters()
    assert (letter.source, letter.conversation_id, letter.connection) == ("delivery", "c1", "default/memory")


async def test_s078_a_delivery_for_a_ticket_of_somebody_else_is_ignored(w):
    stranger = w.desk.deliver([{"id": "x", "ticket": "t99", "kind": "closed", "at": None, "agent": None}])
    assert (await w.deliver(stranger)).accepted
    assert (await w.owner(), w.chat.lines, await w.letters()) == (Owner.QUEUE, [], [])


async def test_f25_each_fact_of_a_batch_goes_to_its_own_conversation(w):
    await w.start("c2")
    w.desk.reply("t2", "for two", BEA)
    w.desk.reply("t1", "for one", CAI)
    facts = [w.desk.tickets["t2"].facts[0], w.desk.tickets["t1"].facts[0]]
    stranger = {"id": "x", "ticket": "t99", "kind": "closed", "at": None, "agent": None}
    await w.deliver(w.desk.deliver([stranger, *facts]))
    assert (await w.handoff("c1")).agent == CAI
    assert (await w.handoff("c2")).agent == BEA


async def test_f24_what_we_wrote_ourselves_is_not_shown_as_an_agents(w):
    await w.say("hello?")
    await w.bridge.reconcile()
    assert w.chat.lines == []


async def test_events_out_of_order_are_put_right_by_the_times_they_happened_at(w):
    w.desk.assign("t1", BEA)
    w.desk.assign("t1", CAI)
    older, newer = w.desk.tickets["t1"].facts
    newer["at"] = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=1)).isoformat()
    await w.deliver(w.desk.deliver([newer], delivery_id="second"))
    await w.deliver(w.desk.deliver([older], delivery_id="first"))
    assert (await w.handoff()).agent == CAI
    assert w.texts == ["Cai has joined the conversation."]


# Reading ------------------------------------------------------------------------------------------------------------


async def test_f13_what_was_lost_on_the_way_is_found_by_reading(w):
    w.desk.assign("t1", BEA)
    w.desk.reply("t1", "you cannot hear me", BEA)
    w.desk.close("t1", BEA)
    await w.bridge.reconcile()
    assert w.texts == [JOINED, "you cannot hear me", told("on_hitl_stopped_message"), "agent_closed"]
    assert await w.owner() is Owner.BOT


async def test_f22_by_push_and_by_pull_a_message_is_shown_once(w):
    delivery = w.desk.reply("t1", "hello", BEA)
    await w.bridge.reconcile()
    await w.deliver(delivery)
    await w.bridge.reconcile()
    assert w.texts == [JOINED, "hello"]


async def test_f13_s102_a_ticket_that_is_gone_ends_the_hand_off(w):
    del w.desk.tickets["t1"]
    w.clock.advance(1)
    await w.bridge.reconcile()
    assert (await w.handoff()).end_reason is EndReason.SESSION_GONE
    assert await w.owner() is Owner.BOT


async def test_f13_open_tickets_are_read_from_time_to_time(store):
    async with world(store, reconcile_seconds=60) as w:
        await w.start()
        w.desk.reply("t1", "hello", BEA)
        await w.pass_time(59, step=59)
        assert "hello" not in w.texts
        await w.pass_time(2)
        assert w.texts[-1] == "hello"


async def test_a_reading_overtaken_by_a_fact_takes_nobody_away(w):
    gate = w.desk.hold("list_events", "after")
    reading = w.begin(w.bridge.reconcile())
    await gate.reached.wait()
    w.clock.advance(1)
    delivery = w.desk.assign("t1", BEA)
    await w.bridge.receive_webhook("memory", headers=delivery.headers, body=delivery.body)
    gate.open()
    await reading
    await w.settle()
    assert await w.owner() is Owner.HUMAN


# Late ---------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def ended(store, **policy):
    """Open a world whose hand-off the agent has closed."""
    async with world(store, policy=Policy(**policy)) as w:
        await w.start()
        await w.deliver(w.desk.reply("t1", "Bye", BEA))
        await w.deliver(w.desk.close("t1", BEA))
        w.chat.lines.clear()
        yield w


async def test_s077_f07_a_late_message_is_shown_and_the_bot_goes_on(store):
    async with ended(store, on_late_agent_message="deliver") as w:
        await w.deliver(w.desk.reply("t1", "One more thing", BEA))
        assert (w.chat.lines, await w.owner()) == ([("Bea", "One more thing")], Owner.BOT)


async def test_f07_a_late_message_may_be_answered_to_the_agent(store):
    async with ended(store, on_late_agent_message="answer") as w:
        w.desk.reopen("t1")
        await w.deliver(w.desk.reply("t1", "One more thing", BEA))
        assert (w.chat.lines, await w.owner()) == ([], Owner.BOT)
        assert w.sent() == [told("on_late_message_answer")]


async def test_f07_a_late_message_may_only_be_told_to_the_host(store):
    async with ended(store, on_late_agent_message="notify") as w:
        notices = len(w.chat.notices)
        await w.deliver(w.desk.reply("t1", "One more thing", BEA))
        assert (w.chat.lines, len(w.chat.notices)) == ([], notices + 1)


async def test_f07_a_late_message_may_fetch_the_customer_back(store):
    async with ended(store, on_late_agent_message="hand_over") as w:
        fact = json.loads(w.desk.reply("t1", "One more thing", BEA).body)["facts"][0]
        fact["at"] = (w.clock.now() + timedelta(minutes=1)).isoformat()
        await w.deliver(w.desk.deliver([fact], delivery_id="late"))
        assert w.texts == [told("on_session_reopened_message"), JOINED, "One more thing"]
        assert await w.owner() is Owner.HUMAN
        assert (await w.say("yes?")).silence


async def test_a_ticket_reopened_by_the_agent_fetches_the_customer_back(store):
    async with ended(store) as w:
        await w.deliver(w.desk.reopen("t1", BEA))
        assert await w.owner() is Owner.QUEUE
        assert (await w.say("yes?")).silence
        assert w.sent() == ["yes?"]
        await w.deliver(w.desk.reply("t1", "One more thing", BEA))
        assert w.texts == [told("on_session_reopened_message"), JOINED, "One more thing"]
        await w.deliver(w.desk.close("t1", BEA))
        assert await w.owner() is Owner.BOT
        assert len({back.handoff_id for back in w.chat.handed_back}) == 2


async def test_f07_what_a_customer_who_left_is_told_late_fetches_nobody_back(store):
    async with world(store, policy=Policy(on_late_agent_message="hand_over")) as w:
        await w.start()
        await w.say("/end")
        await w.deliver(w.desk.reply("t1", "Sorry, I was away", BEA))
        assert (w.texts[-1], await w.owner()) == ("Sorry, I was away", Owner.BOT)
