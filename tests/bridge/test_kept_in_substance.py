"""What the reference keeps in its host's tags and states, and what passes between it and a provider (parts 1, 2, 5, 6).

There these are states of two conversations, tags on users and messages, and events of the host. Here they are one
record for each hand-off and links beside it; each test says where a thing has gone.
"""

import json

import pytest
import sqlalchemy as sa

from hitl_core.bridge import Bridge
from hitl_core.bridge.handoff import EndReason, Owner, Resume, parse_effect
from hitl_core.bridge.store.tables import handoffs, links, outbox, timers, user_links
from hitl_core.connect import connect_class
from hitl_core.errors import InvalidRequestError
from hitl_core.events import AgentAssigned, AgentMessage, SessionStopped, parse_event
from hitl_core.messages import Image, Text
from hitl_core.people import Agent, Author, EndUser, Role
from hitl_core.sessions import HistoryEntry
from hitl_core.spec import CAPABILITY_HOOKS, PROJECT
from hitl_core.testing.memory import MemoryHelpdesk, MemoryProvider

from .world import ADA, BEA, Chat, world

pytestmark = pytest.mark.anyio


@pytest.fixture
async def w(store):
    async with world(store) as made:
        yield made


async def rows(w, table):
    async with w.bridge.store.read() as conn:
        return (await conn.execute(sa.select(table))).all()


# What is kept ---------------------------------------------------------------------------------------------------------


async def test_s001_a_conversation_nothing_was_written_of_is_not_active(w):
    assert await w.bridge.handoff("never heard of") is None
    assert await w.bridge.owner("never heard of") is Owner.BOT
    await w.start()
    assert (await w.bridge.handoff("c1")).open
    assert await w.bridge.silent("c1")


async def test_s002_the_customer_who_began_it_is_in_the_record(w):
    await w.start()
    assert (await w.bridge.handoff("c1")).user == ADA
    assert [row.user_key for row in await rows(w, handoffs)] == ["u1"]


async def test_s003_the_effective_configuration_is_kept_with_the_hand_off(w):
    await w.start(policy={"on_handoff_message": "One moment."})
    assert (await w.bridge.handoff("c1")).policy.on_handoff_message == "One moment."
    assert [json.loads(row.policy) for row in await rows(w, handoffs)] == [{"on_handoff_message": "One moment."}]


async def test_s004_ticket_agent_end_and_trigger_are_known_from_both_sides(w):
    await w.start(trigger_message_id="m7")
    await w.deliver(w.desk.assign("t1", BEA))
    await w.deliver(w.desk.close("t1", BEA))
    handoff = await w.bridge.handoff("c1")
    assert (handoff.session.id, handoff.agent, handoff.end_reason) == ("t1", BEA, EndReason.AGENT_CLOSED)
    assert handoff.key == "c1:m7:1"
    assert [(row.session_id, row.conversation_id) for row in await rows(w, links)] == [("t1", "c1")]


async def test_s005_s069_a_customers_record_is_linked_by_connection(w):
    await w.start()
    (link,) = await rows(w, user_links)
    assert (link.connection, link.user_key, json.loads(link.external)["id"]) == ("default/memory", "u1", "user-u1")


async def test_s008_the_timer_and_the_call_to_go_on_name_the_hand_off_and_the_conversation(w):
    await w.start(policy={"agent_assigned_timeout_seconds": 60})
    handoff = await w.bridge.handoff("c1")
    (timer,) = await rows(w, timers)
    assert (timer.handoff_id, timer.conversation_id) == (handoff.id, "c1")
    assert (timer.due_at - handoff.started_at).total_seconds() == pytest.approx(60, abs=1)
    await w.pass_time(61, step=61)
    effects = [parse_effect(row.payload) for row in await rows(w, outbox)]
    (resume,) = [effect for effect in effects if isinstance(effect, Resume)]
    assert resume.hand_back.conversation_id == "c1"


def test_s009_what_a_newer_version_adds_is_no_obstacle():
    event = {"kind": "agent_assigned", "event_id": "e1", "session": {"connection": "c", "id": "1"}}
    assert isinstance(parse_event({**event, "agent": {"id": "a1", "mood": "fine"}, "queue": 3}), AgentAssigned)
    assert parse_event({**event, "kind": "agent_waved"}).kind == "agent_waved"


# What passes between -------------------------------------------------------------------------------------------------


async def test_s010_s065_s066_a_customer_is_made_with_the_name_picture_and_mail_the_bot_gives(w):
    user = EndUser(external_id="u9", name="Cy", email="cy@example.com", avatar_url="https://example.com/cy.png")
    await w.start(user=user)
    assert w.desk.users == {"user-u9": user}


async def test_s067_r08_no_address_is_made_up_for_a_customer_without_one(w):
    await w.start(user=EndUser(external_id="with_underscore", name="Cy"))
    assert w.desk.users["user-with_underscore"].email is None


