"""OAuth tokens are renewed in time, by one, and only where they can be (behaviours S222, R15)."""

import asyncio
import logging
import re

import pytest
from pydantic import SecretStr

from hitl_core import errors
from hitl_core.http import HttpClient
from hitl_core.logs import get_logger
from hitl_core.state import MemoryState
from hitl_core.testing import ScriptedTransport, ambiguous, not_sent, reply

from .oauth_vendor import FIRST, SECRET, Unlocked, Vendor

pytestmark = pytest.mark.anyio


async def token(tokens):
    return (await tokens.headers())["authorization"].removeprefix("Bearer ")


# What is asked for


async def test_the_first_token_is_asked_for_with_the_refresh_token_and_the_apps_own_fields():
    vendor = Vendor()
    assert await token(vendor.tokens(extra={"scope": "read write"})) == "access-0001"
    client = {"client_id": "app", "client_secret": SECRET, "scope": "read write"}
    assert vendor.asked == [client | {"grant_type": "refresh_token", "refresh_token": FIRST}]


async def test_without_a_refresh_token_the_app_asks_as_itself():
    vendor = Vendor()
    assert await token(vendor.tokens(refresh=None)) == "access-0001"
    assert vendor.asked == [{"client_id": "app", "client_secret": SECRET, "grant_type": "client_credentials"}]


async def test_a_token_goes_on_after_a_restart_and_is_renewed_by_the_refresh_token_that_was_kept():
    vendor, state = Vendor(), MemoryState()
    assert await token(vendor.tokens(state)) == "access-0001"
    assert await token(vendor.tokens(state)) == "access-0001"
    vendor.clock.advance(1800)
    assert await token(vendor.tokens(state)) == "access-0002"
    assert [told["refresh_token"] for told in vendor.asked] == [FIRST, "refresh-0001"]


# S222: when it is renewed


async def test_s222_a_token_is_renewed_from_60_s_before_its_end_and_not_before():
    vendor = Vendor(life=1800)
    tokens = vendor.tokens()
    assert await token(tokens) == "access-0001"
    vendor.clock.advance(1739)
    assert await token(tokens) == "access-0001"
    vendor.clock.advance(1)
    assert await token(tokens) == "access-0002"
    assert await token(tokens) == "access-0002"


@pytest.mark.parametrize("refresh", [FIRST, None])
async def test_s222_a_token_without_an_end_is_never_renewed_by_itself(refresh):
    vendor = Vendor(life=None)
    tokens = vendor.tokens(refresh=refresh)
    for _ in range(3):
        assert await token(tokens) == "access-0001"
        vendor.clock.advance(5 * 365 * 86400)
    assert len(vendor.asked) == 1


async def test_s222_an_answer_without_an_end_switches_renewing_off():
    vendor = Vendor(life=600)
    tokens = vendor.tokens()
    await tokens.headers()
    vendor.life = None
    vendor.clock.advance(600)
    assert await token(tokens) == "access-0002"
    vendor.clock.advance(10**9)
    assert await token(tokens) == "access-0002"


async def test_s222_an_answer_without_a_new_refresh_token_keeps_the_old_one():
    vendor = Vendor()
    tokens = vendor.tokens()
    for number in range(1, 5):
        assert await token(tokens) == f"access-{number:04}"
        vendor.rotates = False
        vendor.clock.advance(1800)
    assert [told["refresh_token"] for told in vendor.asked] == [FIRST, *["refresh-0001"] * 3]


@pytest.mark.parametrize("life", [0, -1, True, False, "soon", [], {}, 1e300, 10**30, float("nan"), float("inf")])
async def test_s222_an_end_that_makes_no_sense_is_none(life):
    vendor = Vendor(life=life)
    tokens = vendor.tokens()
    assert await token(tokens) == "access-0001"
    vendor.clock.advance(3600)
    assert await token(tokens) == "access-0001"


@pytest.mark.parametrize("life", [0.5, 300, 172800, 1_800_000])
async def test_s222_a_sensible_end_is_kept_to(life):
    vendor = Vendor(life=life)
    tokens = vendor.tokens()
    await tokens.headers()
    vendor.clock.advance(max(life - 61, 0))
    before = await token(tokens)
    assert before == ("access-0001" if life > 60 else "access-0002")
    vendor.clock.advance(1)
    assert await token(tokens) != before


# S222: when the vendor refuses it


