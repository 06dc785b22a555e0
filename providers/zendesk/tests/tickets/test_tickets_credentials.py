"""Whom the bot acts as: OAuth clients, fixed tokens, and the answers Zendesk gives to wrong ones (behaviour S222)."""

import json
import logging
from base64 import b64encode

import pytest

import hitl_core as hitl
from hitl_core.state import MemoryState
from hitl_core.testing import reply

from .conftest import ME

pytestmark = pytest.mark.anyio

APP = {"client_id": "hitl_app", "client_secret": "s3cret-of-the-app"}


def issued(number, **more):
    told = {"access_token": f"access-{number}", "token_type": "bearer", "expires_in": 1800, "scope": "read write"}
    return reply(201, json=told | more)


def authorizations(zendesk, route="GET users/me"):
    return [request.headers["authorization"] for request in zendesk.sent(route)]


async def test_s222_an_oauth_client_acts_as_its_owner(zendesk):
    zendesk.on("POST /oauth/tokens", issued(1))
    async with zendesk.connect(**APP) as connection:
        assert (await connection.identify()).id == str(ME)
    assert zendesk.body("POST /oauth/tokens") == {
        **APP,
        "grant_type": "client_credentials",
        "scope": "read write",
    }
    (asked,) = zendesk.sent("POST /oauth/tokens")
    assert asked.url == "https://acme.zendesk.com/oauth/tokens"
    assert asked.headers["content-type"] == "application/json"
    assert "authorization" not in asked.headers
    assert authorizations(zendesk) == ["Bearer access-1"]


async def test_s222_a_refresh_token_is_turned_into_the_next_and_kept_over_a_restart(zendesk):
    state = MemoryState()
    zendesk.on("POST /oauth/tokens", issued(1, refresh_token="refresh-1"), issued(2, refresh_token="refresh-2"))
    async with zendesk.connect(**APP, refresh_token="refresh-0", scope="read", state=state) as connection:
        await connection.identify()
    zendesk.clock.advance(1740)
    async with zendesk.connect(**APP, refresh_token="refresh-0", scope="read", state=state) as connection:
        await connection.identify()
    asked = zendesk.bodies("POST /oauth/tokens")
    assert [told["refresh_token"] for told in asked] == ["refresh-0", "refresh-1"]
    assert {(told["grant_type"], told["scope"]) for told in asked} == {("refresh_token", "read")}
    assert authorizations(zendesk) == ["Bearer access-1", "Bearer access-2"]


async def test_s222_a_token_zendesk_refuses_in_use_is_renewed_once(zendesk):
    zendesk.on("POST /oauth/tokens", issued(1), issued(2))
    zendesk.on("GET tickets", reply(401, json={"error": "invalid_token"}), {"tickets": []})
    async with zendesk.connect(**APP) as connection:
        plan = connection.plan_start(user=hitl.ExternalUser(id="1"), title="T", external_id="c")
        await connection.find_session(plan, sent_after=zendesk.clock.now())
    assert authorizations(zendesk, "GET tickets") == ["Bearer access-1", "Bearer access-2"]


async def test_a_token_that_stays_refused_is_an_error_and_not_a_loop(zendesk):
    zendesk.on("POST /oauth/tokens", issued(1), issued(2), issued(3), issued(4))
    zendesk.on("GET users/me", reply(401, json={"error": "Couldn't authenticate you"}))
    async with zendesk.connect(**APP) as connection:
        with pytest.raises(hitl.AuthenticationError):
            await connection.identify()
    assert len(zendesk.sent("GET users/me")) == 3


async def test_a_refused_client_is_told_what_to_mend(zendesk):
    zendesk.on("POST /oauth/tokens", reply(401, json={"error": "invalid_client", "error_description": "hitl_app"}))
    async with zendesk.connect(**APP) as connection:
        with pytest.raises(hitl.AuthenticationError, match="check client_id and client_secret") as caught:
            await connection.identify()
    assert caught.value.connection == "default/shop"
    assert APP["client_secret"] not in repr(caught.value)


async def test_two_accounts_share_no_token(zendesk):
    zendesk.on("POST /oauth/tokens", issued(1), issued(2))
    for alias in ("shop", "warehouse"):
        async with zendesk.connect(**APP, alias=alias) as connection:
            await connection.identify()
    assert authorizations(zendesk) == ["Bearer access-1", "Bearer access-2"]


async def test_an_api_token_goes_with_the_agents_address(zendesk):
    async with zendesk.connect(email="ada@acme.test", api_token="api-token-88") as connection:
        await connection.identify()
    pair = b64encode(b"ada@acme.test/token:api-token-88").decode()
    assert authorizations(zendesk) == [f"Basic {pair}"]


async def test_a_fixed_token_is_used_as_it_is(zendesk):
    zendesk.on("GET users/me", reply(401, json={"error": "Couldn't authenticate you"}))
    async with zendesk.connect(access_token="access-token-1d9") as connection:
        with pytest.raises(hitl.AuthenticationError):
            await connection.identify()
    assert authorizations(zendesk) == ["Bearer access-token-1d9"]


@pytest.mark.parametrize(
    "user",
    [
        {"id": None, "role": "end-user", "name": "Anonymous user"},
        {"id": 0, "role": "admin"},
        {"id": 7, "role": "end-user"},
        {"id": 7, "role": None},
        {"id": 7},
        {"role": "admin"},
    ],
)
async def test_credentials_that_act_as_nobody_or_no_agent_are_refused(zendesk, user):
    zendesk.on("GET users/me", {"user": user})
    async with zendesk.connect() as connection:
        with pytest.raises(hitl.AuthenticationError, match="act as no agent"):
            await connection.identify()


@pytest.mark.parametrize("role", ["agent", "admin"])
async def test_an_agents_identity_is_the_id_as_text(zendesk, role):
    zendesk.on("GET users/me", {"user": {"id": 8447388090494, "role": role, "name": None}})
    async with zendesk.connect() as connection:
        identity = await connection.identify()
    assert (identity.id, identity.name, identity.data) == ("8447388090494", None, {"role": role})


async def test_json_is_read_whatever_its_content_type(zendesk):
    me = json.dumps({"user": {"id": ME, "role": "agent"}})
    zendesk.on("GET users/me", reply(200, body=me, headers={"content-type": "text/plain; charset=utf-8"}))
    async with zendesk.connect() as connection:
        assert (await connection.identify()).id == str(ME)


async def test_no_credential_shows_in_logs_or_representations(zendesk, caplog):
    caplog.set_level(logging.DEBUG)
    zendesk.on("POST /oauth/tokens", issued(1, refresh_token="refresh-1"))
    async with zendesk.connect(**APP, refresh_token="refresh-0") as connection:
        await connection.identify()
        shown = f"{caplog.text}{connection!r}{connection.settings!r}{connection._context!r}{zendesk.requests!r}"
    assert "acme.zendesk.com" in shown
    for hidden in (APP["client_secret"], "access-1", "refresh-0", "refresh-1"):
        assert hidden not in shown
