"""How a hand-off begins, on the whole bridge: its answer, what is told when, and what is left behind (part 4)."""

import pytest

from hitl_core import calls
from hitl_core.bridge import EndReason, Owner, Phase, Policy
from hitl_core.errors import (
    AmbiguousOutcomeError,
    AuthenticationError,
    InvalidRequestError,
    ProviderUnavailableError,
    RateLimitedError,
)
from hitl_core.people import Author, EndUser
from hitl_core.sessions import HistoryEntry
from hitl_core.spec import hookimpl

from .world import ADA, BEA, JOINED, Account, told, world

pytestmark = pytest.mark.anyio

HISTORY = (HistoryEntry.of(Author.user(name="Ada"), "Where is my parcel?"),)
FAILED = [("system", told("on_start_failed_message")), ("resume", "start_failed")]


@pytest.fixture
async def w(store):
    async with world(store) as made:
        yield made


# The answer ---------------------------------------------------------------------------------------------------------


async def test_f01_the_result_says_started_and_names_the_ticket(w):
    result = await w.start(history=HISTORY)
    assert (result.status, result.session.id, result.handoff.phase) == ("started", "t1", Phase.WAITING)
    assert (await w.handoff()).id == result.handoff.id
    assert "Where is my parcel?" in w.desk.tickets["t1"].start.relay[0].text


async def test_f01_a_start_that_takes_long_says_starting_and_the_customer_is_told_once_it_is_made(w):
    w.desk.fail("before", RateLimitedError("slow down", retry_after=20))
    result = await w.start()
    assert (result.status, result.session) == ("starting", None)
    assert (await w.owner(), w.texts) == (Owner.QUEUE, []), "nobody is told of a human before there is a ticket (F03)"
    await w.pass_time(19, step=19)
    assert w.texts == []
    await w.pass_time(1)
    assert (await w.handoff()).phase is Phase.WAITING
    assert w.texts == [told("on_handoff_message")]


async def test_s054_f01_another_start_finds_the_open_one(w):
    first = await w.start()
    again = await w.start()
    assert (again.status, again.handoff.id, again.session.id) == ("already_active", first.handoff.id, "t1")
    assert list(w.desk.tickets) == ["t1"]


async def test_s055_s056_f02_the_same_trigger_is_a_replay_and_another_attempt_is_not(w):
    await w.start(trigger_message_id="m7")
    assert (await w.start(trigger_message_id="m7")).status == "started", "asking again gives the same answer"
    await w.deliver(w.desk.close("t1"))
    assert (await w.start(trigger_message_id="m7")).status == "replay"
    await w.start("c2", trigger_message_id="m7")
    assert list(w.desk.tickets) == ["t1", "t2"], "another conversation's message may have the same id"
    await w.start(trigger_message_id="m7", attempt=2)
    assert list(w.desk.tickets) == ["t1", "t2", "t3"]
    assert (await w.start(trigger_message_id="m7")).status == "replay", "also while another one is open"


async def test_s053_the_helpdesks_side_of_a_hand_off_cannot_be_handed_over(w):
    await w.start()
    lines = list(w.chat.lines)
    result = await w.start("t1")
    assert (result.status, result.handoff, result.session) == ("not_allowed", None, None)
    assert (list(w.desk.tickets), w.chat.lines) == (["t1"], lines)


async def test_f10_a_second_hand_off_begins_from_scratch(w):
    await w.start()
    await w.deliver(w.desk.reply("t1", "Hello", BEA))
    await w.deliver(w.desk.close("t1", BEA))
    result = await w.start()
    assert (result.session.id, result.handoff.agent, result.handoff.end_reason) == ("t2", None, None)
    assert await w.owner() is Owner.QUEUE
    await w.deliver(w.desk.reply("t2", "Hello again", BEA))
    assert w.texts[-2:] == [JOINED, "Hello again"]


async def test_conversations_do_not_meet(w):
    await w.start("c1")
    await w.start("c2")
    await w.deliver(w.desk.reply("t2", "for two", BEA))
    await w.say("from one", "c1")
    assert (await w.owner("c1"), await w.owner("c2")) == (Owner.QUEUE, Owner.HUMAN)
    assert (w.sent("t1"), w.sent("t2")) == (["from one"], [])


# Failures -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (AuthenticationError("the token is refused; make a new one"), "not_allowed"),
        (InvalidRequestError("no such priority"), "failed"),
    ],
)
async def test_s059_f03_a_refused_start_tells_the_customer_and_says_why(w, error, status):
    w.desk.fail("before", error)
    result = await w.start()
    assert result.status == status
    assert error.message in result.detail
    assert w.chat.lines == FAILED
    assert not (await w.say("hello?")).silence
    assert (await w.handoff()).end_reason is EndReason.START_FAILED


