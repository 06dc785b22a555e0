"""Customers are found before they are made, and whoever exists stays as they are (behaviours S227, F35, R14)."""

import json
import logging
from urllib.parse import parse_qs, urlsplit

import pytest

import hitl_core as hitl
from hitl_core.testing import reply

from .conftest import refused

pytestmark = pytest.mark.anyio

GRACE = {"external_id": "user-1", "name": "Grace Hopper", "email": "grace@example.com"}
UPSERT = "POST users/create_or_update"


def nobody(zendesk):
    return zendesk.on("GET users", {"users": []}).on("GET users/search", {"users": []})


def person(id_=4001, **more):
    return {"id": id_, "role": "end-user", "name": "G. Hopper", "external_id": None, "email": None} | more


def made(zendesk, id_=4002):
    return zendesk.on(UPSERT, reply(201, json={"user": person(id_)}))


def query(request):
    return {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}


# Whoever exists


@pytest.mark.parametrize("stored", ["user-1", "USER-1", "User-1"])
async def test_f35_a_customer_with_our_id_is_taken_as_they_are_whatever_its_case(zendesk, connection, stored):
    zendesk.on("GET users", {"users": [person(external_id=stored)]})
    user = await connection.create_user(**GRACE, avatar_url="https://acme.test/g.png")
    assert user.id == "4001"
    assert user.url == "https://acme.zendesk.com/agent/users/4001"
    assert zendesk.asked == ["GET users"]
    assert query(zendesk.sent("GET users")[0]) == {"external_id": "user-1"}


async def test_another_persons_id_in_the_answer_is_not_taken_for_ours(zendesk, connection):
    nobody(zendesk).on("GET users", {"users": [person(1, external_id="user-10"), person(2, external_id=None)]})
    made(zendesk)
    assert (await connection.create_user(external_id="user-1")).id == "4002"


@pytest.mark.parametrize("role", ["end-user", "agent", "admin"])
@pytest.mark.parametrize("share_email", [True, False])
async def test_f35_whoever_has_the_address_is_neither_renamed_nor_rekeyed_nor_demoted(zendesk, role, share_email):
    nobody(zendesk).on("GET users/search", {"users": [person(role=role, email="Grace@Example.com", external_id="x")]})
    async with zendesk.connect(share_email=share_email) as connection:
        assert (await connection.create_user(**GRACE)).id == "4001"
    assert zendesk.asked == ["GET users", "GET users/search"]


@pytest.mark.parametrize("found", [{"email": "grace@example.com.evil.example"}, {"email": None}, {}])
async def test_somebody_the_search_merely_brings_up_is_not_the_customer(zendesk, connection, found):
    nobody(zendesk).on("GET users/search", {"users": [person(1) | found]})
    made(zendesk)
    assert (await connection.create_user(**GRACE)).id == "4002"


async def test_an_address_is_one_quoted_term_of_the_search(zendesk, connection):
    made(nobody(zendesk))
    await connection.create_user(external_id="u", email=' a"b OR role:admin@example.com ')
    assert query(zendesk.sent("GET users/search")[0]) == {"query": 'email:"ab OR role:admin@example.com"'}


async def test_s227_who_is_known_costs_nothing(zendesk, connection):
    known = hitl.ExternalUser(id="4001", name="Grace")
    assert await connection.create_user(**GRACE, known=known) == known
    assert zendesk.requests == []


async def test_r06_a_customer_known_to_another_helpdesk_is_looked_for_here(zendesk, connection):
    zendesk.on("GET users", {"users": [person(external_id="user-1")]})
    known = hitl.ExternalUser(id="desk-user-7", name="Grace")
    assert (await connection.create_user(**GRACE, known=known)).id == "4001"


# Who is new


