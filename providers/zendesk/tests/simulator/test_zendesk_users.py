"""People in the simulated Zendesk: who is found, who is made, and what the upsert writes over."""

import pytest

pytestmark = pytest.mark.anyio

KEYS = (
    "id url name email created_at updated_at time_zone iana_time_zone phone shared_phone_number photo locale_id locale "
    "organization_id role verified external_id tags alias active shared shared_agent last_login_at "
    "two_factor_auth_enabled signature details notes role_type custom_role_id moderator ticket_restriction "
    "only_private_comments restricted_agent suspended default_group_id report_csv user_fields"
)


async def upsert(call, **user):
    return await call("POST", "users/create_or_update", {"user": user})


async def test_me_is_the_integrations_own_user(call):
    user = (await call("GET", "users/me"))["user"]
    assert (user["role"], user["email"]) == ("admin", "integration@helpdesk.example")
    assert set(user) == {*KEYS.split(), "authenticity_token"}


async def test_a_user_of_whom_only_a_name_is_known_has_every_key(call):
    answer = await call("POST", "users", {"user": {"name": "Ada"}})
    user = answer["user"]
    assert answer.status == 201
    assert answer.headers["location"] == user["url"]
    assert set(user) == set(KEYS.split())
    assert (user["email"], user["verified"], user["role"], user["active"]) == (None, False, "end-user", True)


async def test_ids_are_too_large_for_a_float(call):
    id_ = (await call.user())["id"]
    assert int(float(id_)) != id_


async def test_the_suffix_json_changes_nothing(call):
    user = await call.user()
    paths = (f"users/{user['id']}", f"users/{user['id']}.json")
    plain, suffixed = [(await call("GET", path))["user"] for path in paths]
    assert plain == suffixed == user


async def test_an_upsert_makes_somebody_once(call):
    first = await upsert(call, name="Ada", external_id="a-1")
    second = await upsert(call, name="Ada", external_id="a-1")
    assert (first.status, second.status) == (201, 200)
    assert first["user"]["id"] == second["user"]["id"]


async def test_an_upsert_ignores_the_case_of_an_external_id_and_writes_the_new_one(call):
    first = (await upsert(call, name="Ada", external_id="abc"))["user"]
    second = (await upsert(call, name="Ada", external_id="ABC"))["user"]
    assert second["id"] == first["id"]
    assert second["external_id"] == "ABC"


async def test_an_upsert_that_matches_an_address_writes_name_role_and_external_id(call):
    first = (await upsert(call, name="Ada", email="ada@x.example", external_id="a-1"))["user"]
    given = {"name": "Eve", "email": "ADA@x.example", "external_id": "e-1", "role": "agent"}
    second = (await upsert(call, **given))["user"]
    assert second["id"] == first["id"]
    assert (second["name"], second["external_id"], second["role"]) == ("Eve", "e-1", "agent")


async def test_an_upsert_costs_an_agent_the_role(call, simulator):
    agent = simulator.agents[0]
    await upsert(call, name="Ada", email=agent.email, role="end-user")
    assert simulator.account.users[int(agent.id)].role == "end-user"


async def test_an_upsert_whose_id_and_address_are_two_peoples_is_refused(call):
    await upsert(call, name="Ada", email="ada@x.example")
    await upsert(call, name="Eve", external_id="e-1")
    refused = await upsert(call, name="Ada", email="ada@x.example", external_id="e-1")
    assert refused.status == 422
    assert refused.described == {"email": "Email: ada@x.example is already being used by another user"}


async def test_a_later_address_becomes_a_second_one(call):
    user = (await upsert(call, name="Ada", email="ada@x.example", external_id="a-1"))["user"]
    again = (await upsert(call, name="Ada", email="other@x.example", external_id="a-1"))["user"]
    assert (again["id"], again["email"]) == (user["id"], "ada@x.example")
    found = await call("GET", "users/search", query="other@x.example")
    assert [each["id"] for each in found["users"]] == [user["id"]]
    identities = (await call("GET", f"users/{user['id']}/identities"))["identities"]
    assert [(each["value"], each["primary"]) for each in identities] == [
        ("ada@x.example", True),
        ("other@x.example", False),
    ]


