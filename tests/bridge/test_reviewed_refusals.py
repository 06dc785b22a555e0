"""What a database, or a helpdesk's world of ids, refuses costs itself alone; what a host gets wrong is said at once."""

import asyncio
import secrets

import pytest

from hitl_core.bridge.handoff.inputs import PauseRequested
from hitl_core.bridge.store.inbox import Inbox
from hitl_core.errors import InvalidRequestError, StoreError
from hitl_core.messages import Text
from hitl_core.people import EndUser
from hitl_core.sessions import HitlSession, SessionRef
from hitl_core.spec import hookimpl

from .world import ADA, Account, world

pytestmark = pytest.mark.anyio

LONG = secrets.token_hex(5_000)  # more than an index of PostgreSQL's takes, and not to be compressed


class Odd(Account):
    """A helpdesk whose tickets have ids that no database wants, if the customer is odd."""

    @hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        started = await super().create_ticket(request)
        if request.title != "odd":
            return started
        ref = SessionRef(connection=self._ctx.key, id="t\0" + LONG)
        return started.model_copy(update={"session": HitlSession(ref=ref, provider="memory")})


async def test_what_the_database_refuses_of_one_conversation_keeps_no_other_waiting(store, backend):
    if backend == "sqlite":
        pytest.skip("it takes everything")
    async with world(store, provider=Odd) as w:
        await w.start("c1")
        await w.bridge.start_hitl("c2", ADA, "odd", wait=0)
        assert (await w.say("one", "c1")).silence
        await w.start("c3")
        assert [request.message.text for request in w.desk.tickets["t1"].sent] == ["one"]
        assert (await w.handoff("c3")).session.id == "t3"


async def test_what_the_database_refuses_of_one_input_costs_none_that_came_with_it(store, backend):
    inbox = Inbox(store, "default")
    keys = ("first", LONG, "last")
    came = await asyncio.gather(
        *(inbox.accept("c1", key, PauseRequested(), begins=True) for key in keys), return_exceptions=True
    )
    assert [came[0], came[2]] == [None, None]
    assert backend == "sqlite" or isinstance(came[1], StoreError)


# What hosts hand in ---------------------------------------------------------------------------------------------------

HALF = "\ud83d"  # of a pair: what is left of a smiley that was cut in two

WRONG = {
    "a conversation without an id": lambda bridge: bridge.silent(""),
    "an id that is no text": lambda bridge: bridge.start_hitl(5, ADA, "Parcel"),
    "an id that nobody can store": lambda bridge: bridge.handoff("c\0"),
    "half an id": lambda bridge: bridge.owner(HALF),
    "an endless id": lambda bridge: bridge.stop_hitl(LONG),
    "a message whose id is no text": lambda bridge: bridge.handle_user_message("c1", "hi", message_id=7),
    "a message with half an id": lambda bridge: bridge.handle_user_message("c1", "hi", message_id=HALF),
    "a writer that is none": lambda bridge: bridge.handle_user_message("c1", "hi", "Ada", message_id="m1"),
    "a person that is none": lambda bridge: bridge.handle_user_message("c1", "hi", message_id="m1", user="Ada"),
    "half a message": lambda bridge: bridge.handle_user_message("c1", Text.model_construct(text=HALF), message_id="m"),
    "a customer nobody can store": lambda bridge: bridge.start_hitl("c2", EndUser(external_id="a\0b"), "Parcel"),
    "an endless customer": lambda bridge: bridge.start_hitl("c2", EndUser(external_id=LONG), "Parcel"),
    "half a title": lambda bridge: bridge.start_hitl("c2", ADA, HALF),
    "a description that is no text": lambda bridge: bridge.start_hitl("c2", ADA, "Parcel", description=5),
    "an option that is no JSON": lambda bridge: bridge.start_hitl("c2", ADA, "Parcel", options={"k": object()}),
    "no connection": lambda bridge: bridge.start_hitl("c2", ADA, "Parcel", connection=[]),
    "a key nobody can store": lambda bridge: bridge.start_hitl("c2", ADA, "Parcel", idempotency_key="k\0"),
    "half a trigger": lambda bridge: bridge.start_hitl("c2", ADA, "Parcel", trigger_message_id=HALF),
}


@pytest.mark.parametrize("what", WRONG)
async def test_what_cannot_be_taken_is_refused_in_one_sentence_and_nothing_is_kept_of_it(store, what):
    async with world(store) as w:
        await w.start()
        with pytest.raises(InvalidRequestError) as told:
            await WRONG[what](w.bridge)
        assert "\n" not in str(told.value)
        await w.settle()
        assert (list(w.desk.tickets), w.sent()) == (["t1"], [])


async def test_ids_of_messages_and_starts_may_be_as_long_as_their_channels_make_them(store):
    async with world(store) as w:
        await w.start(trigger_message_id=LONG)
        assert (await w.start(trigger_message_id=LONG)).status == "started"
        for id_ in (LONG, LONG, LONG[:-1]):
            assert (await w.say(id_[-3:], id=id_)).silence
        assert w.sent() == [LONG[-3:], LONG[-4:-1]]
