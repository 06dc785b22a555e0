"""A bridge that is used in a wrong way says so at once, in one sentence with the next step."""

import asyncio
import math
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from hitl_core.bridge import CallbackHost, Policy
from hitl_core.bridge.bridge import Bridge
from hitl_core.bridge.hosts import QueueHost
from hitl_core.connect import connect_class
from hitl_core.errors import ConfigurationError, HitlError, InvalidRequestError
from hitl_core.people import EndUser

from .intake_scene import until
from .test_reviewed_driver import PATIENCE, driven
from .world import ADA, Account, Chat, Desk, world

pytestmark = pytest.mark.anyio


def connection():
    desk = Desk()
    return connect_class(Account, alias="memory", helpdesk=desk, webhook_secret=desk.secret, waits="raise")


def one_sentence(error):
    assert "\n" not in str(error)
    return str(error)


# Opened, and not closed -----------------------------------------------------------------------------------------------


async def talk(bridge):
    async with bridge.turn("c1", "hello", message_id="m1", send=print):
        pass


USES = {
    "start_hitl": lambda bridge: bridge.start_hitl("c1", ADA, "Parcel", wait=0),
    "handle_user_message": lambda bridge: bridge.handle_user_message("c1", "hello", message_id="m1"),
    "turn": talk,
    "silent": lambda bridge: bridge.silent("c1"),
    "owner": lambda bridge: bridge.owner("c1"),
    "user_typing": lambda bridge: bridge.user_typing("c1"),
    "stop_hitl": lambda bridge: bridge.stop_hitl("c1"),
    "pause": lambda bridge: bridge.pause("c1"),
    "resume": lambda bridge: bridge.resume("c1"),
    "handoff": lambda bridge: bridge.handoff("c1"),
    "receive_webhook": lambda bridge: bridge.receive_webhook("memory", headers={}, body=b""),
    "reconcile": lambda bridge: bridge.reconcile(),
    "settle": lambda bridge: bridge.settle(),
    "purge": lambda bridge: bridge.purge(timedelta(days=1)),
    "erase_customer": lambda bridge: bridge.erase_customer("u1"),
}
FREE = {"aclose", "open_attachment"}
"""What needs no open bridge."""


def test_this_page_uses_every_method():
    methods = {name for name in dir(Bridge) if not name.startswith("_") and callable(getattr(Bridge, name))}
    assert methods == {*USES, *FREE}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("own_store", [True, False])
async def test_a_bridge_that_was_not_opened_or_is_closed_says_so(use, own_store, store, database_url):
    bridge = Bridge(connection(), Chat(), database_url if own_store else store, drive=False)
    with pytest.raises(HitlError, match="the bridge is not open: use it with `async with`"):
        await USES[use](bridge)
    async with bridge:
        pass
    with pytest.raises(HitlError, match="the bridge is closed: make another one on the same store"):
        await USES[use](bridge)
    async with world(store) as w:
        assert await w.handoff() is None, "nothing was kept"


async def test_a_bridge_that_only_takes_in_is_open_too(store):
    async with Bridge(connection(), Chat(), store, work=False) as bridge:
        assert not await bridge.silent("c1")


async def test_while_a_bridge_ends_what_is_under_way_may_still_ask(store):
    silent = []

    class Asking(Chat):
        async def send(self, conversation_id, message, sender, *, key):
            await super().send(conversation_id, message, sender, key=key)
            await going.wait()
            silent.append(await self.bridge.silent(conversation_id))

    chat, going = Asking(), asyncio.Event()
    async with driven(store, chat) as bridge:
        chat.bridge = bridge
        await bridge.start_hitl("c1", ADA, "Parcel", wait=PATIENCE)
        await until(lambda: chat.lines)
        ending = asyncio.ensure_future(bridge.aclose(grace=PATIENCE))
        await until(lambda: bridge._driver._running is False)
        going.set()
        await ending
    assert silent == [True]


# Closed from within ---------------------------------------------------------------------------------------------------


async def at_once(bridge):
    await bridge.aclose()


async def in_a_task(bridge):
    await asyncio.gather(asyncio.create_task(bridge.aclose()))


