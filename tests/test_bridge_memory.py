"""The bridge in memory, between a host and a helpdesk that are both in memory too."""

import asyncio
import dataclasses
import heapq
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from hitl_core import calls
from hitl_core.bridge import EndReason, MemoryBridge, Owner, Phase, Policy
from hitl_core.connect import connect_class
from hitl_core.errors import (
    AmbiguousOutcomeError,
    AuthenticationError,
    ConfigurationError,
    HitlError,
    InvalidRequestError,
    ProviderUnavailableError,
    RateLimitedError,
    SessionClosedError,
)
from hitl_core.events import AgentAssigned, AgentTyping
from hitl_core.info import Intake
from hitl_core.messages import Text
from hitl_core.people import Agent, Author, EndUser, Role
from hitl_core.sessions import HistoryEntry
from hitl_core.spec import hookimpl
from hitl_core.testing.memory import MemoryHelpdesk, MemoryProvider

pytestmark = pytest.mark.anyio

ADA = EndUser(external_id="u1", name="Ada")
BEA = Agent(id="a1", name="Bea")


class ManualClock:
    """Time stands still until it is moved."""

    def __init__(self):
        self.elapsed = 0.0
        self.sleepers = []
        self.count = 0

    def now(self):
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.elapsed)

    def monotonic(self):
        return self.elapsed

    async def sleep(self, seconds):
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        self.count += 1
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self.sleepers, (self.elapsed + seconds, self.count, future))
        await future

    async def advance(self, seconds):
        end = self.elapsed + seconds
        await quiet()
        while self.sleepers and self.sleepers[0][0] <= end:
            due, _, future = heapq.heappop(self.sleepers)
            self.elapsed = max(self.elapsed, due)
            if not future.done():
                future.set_result(None)
            await quiet()
        self.elapsed = end


async def quiet():
    """Let everything run that needs no time to pass."""
    for _ in range(60):
        await asyncio.sleep(0)


class Chat:
    """A host that writes down what it is told; ``broken`` calls fail first."""

    def __init__(self):
        self.lines = []
        self.handed_back = []
        self.notices = []
        self.keys = []
        self.broken = 0

    async def send(self, conversation_id, message, sender, *, key):
        self.stumble()
        self.keys.append(key)
        self.lines.append((sender.name if sender.role is Role.AGENT else str(sender.role), message.text))

    async def resume(self, conversation_id, hand_back, *, key):
        self.stumble()
        self.keys.append(key)
        self.handed_back.append(hand_back)
        self.lines.append(("resume", hand_back.reason.value))

    async def notify(self, event, *, key):
        self.notices.append(event)

    def stumble(self):
        if self.broken:
            self.broken -= 1
            raise RuntimeError("the host is restarting")


class World:
    def __init__(self, desk, connection, chat, bridge, clock):
        self.desk, self.connection, self.chat, self.bridge, self.clock = desk, connection, chat, bridge, clock
        self.number = 0

    async def start(self, conversation="c1", **more):
        more.setdefault("wait", 0)
        result = await self.bridge.start_hitl(conversation, ADA, "Parcel", **more)
        await quiet()
        return result

    async def say(self, text, conversation="c1", id=None):
        self.number += 1
        handled = await self.bridge.handle_user_message(conversation, text, message_id=id or f"m{self.number}")
        await quiet()
        return handled

    async def deliver(self, delivery):
        receipt = await self.bridge.receive_webhook("desk", headers=delivery.headers, body=delivery.body)
        await quiet()
        return receipt

    def sent(self, ticket="t1"):
        return [request.message.text for request in self.desk.tickets[ticket].sent]

    @property
    def texts(self):
        return [text for _, text in self.chat.lines]


