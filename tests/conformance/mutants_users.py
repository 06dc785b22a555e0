"""Mutants for the group ``users``."""

import asyncio
import itertools

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider, ReferenceSimulator

from .mutation import kills
from .variants import declaring


class Twisting(ReferenceProvider):
    """Changes the customer before anything is done with them."""

    def twist(self, request):
        raise NotImplementedError

    @hitl.hookimpl
    async def create_user(self, request):
        changes = self.twist(request)
        return await super().create_user(request.model_copy(update={"user": request.user.model_copy(update=changes)}))


class Overwriting(ReferenceProvider):
    """Writes to a customer who exists, as an upsert of the vendor's would."""

    def written(self, request):
        raise NotImplementedError

    @hitl.hookimpl
    async def create_user(self, request):
        user = await super().create_user(request)
        await self._call("create_user", "PUT", f"customers/{user.id}", json=self.written(request), repeatable=True)
        return user


@kills("test_a_new_customer_is_created_once")
class ForgetsTheName(Twisting):
    """Creates customers without their name."""

    def twist(self, request):
        return {"name": None}


@kills("test_a_new_customer_is_created_once")
class PutsItsOwnId(Twisting):
    """Keys the customer by something else than our id."""

    def twist(self, request):
        return {"external_id": request.user.email}


@kills("test_a_customer_who_exists_is_found_again")
class FindsNobody(Twisting):
    """Takes every call for a new customer."""

    def twist(self, request):
        return {"external_id": request.key, "email": None}


@kills("test_a_customer_who_exists_is_found_again")
class ForgetsWhoIsKnown(Twisting):
    """Creates somebody new where a customer is known already."""

    def twist(self, request):
        return {"external_id": request.key, "email": None} if request.known else {}


@kills("test_a_customer_who_exists_is_neither_renamed_nor_given_another_id")
class Renames(Overwriting):
    """Writes the name it was given over the one that is there."""

    def written(self, request):
        return {"name": request.user.name}


@kills("test_a_customer_who_exists_is_neither_renamed_nor_given_another_id")
class ReKeys(Overwriting):
    """Gives customers a new id with each call."""

    def written(self, request):
        return {"external_id": request.key}


@kills("test_a_customer_without_an_e_mail_address_gets_none")
class InventsAnAddress(Twisting):
    """Makes an address up, since the vendor likes one."""

    def twist(self, request):
        return {"email": request.user.email or f"{request.user.external_id}@customers.example"}


@kills("test_an_e_mail_address_alone_is_enough")
class InsistsOnAnId(ReferenceProvider):
    """Refuses customers without an external_id."""

    @hitl.hookimpl
    async def create_user(self, request):
        if request.user.external_id is None:
            msg = "external_id is required"
            raise hitl.InvalidRequestError(msg)
        return await super().create_user(request)


@kills("test_an_e_mail_address_alone_is_enough")
class DropsTheAddress(Twisting):
    """Creates customers without their e-mail address."""

    def twist(self, request):
        return {"email": None}


@kills("test_a_name_in_any_script_arrives_as_it_is")
class KnowsOnlyAscii(Twisting):
    """Drops what is not ASCII."""

    def twist(self, request):
        return {"name": request.user.name and request.user.name.encode("ascii", "ignore").decode()}


@kills("test_somebody_else_with_the_same_e_mail_address_stays_who_they_are")
class TakesPeopleOver(Overwriting):
    """Gives whoever has the address the id of the customer who came last."""

    def written(self, request):
        return {"external_id": request.user.external_id}


@kills("test_somebody_else_with_the_same_e_mail_address_stays_who_they_are")
class IsStumpedByATakenAddress(ReferenceProvider):
    """Gives up where the address belongs to somebody else."""

    @hitl.hookimpl
    async def create_user(self, request):
        holders = await self._call("create_user", "GET", "customers", params={"email": request.user.email})
        if any(one["external_id"] != request.user.external_id for one in holders["customers"]):
            msg = "the e-mail address is taken"
            raise hitl.InvalidRequestError(msg)
        return await super().create_user(request)


@kills("test_an_agent_is_not_made_a_customer")
class DemotesAgents(ReferenceProvider):
    """Takes an agent with the customer's address for the customer, and writes to them as such."""

    @hitl.hookimpl
    async def create_user(self, request):
        if request.user.email != ReferenceSimulator.agents[0].email:
            return await super().create_user(request)
        body = {"external_id": request.user.external_id}
        taken = await self._call("create_user", "PUT", "customers/agent-1", json=body, repeatable=True)
        return hitl.ExternalUser(id=taken["id"])


@kills("test_two_at_once_make_one_customer")
class MakesTwo(ReferenceProvider):
    """Gives each call a customer of its own."""

    _calls = 0

    @hitl.hookimpl
    async def create_user(self, request):
        type(self)._calls += 1
        fresh = request.user.model_copy(
            update={"external_id": f"{request.user.external_id}-{self._calls}", "email": None}
        )
        await asyncio.sleep(0)
        return await super().create_user(request.model_copy(update={"user": fresh}))


class Forgiving(ReferenceSimulator):
    """Creates the same customer as often as it is told to."""

    def __init__(self, **options):
        super().__init__(**options)
        self.one_customer_an_id = False


@kills("test_a_repeat_after_a_lost_answer_makes_one_customer")
class RepeatsBlindly(ReferenceProvider):
    """Repeats a lost create without looking, at a vendor that takes it twice."""

    simulator = Forgiving


@kills("test_one_key_makes_one_customer_even_of_a_bare_name")
class ForgetsTheKey(Twisting):
    """Says that it honours keys, and makes somebody new under the same one."""

    info = declaring(idempotent=frozenset({"create_user", "start_hitl"}))
    numbers = itertools.count()

    def twist(self, request):
        return {"external_id": request.user.external_id or f"nobody-{next(self.numbers)}"}


@kills("test_what_the_vendor_cannot_take_of_a_customer_is_left_out")
class InsistsOnThePicture(ReferenceProvider):
    """Sends a picture to a vendor that takes none."""

    @hitl.hookimpl
    async def create_user(self, request):
        if request.user.avatar_url:
            body = {"external_id": request.user.external_id, "avatar_url": request.user.avatar_url}
            await self._call("create_user", "POST", "customers", json=body)
        return await super().create_user(request)


@kills("test_customers_without_id_and_e_mail_are_kept_apart")
class MergesStrangers(Twisting):
    """Takes everybody without an id for the same person."""

    def twist(self, request):
        return {"external_id": request.user.external_id or (None if request.user.email else "stranger")}


class _WithoutCustomers(ReferenceSimulator):
    keeps_customers = False


@kills("test_a_vendor_without_customers_is_not_asked_for_one")
class MakesCustomersAllTheSame(ReferenceProvider):
    """Makes customers, though the tests about them were switched off."""

    simulator = _WithoutCustomers