async def test_f01_f03_a_helpdesk_that_stays_down_is_given_up_in_time(w):
    for _ in range(20):
        w.desk.fail("before", ProviderUnavailableError("down"))
    await w.start(trigger_message_id="m1")
    await w.say("anybody?")
    assert w.texts == []
    await w.pass_time(31, step=0.5)
    assert w.chat.lines == FAILED
    assert [message.text for message in w.chat.handed_back[0].pending_messages] == ["anybody?"]
    assert (await w.start(trigger_message_id="m1")).status == "unavailable", "the same start has the same answer"
    w.desk.failures.clear()
    assert (await w.start(trigger_message_id="m1", attempt=2)).status == "started"


@pytest.mark.parametrize("when", ["before", "after"])
async def test_f03_f37_an_unclear_start_is_looked_up_and_makes_one_ticket(w, when):
    w.desk.fail(when, AmbiguousOutcomeError("time-out"))
    await w.start()
    await w.pass_time(5)
    assert list(w.desk.tickets) == ["t1"]
    assert w.desk.calls.count("start_hitl") == (2 if when == "before" else 1)
    assert (await w.handoff()).session.id == "t1"
    assert w.texts == [told("on_handoff_message")]


class Blind(Account):
    """A helpdesk that cannot be searched for tickets while its desk says so."""

    @hookimpl
    async def find_session(self, request):
        return calls.Inconclusive() if self._desk.blind else await super().find_session(request)


async def test_s060_f03_a_ticket_found_after_the_start_was_given_up_is_closed(store):
    async with world(store, provider=Blind) as w:
        w.desk.blind = True
        w.desk.fail("after", AmbiguousOutcomeError("time-out"))
        await w.start()
        await w.pass_time(40, step=5)
        assert w.chat.lines == FAILED
        assert w.desk.tickets["t1"].open
        w.desk.blind = False
        await w.pass_time(100, step=10)
        assert not w.desk.tickets["t1"].open
        assert (w.chat.lines, await w.owner()) == (FAILED, Owner.BOT)


class TwoSteps(Account):
    """Makes the ticket, then does something more to it, as its desk says."""

    @hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        if request.step == 1 and self._desk.refuses:
            raise InvalidRequestError("no such tag")
        started = await super().create_ticket(request.model_copy(update={"key": request.key.partition(".")[0]}))
        self._desk.steps = [*getattr(self._desk, "steps", []), (request.step, request.key, request.resume)]
        return started.model_copy(update={"resume": {"left": "tags"}}) if request.step == 0 else started


async def test_a_start_of_several_steps_goes_on_from_where_it_was(store):
    async with world(store, provider=TwoSteps) as w:
        w.desk.refuses = False
        await w.start(idempotency_key="k")
        key = (await w.handoff()).start_effect
        assert w.desk.steps == [(0, f"{key}/0", None), (1, f"{key}/0.1", {"left": "tags"})]
        assert list(w.desk.tickets) == ["t1"]
        assert w.texts == [told("on_handoff_message")]


async def test_s060_f03_a_step_that_fails_for_good_closes_the_ticket_of_the_steps_before(store):
    async with world(store, provider=TwoSteps) as w:
        w.desk.refuses = True
        await w.start()
        assert w.chat.lines == FAILED
        assert not w.desk.tickets["t1"].open


# Meanwhile ----------------------------------------------------------------------------------------------------------


async def test_s061_f04_what_both_sides_say_during_the_start_is_kept_and_follows_in_order(w):
    gate = w.desk.hold("start_hitl", "after")
    starting = w.begin(w.start())
    await gate.reached.wait()
    assert (await w.say("one")).silence
    assert (await w.say("two")).silence
    await w.deliver(w.desk.reply("t1", "quick answer", BEA))
    await w.deliver(w.desk.reply("t1", "and another", BEA))
    assert (w.texts, w.sent()) == ([], [])
    gate.open()
    assert (await starting).status == "started"
    assert w.texts == [told("on_handoff_message"), JOINED, "quick answer", "and another"]
    assert w.sent() == ["one", "two"]


class Quick(Account):
    """An agent answers before the bridge has the ticket, and the delivery is lost."""

    @hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        started = await super().create_ticket(request)
        self._desk.reply("t1", "lost on the way", BEA)
        return started


async def test_f04_what_happened_before_the_link_is_read_from_the_record_when_no_delivery_came(store):
    async with world(store, provider=Quick) as w:
        await w.start()
        assert w.texts == [told("on_handoff_message"), JOINED, "lost on the way"]