@asynccontextmanager
async def world(*, provider=MemoryProvider, policy=None, **more):
    desk, chat, clock = MemoryHelpdesk(), Chat(), ManualClock()
    async with connect_class(provider, helpdesk=desk, webhook_secret=desk.secret) as connection:
        more.setdefault("reconcile_seconds", None)
        async with MemoryBridge({"desk": connection}, chat, policy, clock, **more) as bridge:
            yield World(desk, connection, chat, bridge, clock)
            await bridge.aclose(grace=0)


@pytest.fixture
async def w():
    async with world() as made:
        yield made


# A whole hand-off -------------------------------------------------------------------------------------------------


async def test_a_hand_off_from_the_start_to_the_bot_being_back(w):
    history = (HistoryEntry.of(Author.user(name="Ada"), "Where is my parcel?"),)
    assert w.bridge.owner("c1") is Owner.BOT
    await w.start(history=history)
    assert "Where is my parcel?" in w.desk.tickets["t1"].start.relay[0].text
    assert w.bridge.owner("c1") is Owner.QUEUE
    assert (await w.say("hello?")).silence
    await w.deliver(w.desk.assign("t1", BEA))
    await w.deliver(w.desk.reply("t1", "It is on its way.", BEA))
    assert w.bridge.owner("c1") is Owner.HUMAN
    await w.deliver(w.desk.note("t1", "difficult customer", BEA))
    await w.deliver(w.desk.close("t1", BEA))
    policy = Policy()
    assert w.chat.lines == [
        ("system", policy.on_handoff_message),
        ("system", "Bea has joined the conversation."),
        ("Bea", "It is on its way."),
        ("system", policy.on_hitl_stopped_message),
        ("resume", "agent_closed"),
    ]
    assert w.sent() == ["hello?"]
    assert not (await w.say("thanks")).silence
    assert "stop_hitl" not in w.desk.calls


async def test_a_second_hand_off_begins_from_scratch(w):
    await w.start()
    await w.deliver(w.desk.reply("t1", "Hello", BEA))
    await w.deliver(w.desk.close("t1", BEA))
    result = await w.start()
    assert w.bridge.handoff("c1").session.id == "t2"
    assert w.bridge.owner("c1") is Owner.QUEUE
    await w.deliver(w.desk.reply("t2", "Hello again", BEA))
    assert w.texts[-2:] == ["Bea has joined the conversation.", "Hello again"]
    assert result.handoff.id == w.bridge.handoff("c1").id


async def test_conversations_do_not_meet(w):
    await w.start("c1")
    await w.start("c2")
    await w.deliver(w.desk.reply("t2", "for two", BEA))
    await w.say("from one", "c1")
    assert w.bridge.owner("c1") is Owner.QUEUE
    assert w.bridge.owner("c2") is Owner.HUMAN
    assert (w.sent("t1"), w.sent("t2")) == (["from one"], [])


# Start ------------------------------------------------------------------------------------------------------------


async def test_f01_the_result_says_started_and_names_the_session(w):
    result = await w.bridge.start_hitl("c1", ADA, "Parcel", wait=5)
    assert (result.status, result.session.id, result.handoff.phase) == ("started", "t1", Phase.WAITING)


async def test_f01_a_start_that_takes_long_says_starting(w):
    w.desk.fail("before", RateLimitedError("slow down", retry_after=20))
    result = await w.start()
    assert (result.status, result.session) == ("starting", None)
    await w.clock.advance(20)
    assert w.bridge.handoff("c1").phase is Phase.WAITING
    assert w.texts == [Policy().on_handoff_message]


async def test_f01_another_start_finds_the_open_one(w):
    first = await w.start()
    again = await w.start()
    assert (again.status, again.handoff.id) == ("already_active", first.handoff.id)
    assert again.session.id == "t1"
    assert len(w.desk.tickets) == 1


