"""Wrong inputs on the whole bridge: clear errors, nothing begun, nothing lost (behaviour parts 3, 4; F20, F32)."""

import dataclasses
import json
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from hitl_core import standard_webhooks
from hitl_core.bridge import BusinessHours, Owner, Policy, Route
from hitl_core.bridge.bridge import Bridge
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.tables import conversations, handoffs, inputs
from hitl_core.connect import connect_class
from hitl_core.errors import ConfigurationError, HitlError, InvalidRequestError, StoreError
from hitl_core.info import Intake
from hitl_core.spec import hookimpl

from .conftest import KEY
from .world import ADA, BEA, Account, Chat, Desk, told, world

pytestmark = pytest.mark.anyio


@pytest.fixture
async def w(store):
    async with world(store) as made:
        yield made


def connection_to(desk, **more):
    return connect_class(Account, helpdesk=desk, webhook_secret=desk.secret, **more)


async def rows(store):
    """Return how many conversations, hand-offs and inputs are kept."""
    async with store.read() as conn:
        tables = (conversations, handoffs, inputs)
        return [(await conn.execute(sa.select(sa.func.count()).select_from(table))).scalar_one() for table in tables]


# Settings -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"on_handof_message": "x"}, "unknown field on_handof_message, did you mean on_handoff_message"),
        ({"agent_assigned_timeout_seconds": -1}, "agent_assigned_timeout_seconds"),
        ({"user_close_command": "  "}, "user_close_command"),
        ({"on_handoff_message": "Hello {agnt_name}"}, "agent_name"),
        ({"off_hours": "leave_mesage"}, "off_hours"),
    ],
)
async def test_s043_s098_f11_a_broken_policy_is_refused_with_its_field_and_nothing_is_begun(w, policy, said):
    with pytest.raises(ConfigurationError, match=said) as told_of:
        await w.start(policy=policy)
    assert "\n" not in str(told_of.value)
    assert (w.desk.calls, w.texts, await rows(w.bridge.store)) == ([], [], [0, 0, 0])


@pytest.mark.parametrize(
    "start",
    [
        {"policy": "NULL"},
        {"options": ["priority"]},
        {"connection": ["memory", "memory"]},
        {"relay": 5},
    ],
    ids=lambda start: next(iter(start)),
)
async def test_what_a_start_cannot_mean_is_refused_and_nothing_is_begun(w, start):
    with pytest.raises(InvalidRequestError, match=next(iter(start))):
        await w.start(**start)
    assert await rows(w.bridge.store) == [0, 0, 0]


async def test_s050_s051_a_start_says_what_is_missing(w):
    with pytest.raises(InvalidRequestError, match="conversation_id is empty"):
        await w.start("", user=None)
    with pytest.raises(InvalidRequestError, match="user is missing"):
        await w.start(user=None)
    with pytest.raises(InvalidRequestError, match="title is blank"):
        await w.bridge.start_hitl("c1", ADA, "  ", wait=0)
    with pytest.raises(ConfigurationError, match="unknown connection 'zendesk'; known: memory"):
        await w.start(connection="zendesk")
    assert await rows(w.bridge.store) == [0, 0, 0]


async def test_f01_what_only_the_helpdesk_can_refuse_is_an_answer_with_a_reason(w):
    result = await w.start(options={"colour": "red"})
    assert result.status == "failed"
    assert "unknown option 'colour'" in result.detail
    result = await w.start(relay="transcripts")
    assert result.status == "failed"
    assert "transcript" in result.detail
    assert w.texts == [told("on_start_failed_message"), "start_failed"] * 2


