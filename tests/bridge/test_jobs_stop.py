"""Closing a session in the helpdesk: in the background, until it is closed (S099, F12)."""

import asyncio

import pytest

from hitl_core.bridge.engine.progress import Progress
from hitl_core.bridge.handoff.inputs import EffectDone, Failure
from hitl_core.errors import (
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    ProviderUnavailableError,
    SessionClosedError,
)
from hitl_core.events import StopReason
from hitl_core.people import Role
from hitl_core.sessions import SessionRef

from .jobsite import LOST, Desk, site, stop

pytestmark = pytest.mark.anyio

DOWN = ProviderUnavailableError("down for maintenance; try again")
LONG = " ".join(f"word{number}" for number in range(200))  # two parts


def mute():
    """A helpdesk whose close carries no text."""
    desk = Desk()
    desk.may(stop_message=False)
    return desk


async def test_a_close_that_carries_the_last_text_is_one_write_s099():
    async with site() as at:
        effect = stop(at.desk.open_ticket(), "The customer ended it.")
        came = await at.step(effect)
        assert (came.verdict, came.report) == ("done", EffectDone(key=effect.key))
        assert at.desk.calls == ["stop_hitl"]
        assert not at.desk.tickets["t1"].open
        request = at.jobs.plan(effect).stop
        assert (request.reason, request.message) == (StopReason.USER_LEFT, "The customer ended it.")


@pytest.mark.parametrize(("notes", "visibility"), [(True, "internal"), (False, "public")])
async def test_a_last_text_is_sent_before_a_close_that_cannot_carry_it_s099(notes, visibility):
    desk = mute()
    desk.may(internal_notes=notes)
    async with site(desk) as at:
        effect = stop(desk.open_ticket(), LONG)
        came = await at.run(effect)
        assert (came.verdict, came.report) == ("done", EffectDone(key=effect.key))
        assert desk.calls == ["send_message", "send_message", "stop_hitl"]
        assert " ".join(desk.texts()) == LONG
        assert {(sent.author.role, sent.visibility) for sent in desk.tickets["t1"].sent} == {(Role.SYSTEM, visibility)}
        assert [step.sent_ids for step in at.seen] == [("t1-sent-1",), ("t1-sent-2",), ()]


async def test_a_close_that_was_not_planned_is_planned_to_the_same_requests():
    async with site(mute()) as at:
        effect = stop(at.desk.open_ticket(), LONG)
        assert (await at.run(effect, Progress())).verdict == "done"
        assert " ".join(at.desk.texts()) == LONG


async def test_a_last_text_that_cannot_be_planned_does_not_keep_the_session_open(caplog):
    async with site(mute()) as at:
        effect = stop(at.desk.open_ticket(), "")
        assert (await at.run(effect)).verdict == "done"
        assert not at.desk.tickets["t1"].open
        assert "without its last text" in caplog.text


async def test_a_close_in_another_account_is_refused_f32():
    async with site() as at:
        effect = stop(at.desk.open_ticket())
        other = effect.session.model_copy(update={"ref": SessionRef(connection="default/other", id="t1")})
        with pytest.raises(Exception, match="default/other"):
            at.jobs.plan(effect.model_copy(update={"session": other}))


@pytest.mark.parametrize("message", [None, "Bye"])
@pytest.mark.parametrize("error", [SessionClosedError("closed"), NotFoundError("gone", status=404)])
async def test_a_session_that_has_gone_is_closed(message, error):
    async with site(mute()) as at:
        at.desk.fail("before", error)
        effect = stop(at.desk.open_ticket(), message)
        came = await at.run(effect)
        assert (came.verdict, came.report) == ("done", EffectDone(key=effect.key))
        assert len(at.desk.calls) == 1


async def test_a_last_text_that_is_refused_is_for_a_person_and_the_session_is_closed():
    async with site(mute()) as at:
        at.desk.fail("before", InvalidRequestError("no"))
        effect = stop(at.desk.open_ticket(), LONG)
        came = await at.run(effect)
        assert came.verdict == "done"
        assert at.seen[0].dead.key == f"{effect.key}/0"
        assert at.seen[0].dead.failure is Failure.REFUSED
        assert at.desk.calls == ["send_message", "send_message", "stop_hitl"]


async def test_a_close_goes_on_for_as_long_as_the_helpdesk_is_down_f12():
    async with site() as at:
        for error in (DOWN, LOST) * 20:
            at.desk.fail("before", error)
        assert (await at.run(stop(at.desk.open_ticket()))).verdict == "done"
        assert not at.desk.tickets["t1"].open
        assert set(at.desk.calls) == {"stop_hitl"}  # nothing is looked up: a repeat is harmless


async def test_a_close_is_given_up_after_its_patience():
    async with site(send_patience=10) as at:
        for _ in range(20):
            at.desk.fail("before", LOST)
        came = await at.run(stop(at.desk.open_ticket()))
        assert (came.verdict, came.report.failure) == ("failed", Failure.UNAVAILABLE)


async def test_a_close_that_is_refused_is_for_a_person():
    async with site() as at:
        at.desk.fail("before", InvalidRequestError("a required field is empty"))
        came = await at.run(stop(at.desk.open_ticket()))
        assert (came.verdict, came.report.failure) == ("failed", Failure.REFUSED)


@pytest.mark.parametrize("message", [None, "Bye"])
async def test_an_account_that_refuses_us_is_held(message):
    async with site(mute()) as at:
        at.desk.fail("before", AuthenticationError("token revoked"))
        came = await at.run(stop(at.desk.open_ticket(), message))
        assert came.verdict == "done"
        assert "token revoked" in at.seen[0].hold.detail
        assert at.seen[0].progress.failures == 0


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize("error", [LOST, asyncio.CancelledError()])
async def test_dying_anywhere_closes_the_session_and_says_the_last_text_once_f37(when, step, error):
    async with site(mute()) as at:
        effect = stop(at.desk.open_ticket(), LONG)
        progress = None
        for _ in range(step):
            progress = (await at.step(effect, progress)).progress
        at.desk.fail(when, error)
        assert (await at.run(effect, progress)).verdict == "done"
        assert " ".join(at.desk.texts()) == LONG
        assert not at.desk.tickets["t1"].open


async def test_an_unwanted_close_is_left():
    async with site() as at:
        effect = stop(at.desk.open_ticket())
        assert (await at.step(effect, unwanted=True)).verdict == "failed"
        assert not at.desk.calls