async def test_s227_a_new_customer_is_made_by_our_id_and_gets_no_address(zendesk, connection):
    made(nobody(zendesk))
    user = await connection.create_user(**GRACE, avatar_url="https://acme.test/g.png", phone="123")
    assert (user.id, user.name) == ("4002", "Grace Hopper")
    assert zendesk.body(UPSERT) == {
        "user": {
            "external_id": "user-1",
            "name": "Grace Hopper",
            "role": "end-user",
            "remote_photo_url": "https://acme.test/g.png",
        }
    }
    assert b"grace@" not in zendesk.sent(UPSERT)[0].body


async def test_an_address_is_shared_only_when_the_settings_say_so_or_it_is_all_there_is(
    zendesk,
):
    nobody(zendesk).on("POST users", reply(201, json={"user": person(4003)}))
    async with zendesk.connect(share_email=True) as connection:
        assert (await connection.create_user(**GRACE)).id == "4003"
    assert zendesk.body("POST users") == {
        "user": {
            "external_id": "user-1",
            "name": "Grace Hopper",
            "role": "end-user",
            "email": "grace@example.com",
            "skip_verify_email": True,
        }
    }


async def test_a_customer_without_an_address_gets_none_even_where_addresses_are_shared(zendesk):
    made(nobody(zendesk))
    async with zendesk.connect(share_email=True) as connection:
        await connection.create_user(external_id="user-1", name="Grace")
    assert zendesk.asked == ["GET users", UPSERT]


async def test_a_customer_known_by_address_alone_is_made_with_it_and_it_stays_out_of_the_id(zendesk, connection):
    nobody(zendesk).on("POST users", reply(201, json={"user": person(4003)}))
    await connection.create_user(email="Grace@Example.com")
    await connection.create_user(email=" grace@example.com")
    first, second = (body["user"] for body in zendesk.bodies("POST users"))
    assert (first["email"], second["email"]) == ("Grace@Example.com", "grace@example.com")
    assert first["external_id"] == second["external_id"]
    assert first["skip_verify_email"] is True
    for word in ("grace", "example"):
        assert word not in first["external_id"].lower()


async def test_customers_without_id_and_address_are_as_many_as_calls(zendesk, connection):
    made(nobody(zendesk))
    for key in ("first", "second", "second"):
        await connection.create_user(name="Grace", idempotency_key=key)
    ids = [body["user"]["external_id"] for body in zendesk.bodies(UPSERT)]
    assert ids == ["first", "second", "second"]


@pytest.mark.parametrize(
    ("name", "sent"),
    [(None, "Visitor"), ("", "Visitor"), ("  \t ", "Visitor"), (" Grace ", "Grace"), ("n" * 300, "n" * 254 + "…")],
)
async def test_r14_a_name_is_never_missing_blank_or_too_long(zendesk, connection, name, sent):
    made(nobody(zendesk))
    await connection.create_user(external_id="user-1", name=name)
    assert zendesk.body(UPSERT)["user"]["name"] == sent


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://acme.test/" + "p" * 237, True),  # 255 characters
        ("https://acme.test/" + "p" * 238, False),
        ("https://acme.test/" + "ü" * 39, True),  # 252 once encoded
        ("https://acme.test/" + "ü" * 40, False),  # 58 as it is, 258 once encoded
        ("https://acme.test/a%20b.png", True),
        ("data:image/png;base64,AAAA", False),
        ("ftp://acme.test/p.png", False),
    ],
)
async def test_r14_a_picture_zendesk_cannot_take_is_left_out(zendesk, connection, caplog, url, kept):
    made(nobody(zendesk))
    with caplog.at_level(logging.WARNING):
        await connection.create_user(external_id="user-1", avatar_url=url)
    assert zendesk.body(UPSERT)["user"].get("remote_photo_url") == (url if kept else None)
    warned = [record.getMessage() for record in caplog.records]
    assert len(warned) == (0 if kept or not url.startswith("http") else 1)
    assert not any("acme.test" in line for line in warned)


# What Zendesk refuses


TAKEN = [
    {"email": ["Email: grace@example.com is already being used by another user"]},
    {"external_id": ["External has already been taken"]},
    {"identities": ["Identities: grace@example.com belongs to Grace Hopper"]},
    {"base": ["External ID and email belong to different users"]},
]