def test_a_bridge_is_refused_what_cannot_work(tmp_path):
    desk, chat, url = Desk(), Chat(), f"sqlite:///{tmp_path / 'hitl.db'}"
    one = connection_to(desk, alias="one")
    with pytest.raises(ConfigurationError, match="at least one connection"):
        Bridge({}, chat, url)
    with pytest.raises(ConfigurationError, match="same alias"):
        Bridge({"a": one, "b": connection_to(desk, alias="one")}, chat, url)
    with pytest.raises(ConfigurationError, match=r"\(default/one\) is not of tenant 'acme'"):
        Bridge(one, chat, url, tenant="acme")
    with pytest.raises(ConfigurationError, match="unknown connection onne"):
        Bridge(one, chat, url, routing=[Route(connections=("onne",))])
    with pytest.raises(ConfigurationError, match=r"mysql|sqlite"):
        Bridge(one, chat, "mysql://root@localhost/hitl")
    assert list(tmp_path.iterdir()) == []


# Conversations nobody knows -----------------------------------------------------------------------------------------


async def test_s101_s123_a_conversation_nobody_knows_is_the_bots_and_nothing_happens_to_it(w):
    assert await w.owner("nobody") is Owner.BOT
    assert await w.handoff("nobody") is None
    assert not (await w.say("hello", "nobody")).silence
    await w.bridge.stop_hitl("nobody")
    await w.bridge.pause("nobody")
    await w.bridge.resume("nobody")
    await w.bridge.user_typing("nobody")
    assert (w.desk.calls, w.desk.typing, w.texts, await rows(w.bridge.store)) == ([], [], [], [0, 0, 0])


@pytest.mark.parametrize("ask", ["silent", "owner", "handoff", "stop_hitl", "pause", "resume"])
async def test_an_empty_id_is_a_mistake_wherever_it_is_given(w, ask):
    with pytest.raises(InvalidRequestError, match="conversation_id is empty"):
        await getattr(w.bridge, ask)("")


async def test_a_message_says_what_is_wrong_with_it_and_does_not_quote_it(w):
    await w.start()
    with pytest.raises(InvalidRequestError, match="message_id is empty"):
        await w.bridge.handle_user_message("c1", "hello", message_id="")
    for wrong in ("", {"text": "4111"}, {"type": "image"}, 5, None):
        with pytest.raises(InvalidRequestError) as told_of:
            await w.bridge.handle_user_message("c1", wrong, message_id="m1")
        assert "4111" not in str(told_of.value)
    assert (await w.say("hello", id="m1")).silence, "its id is not used up"
    assert w.sent() == ["hello"]


async def test_s118_a_reason_to_stop_that_is_unknown_is_a_mistake_and_ends_nothing(w):
    await w.start()
    with pytest.raises(InvalidRequestError, match="did you mean 'agent_closed'"):
        await w.bridge.stop_hitl("c1", "agent_close")
    assert (await w.handoff()).open


# Webhooks -----------------------------------------------------------------------------------------------------------


def signed(desk, body, id="odd-1"):
    return standard_webhooks.sign([desk.secret], id=id, timestamp=datetime.now(UTC), body=body)


@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[]", b'{"facts": 5}', b"\xff\xfe", b'{"facts": [{"ticket": "\\u0000"}]}']
)
async def test_f21_a_proven_delivery_that_makes_no_sense_is_a_dead_letter_and_nothing_else(w, body):
    await w.start()
    receipt = await w.bridge.receive_webhook("memory", headers=signed(w.desk, body), body=body)
    assert receipt.accepted
    await w.deliver(w.desk.reply("t1", "hello", BEA))
    assert w.texts[-1] == "hello"
    [letter] = await w.letters()
    assert letter.source == "delivery"


async def test_f20_what_is_not_proven_is_refused_whatever_it_is(w):
    body = json.dumps({"facts": []}).encode()
    answers = [
        await w.bridge.receive_webhook("memory", headers={}, body=body),
        await w.bridge.receive_webhook("memory", headers=signed(w.desk, b"another body"), body=body),
        await w.bridge.receive_webhook("memory", headers={}, body=b"", method="GET"),
        await w.bridge.receive_webhook("memory", headers=signed(w.desk, body), body=b"x" * 3_000_000),
    ]
    assert [(answer.accepted, answer.reply.status) for answer in answers] == [(False, 401)] * 3 + [(False, 413)]
    with pytest.raises(ConfigurationError, match="unknown connection 'memry'; known: memory"):
        await w.bridge.receive_webhook("memry", headers={}, body=body)


