"""Mutants for the group ``failures``."""

import hitl_core as hitl
from hitl_core.http import VendorError
from hitl_core.testing.reference import ReferenceProvider
from hitl_core.testing.reference.auth import RotatingToken

from .mutation import kills


class Retells(ReferenceProvider):
    """Tells the errors of the transport in its own way."""

    async def _call(self, operation, method, path, **request):
        try:
            return await super()._call(operation, method, path, **request)
        except hitl.ProviderError as error:
            raise self.retold(error) from error

    def retold(self, error):
        return error


@kills("test_a_refusal_is_told_by_its_class")
class OneErrorForAll(Retells):
    """Makes one kind of error of every refusal."""

    def retold(self, error):
        return hitl.ConflictError(error.message, status=error.status) if error.status == 403 else error


@kills("test_a_refusal_is_told_by_its_class")
class TakesConflictsForAbsence(ReferenceProvider):
    """Says of everything that is refused with 423 that it does not exist."""

    def __init__(self, ctx):
        super().__init__(ctx)

        def classify(response):
            return VendorError(error=hitl.NotFoundError) if response.status == 423 else None

        base_url = ctx.settings.base_url
        token = RotatingToken(ctx, ctx.http.bind(base_url=base_url))
        self._http = ctx.http.bind(base_url=base_url, auth=token, classify=classify)


@kills("test_a_failing_helpdesk_is_unavailable_or_leaves_a_write_in_doubt")
class BlamesTheRequest(Retells):
    """Takes a failing helpdesk for a wrong request."""

    def retold(self, error):
        wrong = isinstance(error, hitl.ProviderUnavailableError) and error.status == 504
        return hitl.InvalidRequestError(error.message, status=504) if wrong else error


@kills("test_an_error_says_all_that_is_needed_to_act")
class ForgetsTheStatus(Retells):
    """Makes errors anew, without the status."""

    def retold(self, error):
        return type(error)("the helpdesk refused the request; try something else", retryable=error.retryable)


@kills("test_an_error_says_all_that_is_needed_to_act")
class AlwaysTryAgain(Retells):
    """Says of conflicts that a repeat helps."""

    def retold(self, error):
        if isinstance(error, hitl.ConflictError):
            error.retryable = True
        return error


@kills("test_credentials_do_not_follow_a_redirect")
class FollowsRedirects(Retells):
    """Goes where it is sent, with its credentials."""

    async def _call(self, operation, method, path, **request):
        try:
            return await super()._call(operation, method, path, **request)
        except hitl.ProviderError as error:
            if error.status != 307:
                raise
            token = RotatingToken(self._ctx, self._ctx.http.bind(base_url=self._ctx.settings.base_url))
            there = self._ctx.http.bind(base_url="https://elsewhere.example/api/v2", auth=token)
            return (await there.request(method, path, operation=operation, **request)).json()


@kills("test_a_gateways_page_is_an_error_like_any_other")
class ReadsEveryBody(ReferenceProvider):
    """Believes that every refusal explains itself in JSON."""

    async def _call(self, operation, method, path, **request):
        response = await self._http.request(method, path, operation=operation, accept={404}, **request)
        if response.status != 404:
            return response.json() if response.body else None
        msg = f"the helpdesk says {response.json()['error']}; check the id"
        raise hitl.NotFoundError(msg, status=404)


@kills("test_an_answer_that_cannot_be_read_is_an_error")
class TakesSilenceForConsent(ReferenceProvider):
    """Takes every 200 for a message sent, whatever it says."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        try:
            return await super().add_message(request)
        except (TypeError, KeyError):
            return hitl.SentMessage()
