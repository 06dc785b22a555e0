"""Who may ask the simulated Zendesk: tokens, their end and their renewal, API tokens, roles and scopes."""

from base64 import b64encode

import pytest
from hitl_zendesk.simulator import SIM_API_TOKEN, SIM_CLIENT_ID, SIM_CLIENT_SECRET, SIM_REFRESH_TOKEN

pytestmark = pytest.mark.anyio


async def token(call, grant="client_credentials", **fields):
    client = {"client_id": SIM_CLIENT_ID, "client_secret": SIM_CLIENT_SECRET}
    return await call("POST", "/oauth/tokens", {"grant_type": grant, **client, **fields})


async def test_client_credentials_give_a_token_without_a_refresh_token(call):
    answer = await token(call)
    assert answer.status == 201
    assert set(answer.json) == {"access_token", "token_type", "scope", "expires_in"}
    call.authorization = f"Bearer {answer['access_token']}"
    assert (await call("GET", "users/me")).status == 200


async def test_a_token_ends_by_the_clock(call, clock):
    answer = await token(call)
    call.authorization = f"Bearer {answer['access_token']}"
    clock.advance(answer["expires_in"] - 1)
    assert (await call("GET", "users/me")).status == 200
    clock.advance(1)
    refused = await call("GET", "users/me")
    assert (refused.status, refused["error"]) == (401, "invalid_token")


async def test_every_token_given_out_can_end_at_once(call, control):
    answer = await token(call)
    call.authorization = f"Bearer {answer['access_token']}"
    await control.expire_credentials()
    assert (await call("GET", "users/me")).status == 401


async def test_a_refresh_token_works_once_and_takes_the_old_pair_with_it(call):
    first = await token(call, "refresh_token", refresh_token=SIM_REFRESH_TOKEN)
    second = await token(call, "refresh_token", refresh_token=first["refresh_token"])
    assert (first.status, second.status) == (201, 201)
    for old in (SIM_REFRESH_TOKEN, first["refresh_token"]):
        refused = await token(call, "refresh_token", refresh_token=old)
        assert (refused.status, refused["error"]) == (400, "invalid_grant")
    call.authorization = f"Bearer {first['access_token']}"
    assert (await call("GET", "users/me")).status == 401
    call.authorization = f"Bearer {second['access_token']}"
    assert (await call("GET", "users/me")).status == 200


@pytest.mark.parametrize("fields", [{"client_secret": "x"}, {"client_id": "x"}])
async def test_a_client_nobody_knows_gets_none(call, fields):
    refused = await token(call, **fields)
    assert (refused.status, refused["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(("seconds", "status"), [(299, 400), (300, 201), (172_800, 201), (172_801, 400)])
async def test_a_token_lives_between_five_minutes_and_two_days(call, seconds, status):
    assert (await token(call, expires_in=seconds)).status == status


def basic(user, key):
    return f"Basic {b64encode(f'{user}:{key}'.encode()).decode()}"


async def test_an_api_token_acts_as_the_agent_it_names(call, simulator):
    agent = simulator.agents[0]
    call.authorization = basic(f"{agent.email}/token", SIM_API_TOKEN)
    assert str((await call("GET", "users/me"))["user"]["id"]) == agent.id


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Bearer nobody",
        "Basic !",
        basic("integration@helpdesk.example/token", "wrong"),
        basic("integration@helpdesk.example", SIM_API_TOKEN),
        basic("ada@x.example/token", SIM_API_TOKEN),
    ],
)
async def test_without_credentials_nothing_is_told(call, authorization):
    await call.user(email="ada@x.example")
    call.authorization = authorization
    assert (await call("GET", "users/me")).status == 401


async def test_a_refusal_says_which_scope_is_missing(call):
    call.authorization = f"Bearer {(await token(call, scope='tickets:read'))['access_token']}"
    assert (await call("GET", "tickets")).status == 200
    refused = await call("GET", "users")
    assert refused.json == {
        "error": "Forbidden",
        "description": "You are missing the following required scopes: read",
    }
    assert (await call("POST", "tickets", {"ticket": {}})).status == 403


async def test_audits_need_the_scope_for_everything(call):
    ticket = await call.ticket()
    call.authorization = f"Bearer {(await token(call, scope='tickets:read tickets:write'))['access_token']}"
    assert (await call("GET", f"tickets/{ticket['id']}")).status == 200
    assert (await call("GET", f"tickets/{ticket['id']}/audits")).status == 403


async def test_a_token_of_an_end_users_opens_nothing(call, simulator):
    simulator.account.bot.role = "end-user"
    refused = await call("GET", "tickets")
    assert (refused.status, refused["error"]["title"]) == (403, "Forbidden")


async def test_webhooks_and_triggers_are_an_admins(call, simulator):
    simulator.account.bot.role = "agent"
    for path in ("webhooks", "triggers"):
        refused = await call("POST", path, {path.removesuffix("s"): {}})
        assert (refused.status, refused["error"]["title"]) == (403, "Forbidden")
    assert (await call("GET", "triggers")).status == 200, "agents may read these"
