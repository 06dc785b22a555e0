"""``create_user``: the customer is found or made, and never harmed."""

from __future__ import annotations

import asyncio

from hitl_core.testing.conformance import words
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule

__all__ = ["UserTests"]


class UserTests(ConformanceBase):
    """Customers."""

    @rule("create_user")
    async def test_a_new_customer_is_created_once(self, room: Room) -> None:
        """A new customer appears in the helpdesk under the name and the id we gave."""
        user = await room.user()
        found = [known for known in await room.agent.users() if known.id == user.id]
        assert len(found) == 1, "create_user must return the vendor's id of one customer that exists there"
        assert found[0].name == words.NAME, "the customer's name must arrive"

    @rule("create_user")
    async def test_two_at_once_make_one_customer(self, room: Room) -> None:
        """Two instances that create the same customer at the same moment end with one."""
        first, second = await asyncio.gather(room.user("-same"), room.user("-same"))
        assert first.id == second.id, "when the vendor answers that the customer exists by now, return that one"