async def by_the_block(bridge):
    await bridge.__aexit__(None, None, None)


@pytest.mark.parametrize("close", [at_once, in_a_task, by_the_block])
async def test_a_host_that_closes_the_bridge_within_a_call_is_told_to_do_it_outside(close, store):
    told = []

    async def send(conversation_id, message, sender, *, key):
        try:
            await close(bridge)
        except HitlError as error:
            told.append(str(error))

    async def resume(conversation_id, hand_back, *, key):
        pass

    async with driven(store, CallbackHost(send=send, resume=resume)) as bridge:
        await bridge.start_hitl("c1", ADA, "Parcel", wait=PATIENCE)
        await until(lambda: told)
        assert await bridge.silent("c1"), "it is as open as before"
    assert told == ["this call of the host is waited for at the end; close the bridge from outside of a host's call"]


async def test_a_plain_function_in_a_thread_is_told_so_too(store):
    told = []

    def send(conversation_id, message, sender, *, key):
        closing = asyncio.run_coroutine_threadsafe(bridge.aclose(), loop)
        told.append(type(closing.exception(PATIENCE)))

    loop = asyncio.get_running_loop()
    async with driven(store, CallbackHost(send=send, resume=lambda conversation, back, *, key: None)) as bridge:
        await bridge.start_hitl("c1", ADA, "Parcel", wait=PATIENCE)
        await until(lambda: told)
    assert told == [HitlError]


async def test_what_a_call_has_left_to_a_task_may_close_the_bridge(store):
    closing = []

    class Leaving(Chat):
        async def send(self, conversation_id, message, sender, *, key):
            await super().send(conversation_id, message, sender, key=key)
            if not closing:
                closing.append(asyncio.create_task(bridge.aclose()))

    async with driven(store, Leaving()) as bridge:
        await bridge.start_hitl("c1", ADA, "Parcel", wait=PATIENCE)
        await until(lambda: closing)
        await closing[0]
        with pytest.raises(HitlError, match="closed"):
            await bridge.silent("c1")


# Made of --------------------------------------------------------------------------------------------------------------


class Half:
    """A host that was left unfinished."""

    async def send(self, conversation_id, message, sender, *, key):
        pass


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"concurrency": 0}, "concurrency is no such number; give a whole one, 1 or more"),
        ({"concurrency": -1}, "concurrency is no such"),
        ({"concurrency": 1.5}, "concurrency is no such"),
        ({"concurrency": True}, "concurrency is no such"),
        ({"concurrency": None}, "concurrency is no such"),
        *(
            ({name: wrong}, f"{name} is no such time; give a number of seconds, more than 0")
            for name in ("poll_seconds", "lease_seconds", "reconcile_seconds")
            for wrong in (0, -1, math.nan, math.inf, -math.inf, "5", True, 10**400, timedelta(seconds=1))
        ),
        ({"poll_seconds": None}, "poll_seconds is no such time"),
        ({"start_patience": -1}, "start_patience is no such time; give a number of seconds, 0 or more"),
        ({"start_patience": math.nan}, "start_patience is no such time"),
        ({"host": None}, "host is of type NoneType, which has no send, no resume, no notify; give a CallbackHost"),
        ({"host": object()}, "host is of type object, which has no send, no resume, no notify"),
        ({"host": Half()}, "host is of type Half, which has no resume, no notify"),
        ({"host": SimpleNamespace(send=1, resume=print, notify=print)}, "which has no send; give"),
        ({"host": QueueHost}, "host is the class QueueHost itself; give an object of it"),
        ({"policy": "NULL"}, "policy is of type str; give a Policy"),
        ({"policy": {"on_handof_message": "x"}}, "policy: unknown field on_handof_message, did you mean on_handoff_m"),
        ({"store": None}, "store is of type NoneType; give a URL such as"),
        ({"store": Path("hitl.db")}, "; give a URL such as"),
        ({"store": ""}, "the database URL cannot be read; write sqlite"),
        ({"connections": None}, "connections is of type NoneType; give what hitl_core.connect"),
        ({"connections": "zendesk"}, "connections is of type str; give what hitl_core.connect"),
        ({"connections": {"desk": "zendesk"}}, "connections holds something else; give what hitl_core.connect"),
        ({"connections": {1: connection()}}, "connections holds something else"),
        ({"connections": {}}, "at least one connection"),
        ({"tenant": None}, "tenant is no name"),
        ({"routing": None}, "routing is of type NoneType; give a list of Route"),
        ({"routing": "memory"}, "routing is of type str"),
    ],
    ids=str,
)
def test_what_a_bridge_cannot_be_made_of_is_refused_at_once(more, said):
    made = {"connections": connection(), "host": Chat(), "store": "sqlite:///never-made.db", **more}
    with pytest.raises(ConfigurationError) as told:
        Bridge(**made)
    assert said in one_sentence(told.value)
    assert not Path("never-made.db").exists()


