"""What the bot is told and given: again while it fails, once when it works (S006, S081, S126)."""

import asyncio

import pytest

from hitl_core.bridge.engine.jobs import HostJobs
from hitl_core.bridge.engine.progress import Progress
from hitl_core.bridge.handoff.effects import NotifyBot, Resume, TellCustomer, parse_effect
from hitl_core.bridge.handoff.inputs import EffectFailed, Failure
from hitl_core.bridge.handoff.records import EndReason, HandBack
from hitl_core.errors import ConfigurationError, HitlError, InvalidRequestError, StoreError
from hitl_core.events import AgentMessageDeleted, AgentMessageUpdated, AgentTyping
from hitl_core.messages import Text
from hitl_core.people import Agent, Author
from hitl_core.sessions import HistoryEntry, SessionRef
from hitl_core.testing.clock import VirtualClock

from .jobsite import KEY, Books, send, stored
from .scene import SESSION

pytestmark = pytest.mark.anyio

REF = SessionRef(connection=KEY, id="t1")
BEA = Agent(id="a1", name="Bea")
SAID = (HistoryEntry.of(Author.user(name="Ada"), "Any news?"), HistoryEntry.of(Author.agent(BEA), "Yes."))
WORDS = "the customer's own words"


class Bot:
    """A host that writes down what it gets; ``broken`` are raised first, ``None`` among them never ends."""

    def __init__(self):
        self.got = []
        self.keys = []
        self.broken = []

    async def _take(self, key, *what):
        self.keys.append(key)
        if self.broken:
            error = self.broken.pop(0)
            if error is None:
                await asyncio.Event().wait()
            raise error
        self.got.append(what)

    async def send(self, conversation_id, message, sender, *, key):
        await self._take(key, conversation_id, message, sender)

    async def resume(self, conversation_id, hand_back, *, key):
        await self._take(key, conversation_id, hand_back)

    async def notify(self, event, *, key):
        await self._take(key, event)


class Stage:
    def __init__(self, **options):
        self.bot, self.books, self.clock = Bot(), Books(), VirtualClock()
        self.jobs = HostJobs(self.bot, directory=self.books, clock=self.clock, **options)
        self.seen = []

    async def step(self, effect, progress=None):
        effect = parse_effect(effect.model_dump_json())
        progress = stored(progress if progress is not None else self.jobs.plan(effect))
        came = await self.jobs.advance(effect, progress, conversation_id="c1", handoff_id="h1")
        assert not self.clock.waits
        stored(came.progress)
        self.seen.append(came)
        return came

    async def run(self, effect):
        progress = None
        while True:
            came = await self.step(effect, progress)
            if came.verdict != "again":
                return came
            progress = came.progress
            self.clock.advance(came.wait)


def tell(key="h1:agent:e1"):
    return TellCustomer(
        key=key, message=Text(text="It is on its way."), sender=Author.agent(BEA), vendor_message_id="5"
    )


def resume(**changes):
    back = HandBack(handoff_id="h1", conversation_id="c1", reason=EndReason.AGENT_CLOSED, **changes)
    return Resume(key="h1:resume", hand_back=back)


# Telling the customer -------------------------------------------------------------------------------------------------


async def test_an_agents_message_is_shown_under_the_effects_key_s081():
    at = Stage()
    came = await at.step(tell())
    assert (came.verdict, came.report, came.progress) == ("done", None, Progress())
    assert at.bot.got == [("c1", tell().message, tell().sender)]
    assert at.bot.keys == ["h1:agent:e1"]


async def test_a_host_that_fails_is_asked_again_with_the_same_key():
    at = Stage()
    at.bot.broken = [RuntimeError(WORDS)] * 7
    assert (await at.run(tell())).verdict == "done"
    assert len(at.bot.got) == 1
    assert at.bot.keys == ["h1:agent:e1"] * 8
    assert [came.wait for came in at.seen[:-1]] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8]


@pytest.mark.parametrize("effect", [tell(), resume()])
async def test_a_host_that_is_away_for_an_hour_loses_nothing_and_then_is_given_up_by_the_kind_alone(effect, caplog):
    at = Stage()
    at.bot.broken = [RuntimeError(WORDS)] * 500
    began = at.clock.now()
    came = await at.run(effect)
    assert came.verdict == "failed"
    assert 3500 < (at.clock.now() - began).total_seconds() <= 3600
    assert max(came.wait for came in at.seen) == 30
    assert isinstance(came.report, EffectFailed)
    assert (came.report.key, came.report.failure) == (effect.key, Failure.REFUSED)
    assert "RuntimeError" in came.report.detail
    assert WORDS not in came.report.detail + caplog.text
    assert "raise error" in caplog.text  # where it came from is said


