"""Mutants for the group ``secrecy``."""

import base64
import dataclasses
import logging
import sys
import warnings

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider

from .mutation import kills
from .variants import changed, text_of

log = logging.getLogger("reference_vendor")


class Intercepting(ReferenceProvider):
    """Sees the credentials of every request."""

    def __init__(self, ctx):
        super().__init__(ctx)
        auth, seen = self._http.binding.auth, self.seen

        class Seeing:
            async def headers(self):
                headers = await auth.headers()
                seen(headers)
                return headers

            async def refresh(self):
                return await auth.refresh()

        self._http.binding = dataclasses.replace(self._http.binding, auth=Seeing())

    def seen(self, headers):
        pass


@kills("test_no_secret_is_logged")
class LogsHeaders(Intercepting):
    """Logs what it sends."""

    def seen(self, headers):
        log.debug("sending %s", dict(headers))


@kills("test_no_secret_is_logged")
class LogsBasicCredentials(ReferenceProvider):
    """Logs its credentials as they would stand in a header, once something fails."""

    @hitl.hookimpl
    async def identify(self):
        settings = self._ctx.settings
        pair = f"{settings.client_id}:{settings.client_secret.get_secret_value()}"
        log.info("authenticating by %s", base64.b64encode(pair.encode()).decode())
        return await super().identify()


@kills("test_no_customers_words_are_logged")
class LogsMessages(ReferenceProvider):
    """Logs what it sends, by the logger it was given."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        self._ctx.log.debug("sending %r", text_of(request.message))
        return await super().add_message(request)


@kills("test_no_customers_words_are_logged")
class LogsAnswers(ReferenceProvider):
    """Logs the answers it does not understand."""

    async def _call(self, operation, method, path, **request):
        try:
            return await super()._call(operation, method, path, **request)
        except hitl.InvalidRequestError:
            log.exception("refused: %s", request.get("json"))
            raise


@kills("test_nothing_private_is_printed")
class PrintsNames(ReferenceProvider):
    """Prints whom it creates."""

    @hitl.hookimpl
    async def create_user(self, request):
        sys.stderr.write(f"creating {request.user.name}\n")
        return await super().create_user(request)


@kills("test_no_warning_tells_anything_private")
class WarnsOfAddresses(ReferenceProvider):
    """Warns of addresses it finds odd, and quotes them."""

    @hitl.hookimpl
    async def create_user(self, request):
        if request.user.email and "example" in request.user.email:
            warnings.warn(f"{request.user.email} is no real address", UserWarning, stacklevel=2)
        return await super().create_user(request)


class Retelling(Intercepting):
    """Tells refusals in its own way."""

    _token = ""

    def seen(self, headers):
        self._token = headers.get("authorization", "")

    async def _call(self, operation, method, path, **request):
        response = await self._http.request(method, path, operation=operation, accept={422}, **request)
        if response.status == 422:
            self.tell(response)
        return response.json() if response.body else None

    def tell(self, response):
        raise hitl.InvalidRequestError("the helpdesk refuses the content; check the fields", status=422)


@kills("test_no_error_tells_a_secret")
class NamesItsToken(Retelling):
    """Says in errors with which token it asked."""

    def tell(self, response):
        msg = f"refused with {self._token}; check the fields"
        raise hitl.InvalidRequestError(msg, status=422)


@kills("test_no_error_quotes_what_people_wrote")
class QuotesTheVendor(Retelling):
    """Passes the vendor's message on."""

    def tell(self, response):
        raise hitl.InvalidRequestError(response.json()["message"], status=422)


@kills("test_no_error_quotes_what_people_wrote")
class QuotesInTheCause(Retelling):
    """Says nothing itself, but where the error came from."""

    def tell(self, response):
        msg = "the helpdesk refuses the content; check the fields"
        raise hitl.InvalidRequestError(msg, status=422) from ValueError(response.text)


@kills("test_nothing_private_is_shown_by_repr")
class ShowsItsSettings(ReferenceProvider):
    """Shows its secrets to whoever prints it."""

    def __repr__(self):
        return f"<Reference {self._ctx.settings.client_secret.get_secret_value()}>"


@kills("test_nothing_private_is_shown_by_repr")
class LinksByName(ReferenceProvider):
    """Makes links out of people's names."""

    @hitl.hookimpl
    async def create_user(self, request):
        user = await super().create_user(request)
        return changed(user, url=f"https://helpdesk.example/people/{request.user.name}")