async def test_f02_the_same_trigger_is_a_replay_and_another_attempt_is_not(w):
    await w.start(trigger_message_id="m7")
    assert (await w.start(trigger_message_id="m7")).status == "started", "asking again gives the same answer"
    await w.deliver(w.desk.close("t1"))
    assert (await w.start(trigger_message_id="m7")).status == "replay"
    assert len(w.desk.tickets) == 1
    await w.start(trigger_message_id="m7", attempt=2)
    assert len(w.desk.tickets) == 2


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (AuthenticationError("the token is refused; make a new one"), "not_allowed"),
        (InvalidRequestError("no such priority"), "failed"),
    ],
)
async def test_f03_a_refused_start_tells_the_customer_and_says_why(w, error, status):
    w.desk.fail("before", error)
    result = await w.bridge.start_hitl("c1", ADA, "Parcel", wait=5)
    assert result.status == status
    assert error.message in result.detail
    await quiet()
    assert w.chat.lines == [("system", Policy().on_start_failed_message), ("resume", "start_failed")]
    assert not (await w.say("hello?")).silence


async def test_f03_a_helpdesk_that_stays_down_is_given_up_in_time(w):
    for _ in range(20):
        w.desk.fail("before", ProviderUnavailableError("down"))
    await w.start()
    assert w.texts == []
    await w.clock.advance(40)
    assert w.texts == [Policy().on_start_failed_message, "start_failed"]
    assert (await w.start()).handoff.phase is Phase.STARTING


async def test_an_unclear_start_is_looked_up_before_it_is_repeated(w):
    w.desk.fail("after", AmbiguousOutcomeError("time-out"))
    await w.start()
    await w.clock.advance(5)
    assert len(w.desk.tickets) == 1
    assert w.desk.calls.count("start_hitl") == 1
    assert w.bridge.handoff("c1").session.id == "t1"


async def test_an_unclear_start_that_did_not_happen_is_repeated(w):
    w.desk.fail("before", AmbiguousOutcomeError("time-out"))
    await w.start()
    await w.clock.advance(5)
    assert w.desk.calls.count("start_hitl") == 2
    assert w.bridge.handoff("c1").session.id == "t1"


class Blind(MemoryProvider):
    """A helpdesk that cannot be searched, and for a while tells nothing."""

    blind = True

    @hookimpl
    async def find_session(self, request):
        return calls.Inconclusive() if self.blind else await super().find_session(request)


async def test_f03_a_ticket_found_after_the_start_was_given_up_is_closed():
    class Late(Blind):
        pass

    async with world(provider=Late) as w:
        w.desk.fail("after", AmbiguousOutcomeError("time-out"))
        await w.start()
        await w.clock.advance(40)
        assert w.texts == [Policy().on_start_failed_message, "start_failed"]
        assert w.desk.tickets["t1"].open
        Late.blind = False
        await w.clock.advance(100)
        assert not w.desk.tickets["t1"].open
        assert w.bridge.owner("c1") is Owner.BOT


async def test_f12_ending_it_while_it_starts_closes_the_ticket_that_comes_late():
    class Slow(MemoryProvider):
        gate = None

        @hookimpl(specname="start_hitl")
        async def create_ticket(self, request):
            await self.gate.wait()
            return await super().create_ticket(request)

    Slow.gate = asyncio.Event()
    async with world(provider=Slow) as w:
        await w.start()
        await w.say("hello?")
        await w.say("/end")
        assert w.texts == [Policy().on_user_hitl_close_message, "user_closed"]
        assert [m.text for m in w.chat.handed_back[0].pending_messages] == ["hello?"]
        Slow.gate.set()
        await quiet()
        assert not w.desk.tickets["t1"].open
        assert w.texts == [Policy().on_user_hitl_close_message, "user_closed"]


async def test_f04_deliveries_during_the_start_are_parked_and_taken_in_after_the_link():
    class Slow(MemoryProvider):
        gate = None

        @hookimpl(specname="start_hitl")
        async def create_ticket(self, request):
            started = await super().create_ticket(request)
            await self.gate.wait()
            return started

    Slow.gate = asyncio.Event()
    async with world(provider=Slow) as w:
        await w.start()
        await w.say("one")
        await w.deliver(w.desk.reply("t1", "quick answer", BEA))
        await w.deliver(w.desk.reply("t1", "and another", BEA))
        assert w.texts == []
        Slow.gate.set()
        await quiet()
        policy = Policy()
        joined = "Bea has joined the conversation."
        assert w.texts == [policy.on_handoff_message, joined, "quick answer", "and another"]
        assert w.sent() == ["one"]