async def test_s222_a_refused_token_is_renewed_once_for_everybody_who_was_refused():
    vendor = Vendor().slowly()
    api = vendor.api(vendor.tokens())
    assert (await api.get("x", operation="read")).status == 200
    vendor.access = None  # revoked
    answers = await asyncio.gather(*(api.get(f"x/{n}", operation="read") for n in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert len(vendor.asked) == 2


async def test_s222_a_late_refusal_of_an_old_token_does_not_use_up_the_new_one():
    vendor, underway, late = Vendor(), asyncio.Event(), asyncio.Event()

    async def answer(request):
        told = vendor.answer(request)
        if request.url.endswith("/slow") and told == 401:
            underway.set()
            await late.wait()  # the refusal is on its way while another one leads to a new token
        return told

    vendor.answering(answer)
    api = vendor.api(vendor.tokens())
    await api.get("x", operation="read")
    vendor.access = None
    slow = asyncio.create_task(api.get("slow", operation="read"))
    await underway.wait()
    await api.get("fast", operation="read")
    late.set()
    assert (await slow).status == 200
    assert len(vendor.asked) == 2


async def test_s222_a_token_another_instance_renewed_is_taken_rather_than_asked_for():
    vendor, state = Vendor(), MemoryState()
    one, other = vendor.api(vendor.tokens(state)), vendor.api(vendor.tokens(state))
    await one.get("x", operation="read")
    await other.get("x", operation="read")
    vendor.access = None
    await one.get("x", operation="read")
    assert (await other.get("x", operation="read")).status == 200
    assert len(vendor.asked) == 2


# R15: several at once


async def test_r15_a_refresh_token_is_used_once_by_all_instances_of_an_account():
    vendor, state = Vendor().slowly(), MemoryState()
    instances = [vendor.tokens(state) for _ in range(5)]
    for round_ in range(1, 4):
        found = await asyncio.gather(*(token(tokens) for tokens in instances * 4))
        assert set(found) == {f"access-{round_:04}"}
        vendor.clock.advance(1750)
    assert [told["refresh_token"] for told in vendor.asked] == [FIRST, "refresh-0001", "refresh-0002"]


async def test_r15_who_loses_the_race_for_a_refresh_token_takes_the_winners():
    vendor, state, both = Vendor(), Unlocked(), asyncio.Event()

    async def answer(request):
        told = vendor.answer(request)
        if len(vendor.asked) == 2:
            both.set()
        await both.wait()
        if told.status == 400:
            await state.stored.wait()  # the loser hears of it once the winner has stored
        return told

    vendor.answering(answer)
    one, other = vendor.tokens(state), vendor.tokens(state)
    assert await asyncio.gather(token(one), token(other)) == ["access-0001", "access-0001"]
    vendor.clock.advance(1750)
    assert await token(other) == "access-0002"


async def test_r15_who_loses_it_to_nobody_is_told_to_connect_again():
    vendor, state = Vendor(), Unlocked()
    await vendor.tokens(state).headers()
    vendor.refresh = "revoked"
    vendor.clock.advance(1800)
    with pytest.raises(errors.AuthenticationError, match="set refresh_token"):
        await vendor.tokens(state).headers()


async def test_r15_of_two_who_both_got_one_the_last_is_kept():
    vendor, state, both = Vendor(), Unlocked(), asyncio.Event()

    async def answer(request):
        told = vendor.answer(request)
        second = len(vendor.asked) == 2
        if second:
            both.set()
        await both.wait()
        if second:
            await state.stored.wait()
        return told

    vendor.answering(answer)
    found = await asyncio.gather(*(token(vendor.tokens(state, refresh=None)) for _ in range(2)))
    assert sorted(found) == ["access-0001", "access-0002"]
    assert (await state.get("oauth")).value["access_token"] == "access-0002"


# New settings


@pytest.mark.parametrize("changed", [{"refresh": "refresh-by-hand"}, {"client_id": "another"}, {"refresh": None}])
async def test_new_settings_begin_anew_whatever_is_stored(changed):
    vendor, state = Vendor(), MemoryState()
    await vendor.tokens(state).headers()
    vendor.refresh = changed.get("refresh", FIRST) or vendor.refresh
    assert await token(vendor.tokens(state, **changed)) == "access-0002"
    assert vendor.asked[-1].get("refresh_token") == changed.get("refresh", FIRST)
    assert await token(vendor.tokens(state, **changed)) == "access-0002"


async def test_a_new_secret_is_tried_out_rather_than_a_token_the_old_one_got():
    vendor, state = Vendor(), MemoryState()
    await vendor.tokens(state, refresh=None).headers()
    assert await token(vendor.tokens(state, refresh=None, client_secret=SecretStr("another-secret"))) == "access-0002"


async def test_a_new_secret_goes_on_with_the_refresh_token_in_use_for_the_first_one_is_used_up():
    vendor, state = Vendor(), MemoryState()
    await vendor.tokens(state).headers()
    assert await token(vendor.tokens(state, client_secret=SecretStr("another-secret"))) == "access-0001"


@pytest.mark.parametrize("junk", [None, "text", 7, [], {}, {"access_token": "x"}])
async def test_what_is_stored_but_not_ours_is_replaced(junk):
    vendor, state = Vendor(), MemoryState()
    await state.put("oauth", junk, None)
    assert await token(vendor.tokens(state)) == "access-0001"
    assert (await state.get("oauth")).value["access_token"] == "access-0001"


# What can go wrong


@pytest.mark.parametrize(("refresh", "setting"), [("used-up-refresh", "set refresh_token"), (None, "check client_id")])
@pytest.mark.parametrize("status", [400, 401])
async def test_a_refused_app_is_told_which_setting_to_mend_without_its_value(refresh, setting, status):
    vendor = Vendor()
    told = reply(status, json={"error": "invalid_grant", "error_description": f"{SECRET} customer words"})
    vendor.core = HttpClient(ScriptedTransport([told]), provider="acme", connection="t/acme")
    with pytest.raises(errors.AuthenticationError, match=setting) as caught:
        await vendor.tokens(refresh=refresh).headers()
    error = caught.value
    assert (error.provider, error.connection) == ("acme", "t/acme")
    assert (error.operation, error.status) == ("refresh_token", status)
    assert not error.retryable
    for hidden in (SECRET, "used-up-refresh", "customer words"):
        assert hidden not in f"{error!s}{error!r}{error.__cause__!r}"


@pytest.mark.parametrize("told", [{}, {"access_token": None}, {"access_token": 7}, [], "text"])
async def test_an_answer_without_a_token_is_a_refusal(told):
    vendor = Vendor()
    vendor.core = HttpClient(ScriptedTransport([reply(200, json=told)]))
    with pytest.raises(errors.AuthenticationError, match="refresh_token"):
        await vendor.tokens().headers()


async def test_a_token_for_the_app_itself_is_asked_for_again_when_the_answer_was_lost():
    vendor = Vendor()
    vendor.answering([ambiguous(), reply(500), vendor.issue("client_credentials")])
    assert await token(vendor.tokens(refresh=None)) == "access-0001"


@pytest.mark.parametrize("lost", [ambiguous(), reply(502), reply(408)])
async def test_a_refresh_token_is_not_sent_twice_and_its_lost_answer_leaves_no_doubt_about_the_call(lost):
    """The call it was for was never sent: nobody has to look for what it would have written."""
    vendor = Vendor()
    transport = ScriptedTransport([lost])
    vendor.core = HttpClient(transport, clock=vendor.clock, provider="acme", connection="t/acme")
    with pytest.raises(errors.ProviderUnavailableError) as caught:
        await vendor.api(vendor.tokens()).post("tickets", operation="start_hitl", json={})
    assert caught.value.retryable
    assert caught.value.operation == "refresh_token"
    assert [request.url for request in transport.requests] == ["https://vendor.test/oauth/tokens"]


async def test_a_page_instead_of_a_token_is_told_as_a_wrong_address():
    vendor = Vendor()
    vendor.core = HttpClient(ScriptedTransport([reply(200, body=f"<html>{FIRST}</html>")]))
    with pytest.raises(errors.ProviderError, match="check base_url") as caught:
        await vendor.api(vendor.tokens()).post("tickets", operation="start_hitl", json={})
    assert type(caught.value) is errors.ProviderError
    assert FIRST not in repr(caught.value)


async def test_a_refresh_token_that_was_not_sent_is_sent_again():
    vendor = Vendor()
    vendor.answering([not_sent(), reply(429), vendor.issue()])
    assert await token(vendor.tokens()) == "access-0001"


# Secrecy


async def test_no_token_shows_in_logs_or_representations(caplog):
    caplog.set_level(logging.DEBUG)
    vendor = Vendor()
    log = get_logger("t/acme")
    vendor.core = HttpClient(vendor.transport, clock=vendor.clock, log=log, connection="t/acme")
    tokens = vendor.tokens()
    api = vendor.api(tokens)
    await api.get("x", operation="read")
    vendor.access = None
    await api.get("x", operation="read")
    log.warning("kept: %s and %s", vendor.access, vendor.refresh)
    shown = f"{caplog.text}\n{tokens!r}{api!r}{vendor.transport.requests!r}"
    assert re.search(r"kept: \[+redacted\]+ and \[+redacted\]+$", shown, re.MULTILINE)
    for hidden in (SECRET, FIRST, "access-0001", "access-0002", "refresh-0001", "refresh-0002"):
        assert hidden not in shown