@pytest.mark.parametrize("error", [ConfigurationError("set the channel's token"), HitlError("set the channel's token")])
async def test_a_mistake_of_the_user_is_one_sentence_without_a_traceback(error, caplog):
    at = Stage()
    at.bot.broken = [error]
    await at.run(tell())
    assert "set the channel's token" in caplog.text
    assert "File " not in caplog.text


async def test_what_can_never_be_shown_is_a_dead_letter_at_once():
    at = Stage()
    at.bot.broken = [InvalidRequestError("pictures cannot be shown")]
    came = await at.run(tell())
    assert (came.verdict, came.report.failure, len(at.bot.keys)) == ("failed", Failure.REFUSED, 1)
    assert "InvalidRequestError" in came.report.detail


async def test_a_call_that_never_ends_is_given_up_and_made_again():
    at = Stage(host_timeout=0, patience=60)
    at.bot.broken = [None] * 20
    came = await at.run(tell())
    assert (came.verdict, len(at.bot.keys)) == ("failed", 9)
    assert "longer than 0 s" in came.report.detail


async def test_a_timeout_of_the_hosts_own_is_its_failure_not_ours():
    at = Stage(patience=1)
    at.bot.broken = [TimeoutError()] * 8
    assert "raised TimeoutError" in (await at.run(tell())).report.detail


async def test_cancellation_is_let_through():
    at = Stage()
    at.bot.broken = [None]
    call = asyncio.create_task(at.step(tell()))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert at.bot.keys == [tell().key]


async def test_a_call_that_was_interrupted_is_made_again_with_the_same_key():
    at = Stage()
    came = at.jobs.interrupted(Progress(failures=1), at.clock.now())
    assert (came.verdict, came.wait) == ("again", 0)
    assert (await at.step(tell(), came.progress)).verdict == "done"
    assert at.bot.keys == ["h1:agent:e1"]


async def test_an_unwanted_call_is_left():
    at = Stage()
    came = await at.jobs.resolve(tell(), Progress(), conversation_id="c1", handoff_id="h1")
    assert (came.verdict, at.bot.keys) == ("failed", [])


async def test_an_effect_of_the_helpdesks_side_is_no_work_for_the_host():
    at = Stage()
    with pytest.raises(TypeError, match="send_to_desk"):
        await at.step(send(SESSION))


# Notices --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [AgentMessageUpdated, AgentMessageDeleted])
async def test_a_notice_of_a_changed_message_names_what_was_shown_s006(kind):
    at = Stage()
    at.books.shown[REF, "5"] = ("h1:agent:e1", "h1:agent:e2")
    more = {"message": Text(text="changed")} if kind is AgentMessageUpdated else {}
    event = kind(event_id="e3", session=REF, message_id="5", **more)
    assert (await at.step(NotifyBot(key="h1:notify:e3", event=event))).verdict == "done"
    ((notice,),) = at.bot.got
    assert (notice.event, notice.message_keys) == (event, ("h1:agent:e1", "h1:agent:e2"))
    assert (notice.conversation_id, notice.handoff_id) == ("c1", "h1")


async def test_a_notice_of_anything_else_looks_nothing_up():
    at = Stage()
    at.books.broken = [KeyError("not asked")]
    event = AgentTyping(event_id="e3", session=REF)
    await at.step(NotifyBot(key="h1:notify:e3", event=event))
    assert at.bot.got[0][0].message_keys == ()
    assert at.books.broken


# Giving it back -------------------------------------------------------------------------------------------------------


async def test_the_bot_gets_what_was_said_and_goes_on_s126():
    at = Stage()
    at.books.said = SAID
    assert (await at.step(resume(marker="Bea has left."))).verdict == "done"
    ((conversation, back),) = at.bot.got
    assert (conversation, back.transcript, back.continue_flow) == ("c1", SAID, True)
    assert back.marker == "Bea has left."


@pytest.mark.parametrize("flow", [True, False])
async def test_a_bot_that_does_not_have_the_conversation_any_more_stays_silent(flow):
    at = Stage()
    at.books.said, at.books.bots = SAID, False
    await at.step(resume(continue_flow=flow))
    back = at.bot.got[0][1]
    assert (back.transcript, back.continue_flow) == (SAID, False)


async def test_a_database_that_is_lost_burns_no_attempt():
    at = Stage()
    at.books.broken = [StoreError("the database is lost")] * 20
    assert (await at.run(resume())).verdict == "done"
    assert at.bot.keys == ["h1:resume"]
    assert all((came.progress.failures, came.wait) == (0, 1.0) for came in at.seen[:-1])


async def test_a_row_nobody_can_read_does_not_keep_the_conversation_from_the_bot(caplog):
    at = Stage()
    at.books.broken = [ValueError(WORDS), ValueError(WORDS)]
    assert (await at.run(resume())).verdict == "done"
    back = at.bot.got[0][1]
    assert (back.transcript, back.continue_flow) == ((), True)
    assert "ValueError" in caplog.text
    assert WORDS not in caplog.text