async def test_s011_a_session_is_opened_for_the_customer_with_title_description_options_and_history(w):
    history = [HistoryEntry.of(Author.user(name="Ada"), "Where is it?")]
    await w.start(description="A parcel", options={"priority": "high"}, history=history)
    asked = w.desk.tickets["t1"].start
    assert (asked.user.id, asked.title, asked.description) == ("user-u1", "Parcel", "A parcel")
    assert asked.options == {"priority": "high"}
    assert "Where is it?" in asked.relay[0].text
    assert (await w.bridge.handoff("c1")).session.external_id in {None, "c1"}
    assert asked.external_id == "c1"


async def test_s011_the_history_may_be_empty(w):
    assert (await w.start()).status == "started"
    assert w.desk.tickets["t1"].start.relay == ()


async def test_s012_a_session_is_closed_by_naming_it(w):
    await w.start()
    await w.bridge.stop_hitl("c1")
    await w.bridge.settle()
    assert not w.desk.tickets["t1"].open


def test_s013_s072_s073_an_entry_of_the_history_says_who_said_what():
    picture = Image(url="https://example.com/a.png")
    entries = [HistoryEntry.of(Author.user(name="Ada"), picture), HistoryEntry.of(Author.bot(), "Nice.")]
    assert [entry.author.role for entry in entries] == [Role.USER, Role.BOT]
    assert [entry.message for entry in entries] == [picture, Text(text="Nice.")]


def test_s016_a_provider_calls_things_by_its_vendors_words():
    assert getattr(MemoryProvider.create_ticket, f"{PROJECT}_impl")["specname"] == "start_hitl"
    assert MemoryProvider.info.terminology.session == "ticket"


async def test_s017_an_assignment_names_session_and_agent(w):
    await w.start()
    await w.deliver(w.desk.assign("t1", Agent(id="a7", name="Gil")))
    handoff = await w.bridge.handoff("c1")
    assert (handoff.agent.id, handoff.owner) == ("a7", Owner.HUMAN)
    assert {"session", "agent"} <= set(AgentAssigned.model_fields)


async def test_s018_an_end_names_the_session(w):
    await w.start()
    await w.deliver(w.desk.close("t1"))
    assert not (await w.bridge.handoff("c1")).open
    assert not {name for name, field in SessionStopped.model_fields.items() if field.is_required()} - {
        "event_id",
        "session",
    }


async def test_s019_an_answer_is_shown_under_its_agents_name(w):
    await w.start()
    await w.deliver(w.desk.reply("t1", "Hello.", BEA))
    assert ("Bea", "Hello.") in w.chat.lines
    assert "agent" in AgentMessage.model_fields


def test_s024_what_a_helpdesk_cannot_do_is_declared():
    declared = MemoryProvider.info.capabilities
    assert not declared.open_attachment
    assert "open_attachment" in CAPABILITY_HOOKS


async def test_s025_a_webhook_alone_finds_the_conversation(w):
    await w.start("c1")
    await w.start("c2", user=EndUser(external_id="u2"))
    await w.deliver(w.desk.reply("t2", "For the second.", BEA))
    assert (await w.bridge.owner("c1"), await w.bridge.owner("c2")) == (Owner.QUEUE, Owner.HUMAN)


# Customers and history ------------------------------------------------------------------------------------------------


async def test_s064_another_connection_makes_a_record_of_its_own(store):
    first, second = MemoryHelpdesk(), MemoryHelpdesk()

    def connected(desk, alias):
        return connect_class(MemoryProvider, alias=alias, helpdesk=desk, webhook_secret=desk.secret, waits="raise")

    async with (
        connected(first, "one") as one,
        connected(second, "two") as two,
        Bridge({"one": one, "two": two}, Chat(), store, drive=False, reconcile_seconds=None) as bridge,
    ):
        await bridge.start_hitl("c1", ADA, "Parcel", connection="one", wait=0)
        await bridge.start_hitl("c2", ADA, "Parcel", connection="two", wait=0)
    assert (list(first.users), list(second.users)) == (["user-u1"], ["user-u1"])


async def test_s070_a_customer_is_asked_for_once_in_a_start(w):
    await w.start(history=[HistoryEntry.of(Author.user(name="Ada"), text) for text in ("one", "two", "three")])
    assert w.desk.calls.count("create_user") == 1


async def test_s071_f06_the_whole_history_the_bot_gives_is_handed_over_oldest_first(w):
    texts = [f"line {number:03}" for number in range(120)]
    await w.start(history=[HistoryEntry.of(Author.user(name="Ada"), text) for text in texts])
    handed = "".join(item.text for item in w.desk.tickets["t1"].start.relay)
    later = "".join(w.sent())
    found = [text for text in texts if text in handed + later]
    assert found == texts


async def test_s074_f03_the_hand_off_text_comes_after_the_ticket_and_is_no_part_of_its_history(w):
    await w.start(history=[HistoryEntry.of(Author.bot(), "I will get somebody.")])
    handed = w.desk.tickets["t1"].start.relay[0].text
    assert "I will get somebody." in handed
    assert w.texts[0] not in handed


async def test_s050_a_start_without_a_customer_is_refused_before_anything_is_kept(w):
    with pytest.raises(InvalidRequestError, match="user"):
        await w.bridge.start_hitl("c1", None, "Parcel")
    assert await rows(w, handoffs) == []
