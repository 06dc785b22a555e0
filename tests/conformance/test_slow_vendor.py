"""A vendor whose searches lag behind its writes passes what the kit asks of look-ups."""

from datetime import datetime, timedelta

import pytest

import hitl_core as hitl
from hitl_core.testing.conformance.groups.searching import SearchTests
from hitl_core.testing.reference import ReferenceProvider, ReferenceSimulator

from .variants import declaring

LAG = timedelta(seconds=30)


class LaggingProvider(ReferenceProvider):
    """Sees of the helpdesk what was there half a minute ago, and knows it."""

    __module__ = ReferenceProvider.__module__  # not a package somebody is writing, with points still to do
    info = declaring(limits={"settle_seconds": LAG.total_seconds()})

    async def _call(self, operation, method, path, **request):
        found = await super()._call(operation, method, path, **request)
        if operation == "find_session":
            found["tickets"] = [each for each in found["tickets"] if self.is_shown(each["created_at"])]
        if operation == "find_message":
            found["messages"] = [each for each in found["messages"] if self.is_shown(each["at"])]
        return found

    def is_shown(self, at):
        return datetime.fromisoformat(at) + LAG <= self._ctx.clock.now()

    def judged(self, request, finding):
        left = (request.sent_after + LAG - self._ctx.clock.now()).total_seconds()
        return hitl.Inconclusive(retry_after=left) if isinstance(finding, hitl.Absent) and left > 0 else finding

    @hitl.hookimpl
    async def find_session(self, request):
        return self.judged(request, await super().find_session(request))

    @hitl.hookimpl
    async def find_message(self, request):
        return self.judged(request, await super().find_message(request))


class TestSlowVendor(SearchTests):
    @pytest.fixture
    def provider(self):
        return LaggingProvider

    @pytest.fixture
    def simulator(self, clock):
        return ReferenceSimulator(clock=clock)