class Small(Account):
    """The opening has no room for history."""

    @hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        started = await super().create_ticket(request)
        return started.model_copy(update={"relayed": 0})


async def test_history_beyond_the_opening_is_sent_before_the_customers_next_words(store):
    async with world(store, provider=Small) as w:
        await w.start(history=HISTORY)
        await w.say("hello?")
        first, *rest = w.sent()
        assert "Where is my parcel?" in first
        assert rest == ["hello?"]


async def test_f07_what_an_agent_says_in_the_last_ticket_while_the_next_one_is_made_is_shown(w):
    await w.start()
    await w.deliver(w.desk.close("t1", BEA))
    gate = w.desk.hold("start_hitl")
    starting = w.begin(w.start())
    await gate.reached.wait()
    await w.deliver(w.desk.reply("t1", "PS: it has a tracking number", BEA))
    gate.open()
    await starting
    assert w.texts.count("PS: it has a tracking number") == 1
    assert (await w.owner(), (await w.handoff()).session.id) == (Owner.QUEUE, "t2")


async def test_s097_f12_a_close_command_during_the_start_ends_it_at_once_and_closes_the_late_ticket(w):
    gate = w.desk.hold("start_hitl")
    starting = w.begin(w.start())
    await gate.reached.wait()
    await w.say("hello?")
    await w.say("/end")
    ended = [told("on_user_hitl_close_message"), "user_closed"]
    assert (w.texts, await w.owner()) == (ended, Owner.BOT)
    assert [message.text for message in w.chat.handed_back[0].pending_messages] == ["hello?"]
    gate.open()
    assert not (await starting).handoff.open
    assert not w.desk.tickets["t1"].open
    assert (w.texts, w.sent(), await w.owner()) == (ended, [], Owner.BOT)


async def test_s101_f13_the_bot_may_stop_it_during_the_start(w):
    gate = w.desk.hold("start_hitl")
    starting = w.begin(w.start())
    await gate.reached.wait()
    stopping = w.begin(w.bridge.stop_hitl("c1"))
    await w.until(lambda: w.chat.handed_back)
    assert (w.texts, await w.owner()) == (["stop_requested"], Owner.BOT)
    gate.open()
    await starting
    await stopping
    assert not w.desk.tickets["t1"].open
    assert w.texts == ["stop_requested"]


# Customers and settings ---------------------------------------------------------------------------------------------


async def test_s063_r06_a_customer_is_made_once_and_known_in_the_next_hand_off(w):
    await w.start("c1")
    await w.start("c2")
    assert w.desk.calls.count("create_user") == 1
    assert [ticket.start.user.id for ticket in w.desk.tickets.values()] == ["user-u1", "user-u1"]


async def test_s068_f05_new_facts_of_a_customer_reach_the_helpdesk(w):
    await w.start("c1")
    await w.start("c2", user=EndUser(external_id="u1", name="Ada", email="ada@example.org"))
    assert w.desk.users["user-u1"].email == "ada@example.org"


async def test_s045_s046_the_policy_of_a_start_holds_until_its_end_also_after_a_restart(store):
    async with world(store, policy=Policy(user_close_command="stop")) as w:
        await w.start("c1", policy={"on_hitl_stopped_message": "Bye for now"})
        await w.start("c2")
    async with world(store, policy=Policy(on_hitl_stopped_message="Another text"), desk=w.desk, chat=w.chat) as again:
        await again.deliver(again.desk.close("t1"))
        assert w.texts[-2:] == ["Bye for now", "agent_closed"]
        await again.say("stop", "c2")
        assert w.texts[-2:] == [told("on_user_hitl_close_message"), "user_closed"]


async def test_f33_customers_are_told_in_their_own_language_and_agents_in_theirs(w):
    await w.start(user=ADA.model_copy(update={"locale": "de-CH"}))
    await w.deliver(w.desk.assign("t1", BEA))
    await w.say("/end")
    policy = Policy()
    names = ("on_handoff_message", "on_human_agent_assigned_message", "on_user_hitl_close_message")
    in_german = [policy.text(name, locale="de", agent_name="Bea") for name in names]
    assert w.texts == [*in_german, "user_closed"]
    assert in_german[0] != told("on_handoff_message")
    assert [stop.message for stop in w.desk.stops] == [told("on_user_hitl_cancelled_message")]


async def test_s030_a_text_that_is_configured_away_is_not_sent(store):
    async with world(store, policy=Policy(on_handoff_message="NULL")) as w:
        await w.start()
        assert w.texts == []
        await w.deliver(w.desk.close("t1"))
        assert w.texts == [told("on_hitl_stopped_message"), "agent_closed"]
