"""A vendor that honours every key passes what the kit asks of repeats."""

import pytest

import hitl_core as hitl
from hitl_core.testing.conformance.groups.outages import OutageTests
from hitl_core.testing.conformance.groups.repeating import RepeatTests
from hitl_core.testing.reference import ReferenceProvider, ReferenceSimulator

from .variants import declaring


class KeyedProvider(ReferenceProvider):
    """Sends the key of every write."""

    __module__ = ReferenceProvider.__module__  # not a package somebody is writing, with points still to do
    info = declaring(idempotent=frozenset({"create_user", "start_hitl", "send_message", "stop_hitl"}))

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        self._key = request.key
        return await super().add_message(request)

    @hitl.hookimpl(specname="stop_hitl")
    async def close_ticket(self, request):
        self._key = request.key
        await super().close_ticket(request)

    async def _call(self, operation, method, path, **request):
        if operation in {"send_message", "stop_hitl"} and path != "files":
            request = {**request, "key": self._key, "repeatable": None}
        return await super()._call(operation, method, path, **request)


class TestKeyedVendor(OutageTests, RepeatTests):
    @pytest.fixture
    def provider(self):
        return KeyedProvider

    @pytest.fixture
    def simulator(self, clock):
        return ReferenceSimulator(clock=clock)