@pytest.mark.parametrize(
    ("user", "field", "said"),
    [
        (
            {"name": "Eve", "email": "taken@x.example"},
            "email",
            "Email: taken@x.example is already being used by another user",
        ),
        ({"name": "Eve", "external_id": "TAKEN"}, "external_id", "External has already been taken"),
        ({}, "name", "Name:  is too short (minimum is 1 character)"),
        ({"name": "Eve", "role": "boss"}, "role", "Role: boss is not valid"),
        ({"name": "Eve", "email": "nobody"}, "email", "Email: nobody is not properly formatted"),
        (
            {"name": "Eve", "remote_photo_url": f"https://x.example/{'a' * 255}"},
            "remote_photo_url",
            "Remote photo url: is too long (maximum is 255 characters)",
        ),
    ],
)
async def test_who_cannot_be_made_is_refused_by_field(call, user, field, said):
    await call.user(email="taken@x.example", external_id="taken")
    before = (await call("GET", "users"))["count"]
    refused = await call("POST", "users", {"user": user})
    assert refused.status == 422
    assert refused["error"] == "RecordInvalid"
    assert refused.described == {field: said}
    assert (await call("GET", "users"))["count"] == before


async def test_a_list_by_external_id_is_exact_but_for_case(call):
    user = await call.user(external_id="Ab-1")
    await call.user(external_id="Ab-12")
    found = await call("GET", "users", external_id="aB-1")
    assert [each["id"] for each in found["users"]] == [user["id"]]
    assert (await call("GET", "users", external_id="b-1"))["users"] == []


async def test_a_search_may_lag_behind_the_list(call, clock, simulator):
    simulator.account.user_search_lag_seconds = 60
    user = await call.user(email="ada@x.example", external_id="a-1")
    assert (await call("GET", "users/search", query="ada@x.example"))["users"] == []
    assert (await call("GET", "users", external_id="a-1"))["count"] == 1
    clock.advance(60)
    found = await call("GET", "users/search", query="ADA@x.example")
    assert [each["id"] for each in found["users"]] == [user["id"]]


async def test_who_has_another_external_id_is_not_found_by_the_old_one(call):
    user = await call.user(external_id="a-1")
    await call("PUT", f"users/{user['id']}", {"user": {"external_id": "a-2"}})
    assert [(await call("GET", "users", external_id=name))["count"] for name in ("a-1", "a-2")] == [0, 1]


async def test_a_user_can_be_changed_and_deleted(call):
    user = await call.user(external_id="a-1")
    path = f"users/{user['id']}"
    changed = await call("PUT", path, {"user": {"name": "Bo", "notes": "kind"}})
    assert (changed["user"]["name"], changed["user"]["notes"]) == ("Bo", "kind")
    assert (await call("DELETE", path)).status == 200
    assert (await call("GET", path)).status == 404
    assert (await call("GET", "users", external_id="a-1"))["users"] == []


async def test_another_users_address_cannot_be_taken_over(call):
    await call.user(email="ada@x.example")
    other = await call.user()
    refused = await call("PUT", f"users/{other['id']}", {"user": {"email": "ada@x.example"}})
    assert refused.status == 422


async def test_many_users_are_shown_at_once(call):
    users = [await call.user() for _ in range(3)]
    ids = ",".join(str(user["id"]) for user in users[:2])
    found = await call("GET", "users/show_many", ids=ids)
    assert [each["id"] for each in found["users"]] == [user["id"] for user in users[:2]]


async def test_more_than_a_hundred_ids_are_too_many(call):
    refused = await call("GET", "users/show_many", ids=",".join(map(str, range(101))))
    assert (refused.status, refused["error"], refused["max_count"]) == (400, "TooManyValues", 100)


async def test_unknown_keys_are_dropped_and_named_in_a_header(call):
    answer = await call("POST", "users", {"user": {"name": "Ada", "nmae": "x"}})
    assert answer.status == 201
    assert ':unpermitted_keys=>["user.nmae"]' in answer.headers["x-zendesk-api-warn"]
