"""Mutants for the group ``users``."""

import asyncio

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider

from .mutation import kills


@kills("test_a_new_customer_is_created_once")
class ForgetsTheName(ReferenceProvider):
    """Creates customers without their name."""

    @hitl.hookimpl
    async def create_user(self, request):
        nameless = request.user.model_copy(update={"name": None})
        return await super().create_user(request.model_copy(update={"user": nameless}))


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
