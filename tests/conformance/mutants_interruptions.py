"""Mutants for the group ``interruptions``."""

import asyncio
from datetime import UTC, datetime

import hitl_core as hitl
from hitl_core.context import deadline_of_call
from hitl_core.testing.reference import ReferenceProvider

from .mutation import kills


@kills("test_a_call_can_be_cancelled_in_the_middle_of_a_request")
class SwallowsCancellation(ReferenceProvider):
    """Takes a cancelled send for one that was sent."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        try:
            return await super().add_message(request)
        except asyncio.CancelledError:
            return hitl.SentMessage()


@kills("test_a_call_can_be_cancelled_in_the_middle_of_a_request")
class SendsAfterTheEnd(ReferenceProvider):
    """Closes what it was cancelled over."""

    @hitl.hookimpl(specname="stop_hitl")
    async def close_ticket(self, request):
        try:
            await super().close_ticket(request)
        except asyncio.CancelledError:
            await super().close_ticket(request)
            raise


@kills("test_a_connection_is_usable_after_a_cancelled_call")
class KeepsItsLock(ReferenceProvider):
    """Takes a lock and gives it back only when all goes well."""

    def __init__(self, ctx):
        super().__init__(ctx)
        self._lock = asyncio.Lock()

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        await self._lock.acquire()
        sent = await super().add_message(request)
        self._lock.release()
        return sent


@kills("test_no_write_starts_after_the_deadline")
class IgnoresDeadlines(ReferenceProvider):
    """Gives itself all the time in the world."""

    async def _call(self, operation, method, path, **request):
        with deadline_of_call(datetime.max.replace(tzinfo=UTC)):
            return await super()._call(operation, method, path, **request)


@kills("test_closing_does_not_wait_for_a_call_in_flight")
class WaitsForItsCalls(ReferenceProvider):
    """Closes only once every call has ended."""

    def __init__(self, ctx):
        super().__init__(ctx)
        self._idle = asyncio.Event()
        self._idle.set()

    async def _call(self, operation, method, path, **request):
        self._idle.clear()
        try:
            return await super()._call(operation, method, path, **request)
        finally:
            self._idle.set()

    @hitl.hookimpl
    async def close(self):
        await self._idle.wait()