@pytest.mark.parametrize("details", TAKEN)
async def test_s227_who_was_made_meanwhile_is_found_by_our_id(zendesk, details):
    nobody(zendesk).on("GET users", {"users": []}, {"users": [person(external_id="user-1")]})
    zendesk.on("POST users", refused(**details))
    async with zendesk.connect(share_email=True) as connection:
        assert (await connection.create_user(**GRACE)).id == "4001"
    assert zendesk.writes == ["POST users"]


@pytest.mark.parametrize("details", TAKEN)
async def test_s227_who_was_made_meanwhile_is_found_by_address(zendesk, details):
    nobody(zendesk).on("GET users/search", {"users": []}, {"users": [person(email="grace@example.com")]})
    zendesk.on("POST users", refused(**details))
    async with zendesk.connect(share_email=True) as connection:
        assert (await connection.create_user(**GRACE)).id == "4001"
    assert zendesk.writes == ["POST users"]


@pytest.mark.parametrize("details", TAKEN)
async def test_s227_an_address_that_is_taken_out_of_sight_is_left_out(zendesk, details):
    """As somebody's secondary address, or one of two people who were merged."""
    made(nobody(zendesk)).on("POST users", refused(**details))
    async with zendesk.connect(share_email=True) as connection:
        assert (await connection.create_user(**GRACE)).id == "4002"
    assert zendesk.writes == ["POST users", UPSERT]
    assert "email" not in zendesk.body(UPSERT)["user"]


async def test_a_customer_refused_for_another_reason_is_an_error_that_quotes_nobody(zendesk, caplog):
    caplog.set_level(logging.DEBUG)
    nobody(zendesk).on("POST users", refused(name=["Name: Grace Hopper is too short"]))
    async with zendesk.connect(share_email=True) as connection:
        with pytest.raises(hitl.InvalidRequestError, match="check name and address") as caught:
            await connection.create_user(**GRACE)
    assert "Grace" not in f"{caught.value!r}{caplog.text}"


@pytest.mark.parametrize("status", [403, 422, 500])
async def test_nothing_of_a_customer_is_in_paths_logs_or_errors(zendesk, caplog, status):
    caplog.set_level(logging.DEBUG)
    details = {"description": "Grace Hopper grace@example.com user-1", "error": "Grace Hopper"}
    nobody(zendesk).on(UPSERT, reply(status, json=details | {"details": {"name": [details]}}))
    async with zendesk.connect() as connection:
        with pytest.raises(hitl.ProviderError) as caught:
            await connection.create_user(**GRACE, avatar_url="https://acme.test/hopper.png")
    paths = [urlsplit(request.url).path for request in zendesk.requests]
    shown = f"{caught.value!r}{caught.value.fields}{caught.value.code}{caplog.text}{paths}".lower()
    for word in ("grace", "hopper", "user-1", "example.com"):
        assert word not in shown


async def test_a_lost_answer_is_asked_for_again_and_the_same_customer_comes_back(zendesk, connection):
    nobody(zendesk).on(UPSERT, 502, reply(200, json={"user": person(4002)}))
    assert (await connection.create_user(**GRACE)).id == "4002"
    first, second = zendesk.sent(UPSERT)
    assert first.body == second.body
    assert json.loads(first.body)["user"]["external_id"] == "user-1"


async def test_f38_customers_are_written_at_most_once_a_second(zendesk, connection):
    made(nobody(zendesk))
    for number in range(3):
        await connection.create_user(external_id=f"user-{number}")
    assert sum(zendesk.clock.waits) >= 2


async def test_a_customer_with_an_address_does_not_keep_the_next_one_waiting(zendesk, connection):
    made(nobody(zendesk))
    zendesk.on("POST users", reply(201, json={"user": person(4003)}))
    await connection.create_user(external_id="user-1")
    await connection.create_user(email="grace@example.com")
    await connection.create_user(external_id="user-2")
    assert sum(zendesk.clock.waits) <= 2
