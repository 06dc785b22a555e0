"""Several helpdesks behind one bridge: which one a start goes to, and the next when one cannot (F31, guarantee 7)."""

import pytest

from hitl_core import calls
from hitl_core.bridge import Owner, Route
from hitl_core.errors import (
    AmbiguousOutcomeError,
    AuthenticationError,
    InvalidRequestError,
    ProviderUnavailableError,
    RateLimitedError,
)
from hitl_core.people import Author
from hitl_core.sessions import HistoryEntry
from hitl_core.spec import hookimpl

from .world import ADA, BEA, JOINED, Account, Desk, told, world

pytestmark = pytest.mark.anyio

HISTORY = (HistoryEntry.of(Author.user(name="Ada"), "Where is my parcel?"),)


class Searched(Account):
    """A helpdesk whose search gives what its desk says."""

    @hookimpl
    async def find_session(self, request):
        return getattr(self._desk, "finds", None) or await super().find_session(request)


@pytest.fixture
def desks():
    return {"first": Desk(), "second": Desk()}


@pytest.fixture
async def w(store, desks):
    async with world(store, desks=desks, provider=Searched) as made:
        yield made


def words(desk, ticket="t1"):
    return [request.message.text for request in desk.tickets[ticket].sent]


def refusing(desk, error, times=20):
    for _ in range(times):
        desk.fail("before", error)


# The next one -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [AuthenticationError("the token is refused"), InvalidRequestError("no such group")], ids=["token", "group"]
)
async def test_f31_a_start_that_is_refused_goes_to_the_next_helpdesk_at_once(w, desks, error):
    desks["first"].fail("before", error)
    result = await w.start(history=HISTORY)
    assert (result.status, result.session.ref.connection) == ("started", "default/second")
    assert (list(desks["first"].tickets), list(desks["second"].tickets)) == ([], ["t1"])
    assert "Where is my parcel?" in desks["second"].tickets["t1"].start.relay[0].text
    assert w.texts == [told("on_handoff_message")], "nobody is told of what was tried before"
    assert (await w.handoff()).connection == "default/second"


async def test_f31_f04_a_helpdesk_that_is_down_is_left_in_time_and_what_was_said_follows(w, desks):
    refusing(desks["first"], ProviderUnavailableError("down"))
    await w.start()
    await w.say("one")
    await w.pass_time(31, step=0.5)
    await w.say("two")
    assert (list(desks["first"].tickets), words(desks["second"])) == ([], ["one", "two"])
    assert w.texts == [told("on_handoff_message")]
    await w.deliver(desks["second"].reply("t1", "hello", BEA), connection="second")
    assert w.texts[-2:] == [JOINED, "hello"]


async def test_f31_when_all_of_them_refuse_the_customer_is_told_once(w, desks):
    for desk in desks.values():
        desk.fail("before", AuthenticationError("the token is refused"))
    result = await w.start()
    assert (result.status, result.session) == ("not_allowed", None)
    assert w.texts == [told("on_start_failed_message"), "start_failed"]


async def test_f31_a_start_that_may_have_taken_place_is_never_made_elsewhere(w, desks):
    """Guarantee 7: falling back only when there certainly is no ticket."""
    desks["first"].finds = calls.Inconclusive()
    desks["first"].fail("after", AmbiguousOutcomeError("time-out"))
    await w.start()
    await w.pass_time(130, step=10)
    assert (list(desks["first"].tickets), list(desks["second"].tickets)) == (["t1"], [])
    assert w.texts == [told("on_start_failed_message"), "start_failed"]
    desks["first"].finds = None
    await w.pass_time(900, step=60)
    assert not desks["first"].tickets["t1"].open, "a ticket that shows up late is closed"


async def test_f31_a_start_that_was_looked_for_and_not_found_may_be_made_elsewhere(w, desks):
    desks["first"].finds = calls.Absent()
    desks["first"].fail("before", AmbiguousOutcomeError("time-out"))
    desks["first"].fail("before", InvalidRequestError("no such group"))
    await w.start()
    await w.pass_time(5)
    assert (list(desks["first"].tickets), list(desks["second"].tickets)) == ([], ["t1"])


async def test_f31_r06_a_customer_is_made_anew_where_they_are_not_known_yet(w, desks):
    await w.start("c1")
    desks["first"].fail("before", AuthenticationError("the token is refused"))
    await w.start("c2")
    assert [desk.calls.count("create_user") for desk in desks.values()] == [1, 1]


async def test_f31_falling_back_goes_on_over_a_crash(store, desks):
    async with world(store, desks=desks) as w:
        desks["first"].fail("before", InvalidRequestError("no such group"))
        gate = desks["second"].hold("start_hitl", "after")
        w.begin(w.start())
        await gate.reached.wait()
        await w.crash()
    gate.open()
    async with world(store, desks=desks, chat=w.chat) as again:
        await again.wake_after_a_crash()
        assert (list(desks["first"].tickets), list(desks["second"].tickets)) == ([], ["t1"])
        assert w.texts == [told("on_handoff_message")]


