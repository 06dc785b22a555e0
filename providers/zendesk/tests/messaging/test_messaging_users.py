"""Customers of Zendesk messaging (behaviour S250, S251, F35)."""

import asyncio

import pytest

import hitl_core as hitl
from hitl_core.testing.simulator import Fault

pytestmark = pytest.mark.anyio


def profile(scene, user):
    return scene.sim.records.users[user.id]["profile"]


async def test_s250_the_first_word_of_a_name_is_the_given_name(scene):
    user = await scene.user(name="  Ada King  Lovelace ")
    assert profile(scene, user)["givenName"] == "Ada"
    assert profile(scene, user)["surname"] == "King Lovelace"
    assert user.name == "Ada King Lovelace"


async def test_s250_a_name_of_one_word_has_no_surname_and_no_name_is_fine(scene):
    assert profile(scene, await scene.user(name="Ada")) == {"givenName": "Ada", "email": "grace@example.com"}
    assert "givenName" not in profile(scene, await scene.user(name=None, external_id="u2"))


@pytest.mark.parametrize("email", ["nobody", "a b@example.com", "@", f"{'a' * 200}@example.com"])
async def test_s250_an_address_is_stored_only_if_it_looks_like_one(scene, email):
    assert "email" not in profile(scene, await scene.user(email=email))


async def test_s250_who_has_our_id_is_looked_for_before_anybody_is_made(scene):
    first = await scene.user()
    again = await scene.user()
    assert again.id == first.id
    assert scene.asked("POST").count("users") == 1
    assert "users/u1" in scene.asked("GET")


async def test_s251_an_external_id_of_zendesk_support_is_written_as_it_is(scene):
    user = await scene.user(external_id="support-4711")
    assert scene.sim.records.users[user.id]["externalId"] == "support-4711"


async def test_an_address_never_stands_in_a_path(scene):
    for external_id in (None, "grace@example.com"):
        user = await scene.user(external_id=external_id)
        assert "@" not in scene.sim.records.users[user.id]["externalId"]
    assert not any("grace" in each["path"] for each in scene.sim.requests)


async def test_f35_people_who_exist_are_never_rewritten(scene):
    first = await scene.user()
    before = dict(scene.sim.records.users[first.id])
    again = await scene.user(name="Somebody Else", email="other@example.com", known=first)
    assert again.id == first.id
    assert scene.sim.records.users[first.id] == before
    assert again.name == "Grace Hopper"


async def test_a_customer_of_zendesks_own_id_is_not_taken_for_ours(scene):
    first = await scene.user()
    other = await scene.user(external_id=first.id, name="Eve")
    assert other.id != first.id


async def test_a_customer_who_was_deleted_is_made_again(scene):
    first = await scene.user()
    del scene.sim.records.users[first.id]
    again = await scene.user(known=first)
    assert again.id != first.id
    assert again.id in scene.sim.records.users


async def test_who_was_faster_is_read_again(scene):
    """Two at once: one is told 409 and takes whom the other has made."""
    other = await scene.connect()
    given = {"external_id": "same", "name": "Grace"}
    one, two = await asyncio.gather(
        scene.connection.create_user(**given, idempotency_key="a"), other.create_user(**given, idempotency_key="b")
    )
    assert one.id == two.id
    assert len(scene.sim.records.users) == 1


async def test_a_taken_id_that_finds_nobody_is_a_conflict_about_the_user(scene):
    scene.sim.faults.append(Fault(kind="answer", method="POST", status=409, times=None))
    with pytest.raises(hitl.ConflictError) as refused:
        await scene.user()
    assert refused.value.subject == "user"


@pytest.mark.parametrize("url", ["ftp://example.com/a.png", "not a url", f"https://example.com/{'a' * 2100}"])
async def test_r14_a_picture_zendesk_cannot_take_is_dropped(scene, url):
    assert "avatarUrl" not in profile(scene, await scene.user(avatar_url=url))


async def test_r14_a_picture_it_can_take_is_kept(scene):
    user = await scene.user(avatar_url="https://example.com/a.png", locale="de-CH")
    assert profile(scene, user)["avatarUrl"] == "https://example.com/a.png"
    assert profile(scene, user)["locale"] == "de-CH"


async def test_a_wrong_app_is_no_missing_customer(scenes):
    async with scenes() as scene:
        connection = await scene.connect(app_id="another")
        with pytest.raises(hitl.NotFoundError, match="app_id"):
            await connection.create_user(name="Ada", external_id="u1")
