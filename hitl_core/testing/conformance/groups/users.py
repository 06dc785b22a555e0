"""``create_user``: the customer is found or made, and never harmed."""

from __future__ import annotations

import asyncio

import pytest

from hitl_core.errors import AmbiguousOutcomeError, ConflictError, HitlError, ProviderUnavailableError
from hitl_core.people import EndUser, ExternalUser
from hitl_core.testing.conformance import words
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import NOT_APPLICABLE, rule
from hitl_core.testing.conformance.tools.claims import promised
from hitl_core.testing.simulator import SimUser

__all__ = ["UserTests"]


class UserTests(ConformanceBase):
    """Customers."""

    @rule("create_user", customers=True)
    async def test_a_new_customer_is_created_once(self, room: Room) -> None:
        """A new customer appears in the helpdesk once, under the name and the id we gave."""
        user = await room.user()
        found = [known for known in await room.agent.users() if known.id == user.id]
        assert len(found) == 1, "create_user must return the vendor's id of one customer that exists there"
        assert found[0].name == words.NAME, "the customer's name must arrive"
        assert found[0].external_id in {None, f"kit-{room.name}"}, (
            "where the vendor has a field for it, the customer carries external_id and nothing else"
        )

    @rule("create_user")
    async def test_a_vendor_without_customers_is_not_asked_for_one(self, room: Room) -> None:
        """Where the simulator says that the vendor keeps no customers, ``create_user`` writes nothing there."""
        if room.simulator.keeps_customers:
            pytest.skip(NOT_APPLICABLE + "the vendor keeps customers")
        before = len(room.wire.writes())
        await room.user("-nobody")
        assert len(room.wire.writes()) == before, "it was asked to make one: take keeps_customers = False away"

    @rule("create_user")
    async def test_a_customer_who_exists_is_found_again(self, room: Room) -> None:
        """A customer with an ``external_id`` that exists is that customer, with or without ``known``."""
        first = await room.user("-again")
        second = await room.user("-again")
        third = await room.user("-again", known=first)
        assert second.id == first.id, "look for the external_id before creating anybody"
        assert third.id == first.id, "a customer in request.known exists; return that one"

    @rule("create_user", customers=True)
    async def test_a_customer_who_exists_is_neither_renamed_nor_given_another_id(self, room: Room) -> None:
        """Finding a customer again changes neither their name nor their ``external_id`` (F35)."""
        user = await room.user("-kept")
        before = await _customer(room, user)
        for more in ({"name": words.OTHER_NAME}, {"name": None}, {"known": user, "name": words.OTHER_NAME}):
            again = await room.user("-kept", **more)
            after = await _customer(room, again)
            assert again.id == user.id, "one external_id is one customer, whatever their name"
            assert after.name == before.name, "agents may have corrected the name: leave that of existing people alone"
            assert after.external_id == before.external_id, "never re-key somebody who exists"

    @rule("create_user", customers=True)
    async def test_a_customer_without_an_e_mail_address_gets_none(self, room: Room) -> None:
        """A customer without an e-mail address is created without one; none is invented (F05)."""
        with promised("external_id and name are enough for a customer"):
            user = await room.user("-no-mail", email=None)
        found = await _customer(room, user)
        assert not found.email, "do not invent an e-mail address: the helpdesk would write to it, or match people by it"

    @rule("create_user", customers=True)
    async def test_an_e_mail_address_alone_is_enough(self, room: Room) -> None:
        """A customer of whom only the e-mail address is known is created, and found again by it."""
        key, only = room.key(), EndUser(email="only.this@example.com")
        with promised("an e-mail address is enough for a customer; write a label where the vendor insists on a name"):
            first = await room.connection.create_user(only, idempotency_key=key)
            second = await room.connection.create_user(only, idempotency_key=key)
        assert (await _customer(room, first)).email == only.email, "the e-mail address must arrive"
        assert second.id == first.id, "the same call repeated must find the customer it has made"

    @rule("create_user", customers=True)
    async def test_a_name_in_any_script_arrives_as_it_is(self, room: Room) -> None:
        """A name arrives letter by letter, accents, other scripts and emoji included."""
        with promised("a name may hold any character"):
            user = await room.user("-name", name=words.UNICODE_NAME)
        found = await _customer(room, user)
        assert found.name == words.UNICODE_NAME, f"the name {words.UNICODE_NAME!r} arrived as {found.name!r}"

    @rule("create_user", customers=True)
    async def test_somebody_else_with_the_same_e_mail_address_stays_who_they_are(self, room: Room) -> None:
        """Where somebody else has the address, the call ends with them as they are, or with a new customer (F35)."""
        first = await room.user("-first")
        before = await _customer(room, first)
        other = EndUser(name=words.OTHER_NAME, email=before.email, external_id=f"kit-{room.name}-second")
        ends: list[str] = []
        for key in (room.key(), room.key()):
            try:
                found = await room.connection.create_user(other, idempotency_key=key)
            except ConflictError:
                ends.append("a ConflictError")
                continue
            except HitlError as error:
                msg = (
                    "when the e-mail address is taken, return who has it, or create the customer without it, or raise "
                    f"ConflictError; it raised {_described(error)}"
                )
                raise AssertionError(msg) from error
            await _customer(room, found)
            ends.append(f"customer {found.id}")
        after = await _customer(room, first)
        assert after == before, f"somebody who exists was changed from {before} to {after}"
        assert ends[0] == ends[1], f"the same question had two ends: {ends[0]}, then {ends[1]}"

    @rule("create_user")
    async def test_an_agent_is_not_made_a_customer(self, room: Room) -> None:
        """A customer with an agent's e-mail address does not cost the agent their role (F35)."""
        agent = room.simulator.agents[0]
        if agent.email is None:
            pytest.skip(NOT_APPLICABLE + "the simulator's agents have no e-mail address")
        try:
            await room.user("-agent", name=words.OTHER_NAME, email=agent.email)
        except ConflictError:
            pass  # they are somebody else
        except HitlError as error:
            msg = f"an agent's e-mail address may raise ConflictError; it raised {_described(error)}"
            raise AssertionError(msg) from error
        customers = [known.id for known in await room.agent.users()]
        assert agent.id not in customers, "the agent was turned into a customer: never write a role"
        session = await room.session()
        await room.agent.reply(session.id, "kit: still an agent", agent=agent.id)
        last = (await room.agent.session(session.id)).messages[-1]
        assert last.role == "agent", f"the agent now writes as {last.role}: never write a role"

    @rule("create_user", customers=True)
    async def test_two_at_once_make_one_customer(self, room: Room) -> None:
        """Two instances that create the same customer at the same moment end with one."""
        given = EndUser(name=words.NAME, email="twice@example.com", external_id=f"kit-{room.name}-same")
        keys = room.key(), room.key()
        async with room.connect() as other:
            with promised("when the vendor answers that the customer exists by now, return that one"):
                first, second = await asyncio.gather(
                    room.connection.create_user(given, idempotency_key=keys[0]),
                    other.create_user(given, idempotency_key=keys[1]),
                )
        assert first.id == second.id, "when the vendor answers that the customer exists by now, return that one"
        made = await _alike(room, given)
        assert len(made) == 1, f"the helpdesk holds {len(made)} customers for one"

    @rule("create_user", customers=True)
    async def test_a_repeat_after_a_lost_answer_makes_one_customer(self, room: Room) -> None:
        """When the answer to a write is lost, the call or its repeat finds the customer it has made."""
        await room.user("-before")  # credentials are fetched by now: losing those would be another story
        for number in (1, 2):
            mark = f"kit-{room.name}-{number}"
            given = EndUser(name=words.NAME, email=f"lost.{number}@example.com", external_id=mark)
            key = room.key()
            room.wire.cut("lose_answer", spare=number - 1)
            try:
                await room.connection.create_user(given, idempotency_key=key)
            except (AmbiguousOutcomeError, ProviderUnavailableError):
                pass  # the bridge repeats the step
            except HitlError as error:
                msg = f"a lost answer is nobody's mistake; it raised {_described(error)}"
                raise AssertionError(msg) from error
            room.wire.mend()
            with promised("create_user is safe to repeat: look for the customer before creating them"):
                user = await room.connection.create_user(given, idempotency_key=key)
            made = await _alike(room, given)
            assert [one.id for one in made] == [user.id], (
                f"after the answer to write {number} was lost, the helpdesk holds {len(made)} customers instead of "
                "the one that create_user returned"
            )

    @rule("create_user", needs=("idempotent:create_user",))
    async def test_one_key_makes_one_customer_even_of_a_bare_name(self, room: Room) -> None:
        """Where the vendor honours keys, they alone tell a repeat from another customer of the same name (F37)."""
        key, only = room.key(), EndUser(name=words.NAME)
        with promised("a customer of whom only a name is known can be created, and the call repeated"):
            first = await room.connection.create_user(only, idempotency_key=key)
            second = await room.connection.create_user(only, idempotency_key=key)
            other = await room.connection.create_user(only, idempotency_key=room.key())
        assert second.id == first.id, "the same key is the same customer: pass request.key to the vendor"
        assert other.id != first.id, "another key is another customer"

    @rule("create_user", customers=True)
    async def test_what_the_vendor_cannot_take_of_a_customer_is_left_out(self, room: Room) -> None:
        """An odd phone number, locale or picture is left out; the customer is created all the same (R14)."""
        odd = {
            "a picture with a URL of 3000 characters": {"avatar_url": f"https://example.com/{'a' * 3000}.png"},
            "a picture as data": {"avatar_url": words.PNG},
            "a phone number with an extension": {"phone": "+46 (0)8-123 45 67 ext. 9"},
            "a phone number that is none": {"phone": "ask my sister"},
            "a locale nobody has": {"locale": "tlh-Latn-x-kit"},
            "a locale that is none": {"locale": "?"},
        }
        wrong = []
        for number, (what, fields) in enumerate(odd.items()):
            try:
                user = await room.user(f"-odd-{number}", **fields)
            except HitlError as error:
                wrong.append(f"{what}: {_described(error)}")
                continue
            if (await _customer(room, user)).name != words.NAME:
                wrong.append(f"{what}: the name is lost")
        assert not wrong, "leave out what the vendor cannot take, and create the customer:\n" + "\n".join(wrong)

    @rule("create_user")
    async def test_customers_without_id_and_e_mail_are_kept_apart(self, room: Room) -> None:
        """Two customers of whom only a name is known are two customers, even when the name is the same."""
        with promised("a name is enough for a customer"):
            first = await room.user("-a", external_id=None, email=None)
            second = await room.user("-b", external_id=None, email=None)
        assert first.id != second.id, "people without an id must not be merged: one would read the other's conversation"


async def _customer(room: Room, user: ExternalUser) -> SimUser:
    found = [known for known in await room.agent.users() if known.id == user.id]
    assert len(found) == 1, f"create_user returned {user.id!r}; the helpdesk knows {len(found)} customers of that id"
    return found[0]


async def _alike(room: Room, user: EndUser) -> list[SimUser]:
    """Return who could be this customer; a vendor need not show all we gave."""
    return [
        known
        for known in await room.agent.users()
        if known.external_id == user.external_id or known.email == user.email
    ]


def _described(error: HitlError) -> str:
    return f"{type(error).__name__}: {error}"