async def test_a_policy_may_be_given_by_its_fields(store):
    async with world(store, policy={"on_handoff_message": "Just so"}) as w:
        await w.start()
        assert (w.texts, w.bridge.policy) == (["Just so"], Policy(on_handoff_message="Just so"))


# Asked for ------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def w(store):
    async with world(store) as made:
        yield made


@pytest.mark.parametrize(
    ("start", "said"),
    [
        *(
            ({"wait": wrong}, "wait is no such time; give a number of seconds, 0 or more")
            for wrong in ("5", None, -1, math.nan, True, timedelta(seconds=1))
        ),
        ({"connection": 5}, "connection is of type int; give the name of one, or a list of names"),
        ({"connection": [["memory"]]}, "connection is of type list"),
        ({"user": EndUser(external_id="a\0b", name="Ada")}, "the external_id of user cannot be stored: it has a char"),
        ({"user": EndUser(external_id="x" * 501, name="Ada")}, "user has 501 characters; give one of 500 at most"),
        ({"conversation": "c\0"}, "conversation_id cannot be stored: it has a character that no database holds"),
        ({"conversation": []}, "conversation_id is no text"),
        ({"idempotency_key": {"a": 1}}, "idempotency_key is no text"),
    ],
    ids=str,
)
async def test_a_start_that_cannot_be_meant_is_refused_before_anything_begins(w, start, said):
    with pytest.raises(InvalidRequestError) as told:
        await w.start(**start)
    assert said in one_sentence(told.value)
    assert "500 characters at most" not in str(told.value)
    assert (w.desk.calls, await w.handoff()) == ([], None)


async def test_a_start_may_wait_for_as_long_as_it_takes(w):
    assert (await w.start(wait=math.inf)).status == "started"


async def test_a_message_that_is_none_names_what_was_called(w):
    with pytest.raises(InvalidRequestError) as told:
        await w.bridge.handle_user_message("c1", b"hi", message_id="m1")
    assert one_sentence(told.value).startswith("handle_user_message: message is of type bytes; pass a text")
    async with w.bridge.turn("c1", "hello", message_id="m2", send=print) as turn:
        with pytest.raises(InvalidRequestError) as told:
            await turn.say(b"hi")
    assert one_sentence(told.value).startswith("say: message is of type bytes; pass a text")


@pytest.mark.parametrize(
    ("older_than", "said"),
    [
        (timedelta(days=-1), "older_than is negative; give how long ago"),
        (timedelta.max, "older_than is longer than there are years; give how long ago"),
        (90, r"older_than is of type int; give a datetime\.timedelta, such as timedelta\(days=90\)"),
        (None, "older_than is of type NoneType"),
    ],
)
async def test_what_is_let_go_of_is_older_than_a_time_that_has_passed(w, older_than, said):
    with pytest.raises(InvalidRequestError, match=said):
        await w.bridge.purge(older_than)
    assert not sum((await w.bridge.purge(timedelta(0))).values())


@pytest.mark.parametrize("user_key", [None, "", 5, "a\0b"])
async def test_a_customer_to_forget_is_named_by_an_id(w, user_key):
    with pytest.raises(InvalidRequestError, match="user_key"):
        await w.bridge.erase_customer(user_key)