class Probed(Account):
    """A helpdesk that tries the URL first."""

    info = dataclasses.replace(Account.info, intake=Intake(probe_methods=frozenset({"HEAD"})))


async def test_a_probe_of_the_url_is_answered_without_a_signature(store):
    async with world(store, provider=Probed) as w:
        receipt = await w.bridge.receive_webhook("memory", headers={}, body=b"", method="HEAD")
        assert (receipt.accepted, receipt.reply.status) == (False, 200)


class Confused(Account):
    """Its deliveries speak of a ticket of another account."""

    @hookimpl
    async def parse_webhook(self, request):
        parsed = await super().parse_webhook(request)
        other = parsed.events[0].session.model_copy(update={"connection": "default/other"})
        return parsed.model_copy(
            update={"events": tuple(e.model_copy(update={"session": other}) for e in parsed.events)}
        )


async def test_f25_f32_an_event_of_another_accounts_ticket_touches_nobodys(store):
    desks = {"memory": Desk(), "other": Desk()}
    async with world(store, desks=desks, provider={"memory": Confused, "other": Account}) as w:
        await w.start("c1", connection="memory")
        await w.start("c2", connection="other")
        await w.deliver(desks["memory"].close("t1"), connection="memory")
        assert (await w.owner("c1"), await w.owner("c2")) == (Owner.QUEUE, Owner.QUEUE)


# Databases ----------------------------------------------------------------------------------------------------------


async def test_a_second_worker_on_a_sqlite_file_is_refused_and_the_first_goes_on(store, backend):
    async with world(store) as w:
        if backend == "sqlite":
            with pytest.raises(StoreError, match=r"another process works on hitl\.db already"):
                async with world(store, desk=w.desk):
                    pass
        async with world(store, desk=w.desk, work=False):  # one that only takes in may be beside it
            pass
        assert (await w.start()).status == "started"


async def test_a_store_of_a_newer_version_is_refused_and_left_alone(database_url):
    version = sa.text("SELECT version_num FROM hitl_version")
    async with Store(database_url, key=KEY) as made, connection_to(Desk()) as connection:
        async with made.write() as conn:
            await conn.execute(sa.text("UPDATE hitl_version SET version_num = '9999'"))
        with pytest.raises(ConfigurationError, match="newer version of hitl-core"):
            async with Bridge(connection, Chat(), database_url):
                pass
        async with made.read() as conn:
            assert (await conn.execute(version)).scalar_one() == "9999"


async def test_a_database_without_a_schema_is_made_on_sqlite_and_asked_for_on_postgresql(blank_url, backend):
    async with connection_to(Desk()) as connection:
        bridge = Bridge(connection, Chat(), blank_url)
        if backend == "sqlite":
            async with bridge:
                assert not await bridge.silent("c1")
        else:
            with pytest.raises(ConfigurationError, match="hitl db upgrade"):
                await bridge.__aenter__()


async def test_a_database_that_is_not_there_is_told_without_its_password():
    async with connection_to(Desk()) as connection:
        bridge = Bridge(connection, Chat(), "postgresql://hitl:s3cret@127.0.0.1:1/hitl")
        with pytest.raises(StoreError, match="cannot be reached") as told_of:
            async with bridge:
                pass
        assert "s3cret" not in str(told_of.value) + repr(bridge.store)


async def test_a_bridge_is_opened_once_and_settles_only_when_nobody_else_drives_it(w, store):
    with pytest.raises(HitlError, match="opened once"):
        await w.bridge.__aenter__()
    async with connection_to(Desk()) as connection:
        driven = Bridge(connection, Chat(), store, work=False)
        with pytest.raises(HitlError, match="drive=False"):
            await driven.settle()


def test_policies_and_hours_say_what_is_wrong_before_any_hand_off():
    with pytest.raises(ConfigurationError, match="did you mean Europe/Zurich"):
        BusinessHours.read({"timezone": "Europe/Zurch"})
    with pytest.raises(ConfigurationError, match="did you mean on_handoff_message"):
        Policy.read({"on_handof_message": "x"})
