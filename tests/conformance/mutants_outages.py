"""Mutants for the group ``outages``."""

import dataclasses
import itertools

import hitl_core as hitl
from hitl_core.http import RetryPolicy
from hitl_core.testing.reference import ReferenceProvider

from .mutation import kills
from .variants import changed, declaring


class TriesOnce(ReferenceProvider):
    """Switches the transport's repeats off."""

    def __init__(self, ctx):
        ctx.http._core = dataclasses.replace(ctx.http._core, retry=RetryPolicy(attempts=1))
        super().__init__(ctx)


@kills("test_a_helpdesk_that_cannot_be_reached_is_unavailable")
class FearsTheWorst(ReferenceProvider):
    """Takes every failure for one that may have changed something."""

    async def _call(self, operation, method, path, **request):
        try:
            return await super()._call(operation, method, path, **request)
        except hitl.ProviderUnavailableError as error:
            raise hitl.AmbiguousOutcomeError(error.message) from error


@kills("test_what_was_not_sent_is_sent_again")
class GivesUpUnsent(TriesOnce):
    """Tries once, even what was not sent."""


@kills("test_a_read_that_got_no_answer_is_repeated")
class GivesUpReading(ReferenceProvider):
    """Takes reads for writes that must not be repeated."""

    async def _call(self, operation, method, path, **request):
        return await super()._call(operation, method, path, **{**request, "repeatable": method != "GET"})


@kills("test_finding_a_customer_and_ending_a_session_can_be_repeated")
class ClosesOnce(ReferenceProvider):
    """Takes a ticket that is closed already for a conflict."""

    @hitl.hookimpl(specname="stop_hitl")
    async def close_ticket(self, request):
        path = f"tickets/{request.session.id}"
        if (await self._call("stop_hitl", "GET", path))["status"] == "closed":
            msg = "the ticket is closed already; there is nothing to close"
            raise hitl.ConflictError(msg)
        await self._call("stop_hitl", "POST", f"{path}/close", json={})


class RepeatsBlindly(ReferenceProvider):
    """Repeats every write, though the vendor knows no keys."""

    info = declaring(idempotent=frozenset())

    async def _call(self, operation, method, path, **request):
        return await super()._call(operation, method, path, **{**request, "key": None, "repeatable": True})


@kills("test_a_start_that_failed_after_the_fact_is_in_doubt")
class StartsTwice(RepeatsBlindly):
    """Repeats a start that failed, though the vendor knows no keys."""


@kills("test_a_message_that_failed_after_the_fact_is_in_doubt")
class SendsTwice(RepeatsBlindly):
    """Repeats a message that failed, though the vendor knows no keys."""


@kills(
    "test_a_customer_is_created_again_by_the_same_bytes",
    "test_a_start_is_repeated_by_the_same_bytes",
    "test_a_message_is_repeated_by_the_same_bytes",
    "test_a_stop_is_repeated_by_the_same_bytes",
)
class NewKeyForEachTry(ReferenceProvider):
    """Makes a key of its own for each try."""

    info = declaring(idempotent=frozenset({"create_user", "start_hitl", "send_message", "stop_hitl"}))

    def __init__(self, ctx):
        super().__init__(ctx)
        auth, numbers = self._http.binding.auth, itertools.count(1)

        class Numbering:
            async def headers(self):
                return {**await auth.headers(), "idempotency-key": f"try-{next(numbers)}"}

            async def refresh(self):
                return await auth.refresh()

        self._http.binding = dataclasses.replace(self._http.binding, auth=Numbering())

    async def _call(self, operation, method, path, **request):
        if method == "POST":
            request = {**request, "key": None, "repeatable": True}
        return await super()._call(operation, method, path, **request)


@kills("test_a_message_is_repeated_by_the_same_bytes")
class DeclaresKeysItDoesNotSend(ReferenceProvider):
    """Says that messages can be repeated, and sends no key with them."""

    info = declaring(idempotent=frozenset({"start_hitl", "send_message"}))

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        return await super().add_message(changed(request, key="-"))
