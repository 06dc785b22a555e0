"""Mutants for the group ``waiting``."""

import hitl_core as hitl
from hitl_core.http import VendorError
from hitl_core.testing.reference import ReferenceProvider
from hitl_core.testing.reference.auth import RotatingToken

from .mutation import kills


class TriesAgainAtOnce(ReferenceProvider):
    """Repeats what was refused without a pause."""

    status = 429

    async def _call(self, operation, method, path, **request):
        again = {**request, "accept": {self.status}}
        response = await self._http.request(method, path, operation=operation, **again)
        if response.status == self.status:
            return await super()._call(operation, method, path, **request)
        return response.json() if response.body else None


@kills("test_a_rate_limited_call_waits_as_long_as_it_was_asked_to")
class HammersTheLimit(TriesAgainAtOnce):
    """Repeats a rate-limited call without a pause."""


@kills("test_a_busy_helpdesk_is_waited_for_as_long_as_it_asks")
class HammersTheBusy(TriesAgainAtOnce):
    """Repeats a call to a busy helpdesk without a pause."""

    status = 503


@kills("test_what_was_refused_is_there_once_after_the_wait")
class SendsAgainToBeSure(ReferenceProvider):
    """Sends again what was refused, though the transport has done so."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        before = self._ctx.clock.monotonic()
        sent = await super().add_message(request)
        return await super().add_message(request) if self._ctx.clock.monotonic() > before else sent


class Classifying(ReferenceProvider):
    """Reads refusals in its own way."""

    def __init__(self, ctx):
        super().__init__(ctx)
        base_url = ctx.settings.base_url
        token = RotatingToken(ctx, ctx.http.bind(base_url=base_url))
        self._http = ctx.http.bind(base_url=base_url, auth=token, classify=self.classify)


@kills("test_a_wait_that_is_too_long_is_told_instead")
class WaitsForASecond(Classifying):
    """Believes that every limit ends within a second."""

    def classify(self, response):
        return VendorError(retry_after=1) if response.status == 429 else None


@kills("test_a_connection_that_must_not_wait_says_so_at_once")
class TakesLimitsForOutages(Classifying):
    """Takes a rate limit for a helpdesk that is down."""

    def classify(self, response):
        return VendorError(error=hitl.ProviderUnavailableError) if response.status == 429 else None