async def test_what_happened_before_the_link_is_read_from_the_record_when_no_delivery_came():
    class Quick(MemoryProvider):
        @hookimpl(specname="start_hitl")
        async def create_ticket(self, request):
            started = await super().create_ticket(request)
            self._desk.reply("t1", "lost on the way", BEA)
            return started

    async with world(provider=Quick) as w:
        await w.start()
        assert w.texts[-1] == "lost on the way"


async def test_history_beyond_the_opening_is_sent_before_the_customers_next_words():
    class Small(MemoryProvider):
        @hookimpl(specname="start_hitl")
        async def create_ticket(self, request):
            started = await super().create_ticket(request)
            return started.model_copy(update={"relayed": 0})

    async with world(provider=Small) as w:
        await w.start(history=(HistoryEntry.of(Author.user(name="Ada"), "Where is my parcel?"),))
        await w.say("hello?")
        first, *rest = w.sent()
        assert "Where is my parcel?" in first
        assert rest == ["hello?"]


class TwoSteps(MemoryProvider):
    """Makes the ticket, then does something more to it."""

    @hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        started = await super().create_ticket(request.model_copy(update={"key": request.key.partition(".")[0]}))
        self._desk.steps = [*getattr(self._desk, "steps", []), (request.step, request.key, request.resume)]
        return started.model_copy(update={"resume": {"left": "tags"}}) if request.step == 0 else started


async def test_a_start_of_several_steps_goes_on_from_where_it_was():
    async with world(provider=TwoSteps) as w:
        await w.start(idempotency_key="k")
        assert w.desk.steps == [(0, "k/0", None), (1, "k/0.1", {"left": "tags"})]
        assert list(w.desk.tickets) == ["t1"]
        assert w.texts == [Policy().on_handoff_message]


async def test_f03_a_step_that_fails_for_good_closes_the_ticket_of_the_steps_before():
    class Failing(TwoSteps):
        @hookimpl(specname="start_hitl")
        async def create_ticket(self, request):
            if request.step == 1:
                raise InvalidRequestError("no such tag")
            return await super().create_ticket(request)

    async with world(provider=Failing) as w:
        await w.start()
        assert w.texts == [Policy().on_start_failed_message, "start_failed"]
        assert not w.desk.tickets["t1"].open


async def test_a_start_names_what_is_missing(w):
    with pytest.raises(HitlError, match="conversation_id"):
        await w.start("")
    with pytest.raises(ConfigurationError, match="unknown connection 'zendesk'; known: desk"):
        await w.start(connection="zendesk")
    with pytest.raises(ConfigurationError, match="on_handof_message"):
        await w.start(policy={"on_handof_message": "x"})
    assert w.bridge.handoff("c1") is None


# Messages ---------------------------------------------------------------------------------------------------------