async def test_s097_f31_an_end_while_the_next_one_is_tried_closes_its_ticket(w, desks):
    desks["first"].fail("before", InvalidRequestError("no such group"))
    gate = desks["second"].hold("start_hitl", "after")
    starting = w.begin(w.start())
    await gate.reached.wait()
    await w.say("/end")
    gate.open()
    await starting
    assert not desks["second"].tickets["t1"].open
    assert (w.texts, await w.owner()) == ([told("on_user_hitl_close_message"), "user_closed"], Owner.BOT)


# Which one ----------------------------------------------------------------------------------------------------------

ROUTES = (
    Route(when={"title_words": "refund"}, connections=("second", "first")),
    Route(when={"locale": "de"}, connections=("second",)),
)


async def test_f31_routes_choose_the_helpdesk_by_what_is_known_at_the_start(store, desks):
    async with world(store, desks=desks, routing=ROUTES) as w:
        await w.start("c1")
        await w.start("c2", user=ADA.model_copy(update={"locale": "de-CH"}))
        await w.bridge.start_hitl("c3", ADA, "My refund", wait=0)
        chosen = [(await w.handoff(f"c{number}")).connection for number in (1, 2, 3)]
        assert chosen == ["default/first", "default/second", "default/second"]


async def test_f31_a_route_names_its_own_chain(store, desks):
    async with world(store, desks=desks, routing=ROUTES) as w:
        desks["second"].fail("before", AuthenticationError("the token is refused"))
        result = await w.bridge.start_hitl("c1", ADA, "My refund", wait=0)
        assert result.session.ref.connection == "default/first"
        desks["second"].fail("before", AuthenticationError("the token is refused"))
        german = ADA.model_copy(update={"locale": "de"})
        assert (await w.start("c2", user=german)).status == "not_allowed", "it has no other one"


async def test_f31_a_start_may_name_its_helpdesks_itself(w, desks):
    result = await w.start("c1", connection="second")
    assert result.session.ref.connection == "default/second"
    desks["second"].fail("before", InvalidRequestError("no such group"))
    result = await w.start("c2", connection=["second", "first"])
    assert result.session.ref.connection == "default/first"


# Apart --------------------------------------------------------------------------------------------------------------


async def test_r13_f32_tickets_of_two_accounts_with_the_same_id_are_two(w, desks):
    await w.start("c1", connection="first")
    await w.start("c2", connection="second")
    await w.deliver(desks["second"].reply("t1", "for two", BEA), connection="second")
    assert (await w.owner("c1"), await w.owner("c2")) == (Owner.QUEUE, Owner.HUMAN)
    await w.say("from one", "c1")
    assert (words(desks["first"]), words(desks["second"])) == (["from one"], [])


async def test_f32_a_delivery_signed_for_another_account_is_refused(w, desks):
    await w.start("c1", connection="first")
    delivery = desks["second"].deliver([])
    receipt = await w.deliver(delivery, connection="first")
    assert (receipt.accepted, receipt.reply.status) == (False, 401)


async def test_f31_a_helpdesk_that_is_slow_holds_no_other_one_up(w, desks):
    await w.start("c1", connection="first")
    await w.start("c2", connection="second")
    desks["first"].fail("before", RateLimitedError("slow down", retry_after=600))
    await w.say("one", "c1")
    await w.say("two", "c2")
    assert (words(desks["first"]), words(desks["second"])) == ([], ["two"])


async def test_f10_the_next_hand_off_may_be_on_another_helpdesk_and_late_words_of_the_last_are_shown(w, desks):
    await w.start(connection="first")
    await w.deliver(desks["first"].close("t1"), connection="first")
    await w.start(connection="second")
    assert desks["second"].tickets["t1"].start.previous is None, "it cannot link to a ticket of another account"
    await w.deliver(desks["first"].reply("t1", "PS: found it", BEA), connection="first")
    assert w.texts[-1] == "PS: found it"
    assert await w.owner() is Owner.QUEUE


async def test_f32_two_tenants_share_a_database_and_nothing_else(store, desks):
    async with (
        world(store, desk=desks["first"]) as one,
        world(store, desk=desks["second"], tenant="other") as other,
    ):
        await one.start("c1")
        await other.start("c1")
        await one.say("for one", "c1")
        await other.deliver(desks["second"].close("t1"))
        assert (await one.owner("c1"), await other.owner("c1")) == (Owner.QUEUE, Owner.BOT)
        assert (words(desks["first"]), words(desks["second"])) == (["for one"], [])
        assert [line for line in one.texts if line == "agent_closed"] == []