async def test_a_message_that_has_to_wait_keeps_the_order_and_the_customers_lane_goes_on(w):
    await w.start()
    w.desk.fail("before", RateLimitedError("slow down", retry_after=30))
    await w.say("one")
    await w.say("two")
    await w.deliver(w.desk.reply("t1", "I am here", BEA))
    assert w.texts[-1] == "I am here", "a throttled helpdesk does not delay what the customer is told"
    assert w.sent() == []
    await w.clock.advance(30)
    assert w.sent() == ["one", "two"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_f37_an_unclear_message_is_looked_up_and_arrives_once(w, when):
    await w.start()
    w.desk.fail(when, AmbiguousOutcomeError("reset"))
    await w.say("one")
    await w.say("two")
    await w.clock.advance(5)
    assert w.sent() == ["one", "two"]
    assert w.bridge.handoff("c1").unrelayed == ()


async def test_a_message_nobody_can_tell_of_is_held_counted_and_told():
    class Searchless(MemoryProvider):
        @hookimpl
        async def find_message(self, request):
            return calls.Inconclusive()

    async with world(provider=Searchless) as w:
        await w.start()
        w.desk.fail("after", AmbiguousOutcomeError("reset"))
        await w.say("one")
        await w.say("two")
        await w.clock.advance(200)
        assert w.sent() == ["one", "two"], "never sent twice"
        assert w.texts[-1] == Policy().on_message_failed_message
        [letter] = w.bridge.dead_letters
        assert (letter.kind, letter.failure) == ("send_to_desk", "unresolved")


async def test_a_refused_message_is_told_to_the_customer_and_the_lane_goes_on(w):
    await w.start()
    w.desk.fail("before", InvalidRequestError("too odd"))
    await w.say("one")
    await w.say("two")
    assert w.sent() == ["two"]
    assert w.texts[-1] == Policy().on_message_failed_message
    assert len(w.bridge.dead_letters) == 1


async def test_refused_credentials_hold_the_message_until_they_are_mended(w):
    await w.start()
    w.desk.fail("before", AuthenticationError("the token is refused"))
    await w.say("one")
    assert w.sent() == []
    assert w.bridge.owner("c1") is Owner.QUEUE
    await w.clock.advance(60)
    assert w.sent() == ["one"]


async def test_f13_a_session_closed_behind_our_back_gives_the_message_back_to_the_bot(w):
    await w.start()
    w.desk.fail("before", SessionClosedError("closed"))
    await w.say("still there?")
    assert w.texts[-2:] == [Policy().on_hitl_stopped_message, "session_gone"]
    assert [m.text for m in w.chat.handed_back[0].pending_messages] == ["still there?"]
    assert w.bridge.owner("c1") is Owner.BOT


async def test_messages_still_waiting_at_the_end_are_given_back_and_never_sent(w):
    await w.start()
    w.desk.fail("before", RateLimitedError("slow down", retry_after=30))
    await w.say("one")
    await w.say("two")
    await w.say("/end")
    assert [m.text for m in w.chat.handed_back[0].pending_messages] == ["one", "two"]
    await w.clock.advance(120)
    assert w.sent() == []
    assert not w.desk.tickets["t1"].open


async def test_f22_a_message_handed_in_twice_is_relayed_once_and_silenced_even_after_the_end(w):
    await w.start()
    assert (await w.say("one", id="m1")).silence
    assert (await w.say("one", id="m1")).silence
    await w.deliver(w.desk.close("t1"))
    assert (await w.say("one", id="m1")).silence, "its answer was somebody else's business"
    assert w.sent() == ["one"]


async def test_s022_the_customer_speaks_in_their_own_name(w):
    await w.start()
    await w.say("one")
    author = w.desk.tickets["t1"].sent[0].author
    assert (author.role, author.id) == (Role.USER, "user-u1")


async def test_typing_is_shown_to_agents_and_never_waits(w):
    await w.bridge.user_typing("c1")
    assert w.desk.typing == []
    await w.start()
    await w.bridge.user_typing("c1")
    await w.bridge.user_typing("c1", typing=False)
    assert [request.typing for request in w.desk.typing] == [True, False]


# End --------------------------------------------------------------------------------------------------------------


async def test_f12_the_customer_is_told_at_once_though_the_ticket_cannot_be_closed_yet(w):
    await w.start()
    for _ in range(3):
        w.desk.fail("before", ProviderUnavailableError("down"))
    await w.say("/end")
    assert w.texts[-2:] == [Policy().on_user_hitl_close_message, "user_closed"]
    assert w.bridge.owner("c1") is Owner.BOT
    assert w.desk.tickets["t1"].open
    await w.clock.advance(30)
    assert not w.desk.tickets["t1"].open


async def test_s099_the_last_text_is_a_note_where_the_stop_cannot_carry_it():
    class Plain(MemoryProvider):
        info = dataclasses.replace(
            MemoryProvider.info,
            capabilities=MemoryProvider.info.capabilities.model_copy(update={"stop_message": False}),
        )

    async with world(provider=Plain) as w:
        await w.start()
        await w.say("/end")
        [note] = w.desk.tickets["t1"].sent
        assert (note.message.text, note.visibility) == (Policy().on_user_hitl_cancelled_message, "internal")
        assert not w.desk.tickets["t1"].open


async def test_an_answer_that_shows_the_session_closed_ends_the_hand_off():
    class Telling(MemoryProvider):
        @hookimpl(specname="send_message")
        async def add_message(self, request):
            sent = await super().add_message(request)
            return sent.model_copy(update={"state": calls.SessionState(open=False)})

    async with world(provider=Telling) as w:
        await w.start()
        await w.say("hello?")
        assert w.bridge.owner("c1") is Owner.BOT


async def test_a_probe_of_the_url_is_answered_without_a_signature():
    class Probed(MemoryProvider):
        info = dataclasses.replace(MemoryProvider.info, intake=Intake(probe_methods=frozenset({"HEAD"})))

    async with world(provider=Probed) as w:
        receipt = await w.bridge.receive_webhook("desk", headers={}, body=b"", method="HEAD")
        assert (receipt.accepted, receipt.reply.status) == (False, 200)


async def test_a_ticket_that_cannot_be_closed_does_not_hold_up_the_next_hand_off(w):
    await w.start()
    w.desk.fail("before", RateLimitedError("slow down", retry_after=600))
    await w.say("/end")
    await w.start()
    assert w.bridge.handoff("c1").session.id == "t2"


async def test_s104_the_bot_stops_it_without_a_word_to_the_customer(w):
    await w.start()
    lines = len(w.chat.lines)
    await w.bridge.stop_hitl("c1", "bot_resolved")
    await quiet()
    assert w.chat.lines[lines:] == [("resume", "stop_requested")]
    assert not w.chat.handed_back[0].continue_flow
    assert not w.desk.tickets["t1"].open
    await w.bridge.stop_hitl("nobody")


async def test_a_reason_to_stop_that_is_unknown_is_a_mistake_and_ends_nothing(w):
    await w.start()
    with pytest.raises(InvalidRequestError, match="reason is not a known one; pass one of agent_closed"):
        await w.bridge.stop_hitl("c1", "bored")
    assert w.bridge.handoff("c1").open


async def test_the_bot_is_not_told_to_go_on_when_the_next_hand_off_has_begun(w):
    await w.start()
    w.chat.broken = 1
    await w.deliver(w.desk.close("t1"))
    assert w.chat.handed_back == []
    await w.start()
    await w.clock.advance(5)
    [back] = w.chat.handed_back
    assert not back.continue_flow
    assert w.bridge.owner("c1") is not Owner.BOT


async def test_s109_nobody_in_time_gives_the_conversation_back():
    async with world(policy=Policy(agent_assigned_timeout_seconds=60)) as w:
        await w.start()
        await w.clock.advance(59)
        assert w.bridge.owner("c1") is Owner.QUEUE
        await w.clock.advance(1)
        assert w.bridge.handoff("c1").end_reason is EndReason.ASSIGNMENT_TIMEOUT
        assert w.texts[-2:] == [Policy().on_agent_assigned_timeout_message, "assignment_timeout"]
        assert not w.desk.tickets["t1"].open


async def test_s107_an_agent_in_time_stops_the_timer():
    async with world(policy=Policy(agent_assigned_timeout_seconds=60)) as w:
        await w.start()
        await w.deliver(w.desk.assign("t1", BEA))
        await w.clock.advance(1000)
        assert w.bridge.owner("c1") is Owner.HUMAN


async def test_a_session_reopened_by_the_agent_fetches_the_customer_back(w):
    await w.start()
    await w.deliver(w.desk.reply("t1", "Bye", BEA))
    await w.deliver(w.desk.close("t1", BEA))
    await w.deliver(w.desk.reopen("t1", BEA))
    assert w.bridge.owner("c1") is Owner.QUEUE
    assert (await w.say("yes?")).silence
    assert w.sent() == ["yes?"]
    await w.deliver(w.desk.reply("t1", "One more thing", BEA))
    assert w.texts[-2:] == ["Bea has joined the conversation.", "One more thing"]
    await w.deliver(w.desk.close("t1", BEA))
    assert w.bridge.owner("c1") is Owner.BOT


# Webhooks and reading ---------------------------------------------------------------------------------------------


async def test_f20_a_forged_delivery_is_refused_and_changes_nothing(w):
    await w.start()
    delivery = w.desk.reply("t1", "hello", BEA)
    forged = {**delivery.headers, "webhook-signature": "v1,AAAA"}
    receipt = await w.bridge.receive_webhook("desk", headers=forged, body=delivery.body)
    await quiet()
    assert (receipt.accepted, receipt.reply.status) == (False, 401)
    assert w.texts == [Policy().on_handoff_message]


async def test_f21_a_delivery_is_answered_before_it_is_worked_on(w):
    await w.start()
    delivery = w.desk.reply("t1", "hello", BEA)
    receipt = await w.bridge.receive_webhook("desk", headers=delivery.headers, body=delivery.body)
    assert (receipt.accepted, receipt.reply.status) == (True, 200)
    assert "hello" not in w.texts
    await quiet()
    assert "hello" in w.texts


async def test_f22_the_same_delivery_and_the_same_fact_in_another_are_shown_once(w):
    await w.start()
    delivery = w.desk.reply("t1", "hello", BEA)
    again = w.desk.deliver(w.desk.tickets["t1"].facts, delivery_id="another")
    for each in (delivery, delivery, again):
        assert (await w.deliver(each)).accepted
    assert w.texts.count("hello") == 1


async def test_f21_a_delivery_that_cannot_be_read_is_listed_and_the_next_one_is_read(w):
    await w.start()
    broken = w.desk.deliver([{"id": "x", "ticket": "t1"}])
    assert (await w.deliver(broken)).accepted
    await w.deliver(w.desk.reply("t1", "hello", BEA))
    assert w.texts[-1] == "hello"
    [letter] = w.bridge.dead_letters
    assert letter.kind == "delivery"


async def test_a_delivery_for_a_session_of_somebody_else_is_ignored(w):
    await w.start()
    stranger = w.desk.deliver([{"id": "x", "ticket": "t99", "kind": "closed", "at": None, "agent": None}])
    assert (await w.deliver(stranger)).accepted
    assert w.bridge.owner("c1") is Owner.QUEUE
    assert w.bridge.dead_letters == ()


async def test_f13_what_was_lost_on_the_way_is_found_by_reading(w):
    await w.start()
    w.desk.assign("t1", BEA)
    w.desk.reply("t1", "you cannot hear me", BEA)
    w.desk.close("t1", BEA)
    await w.bridge.reconcile()
    await quiet()
    joined = "Bea has joined the conversation."
    assert w.texts[1:4] == [joined, "you cannot hear me", Policy().on_hitl_stopped_message]
    assert w.bridge.owner("c1") is Owner.BOT


async def test_by_push_and_by_pull_a_message_is_shown_once(w):
    await w.start()
    delivery = w.desk.reply("t1", "hello", BEA)
    await w.bridge.reconcile()
    await w.deliver(delivery)
    await w.bridge.reconcile()
    await quiet()
    assert w.texts.count("hello") == 1


async def test_f13_a_session_that_is_gone_ends_the_hand_off(w):
    await w.start()
    del w.desk.tickets["t1"]
    await w.bridge.reconcile()
    await quiet()
    assert w.bridge.handoff("c1").end_reason is EndReason.SESSION_GONE


async def test_f13_open_sessions_are_read_from_time_to_time():
    async with world(reconcile_seconds=60) as w:
        await w.start()
        w.desk.reply("t1", "hello", BEA)
        await w.clock.advance(59)
        assert "hello" not in w.texts
        await w.clock.advance(2)
        assert w.texts[-1] == "hello"


async def test_a_reading_overtaken_by_a_fact_takes_nobody_away():
    class Lagging(MemoryProvider):
        gate = None

        @hookimpl
        async def list_events(self, request):
            page = await super().list_events(request)
            if self.gate is not None:
                await self.gate.wait()
            return page

    async with world(provider=Lagging) as w:
        await w.start()
        Lagging.gate = asyncio.Event()
        reading = asyncio.ensure_future(w.bridge.reconcile())
        await quiet()
        await w.deliver(w.desk.assign("t1", BEA))
        Lagging.gate.set()
        await reading
        await quiet()
        assert w.bridge.owner("c1") is Owner.HUMAN
        Lagging.gate = None


async def test_an_agents_typing_goes_past_the_lanes():
    class Typing(MemoryProvider):
        @hookimpl
        async def parse_webhook(self, request):
            parsed = await super().parse_webhook(request)
            typing = AgentTyping(event_id="typing-1", session=parsed.events[0].session, agent=BEA)
            return parsed.model_copy(update={"events": (typing, *parsed.events)})

    async with world(provider=Typing) as w:
        await w.start()
        await w.deliver(w.desk.assign("t1", BEA))
        kinds = [type(notice.event) for notice in w.chat.notices]
        assert sorted(kind.__name__ for kind in kinds) == [AgentAssigned.__name__, AgentTyping.__name__]
        assert {notice.conversation_id for notice in w.chat.notices} == {"c1"}


# The host ---------------------------------------------------------------------------------------------------------


async def test_a_host_that_fails_is_asked_again_with_the_same_key_and_in_order(w):
    w.chat.broken = 2
    await w.start()
    await w.deliver(w.desk.reply("t1", "hello", BEA))
    assert w.texts == []
    await w.clock.advance(5)
    assert w.texts == [Policy().on_handoff_message, "Bea has joined the conversation.", "hello"]
    assert len(set(w.chat.keys)) == len(w.chat.keys)


async def test_what_a_host_keeps_refusing_is_listed_and_the_lane_goes_on(w):
    w.chat.broken = 8
    await w.start()
    await w.clock.advance(300)
    await w.deliver(w.desk.reply("t1", "hello", BEA))
    assert w.texts == ["Bea has joined the conversation.", "hello"]
    assert [letter.kind for letter in w.bridge.dead_letters] == ["tell_customer"]


async def test_settle_returns_once_everything_is_dealt_with(w):
    await w.bridge.start_hitl("c1", ADA, "Parcel", wait=0)
    await w.bridge.handle_user_message("c1", Text(text="one"), message_id="m1")
    await w.bridge.settle()
    assert w.sent() == ["one"]
    assert w.texts == [Policy().on_handoff_message]


async def test_nothing_is_left_running_after_the_end():
    before = asyncio.all_tasks()
    async with world(reconcile_seconds=60, policy=Policy(agent_assigned_timeout_seconds=60)) as w:
        await w.start()
        w.desk.fail("before", RateLimitedError("slow down", retry_after=600))
        await w.say("one")
    await quiet()
    assert asyncio.all_tasks() == before


async def test_only_the_last_thousand_ended_hand_offs_are_kept(w):
    for number in range(1005):
        await w.bridge.start_hitl(f"c{number}", ADA, "Parcel", wait=0)
        await w.bridge.settle()
        await w.bridge.stop_hitl(f"c{number}")
        await w.bridge.settle()
    assert w.bridge.handoff("c0") is None
    assert w.bridge.handoff("c1004") is not None
