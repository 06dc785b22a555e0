"""Mutants for the registration of webhooks."""

import itertools
from typing import ClassVar

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider
from hitl_core.testing.reference.events import SIGNATURE

from .mutants_events import but
from .mutation import kills


class Registering(ReferenceProvider):
    """The reference, with what it asks for and what it hands back taken apart."""

    @hitl.hookimpl
    async def register_webhook(self, request):
        return self.handed_back(await self.registered(request), request)

    async def registered(self, request):
        """Return what registering made."""
        return await super().register_webhook(request)

    def handed_back(self, registration, request):
        """Return the registration as this provider tells it."""
        return registration

    async def put(self, id, request):
        """Write a webhook of that id."""
        made = await self._call("register_webhook", "PUT", f"webhooks/{id}", json={"url": request.url}, repeatable=True)
        fields = {"url": request.url, "ids": {"webhook": id}, "secrets": [made["secret"]]}
        return hitl.WebhookRegistration.model_validate(fields)


@kills("test_registering_makes_the_vendor_call_us")
class LeavesThePathOut(Registering):
    """Lets the vendor call the host, whatever the path is."""

    async def registered(self, request):
        host = "/".join(request.url.split("/")[:3])
        return but(await super().registered(but(request, url=host)), url=request.url)


@kills("test_what_a_registered_webhook_sends_is_accepted")
class LosesTheSecret(Registering):
    """Does not hand back the secret the vendor issued."""

    def handed_back(self, registration, request):
        return but(registration, secrets=())


@kills("test_an_issued_secret_is_known_after_a_restart")
class KeepsTheSecretInMemory(Registering):
    """Keeps the secret the vendor issued in memory alone."""

    _issued: str | None = None

    def handed_back(self, registration, request):
        self._issued = registration.secrets[0].get_secret_value()
        return but(registration, secrets=())

    @hitl.hookimpl
    def verify_webhook(self, request):
        try:
            return super().verify_webhook(request)
        except hitl.WebhookVerificationError:
            if self._issued is None:
                raise
            SIGNATURE.verify([self._issued], request.headers, request.body, now=self._ctx.clock.now())
            return hitl.WebhookDelivery.of(request)


@kills("test_registering_twice_makes_one_webhook")
class AlwaysMakesAnother(Registering):
    """Makes another webhook each time."""

    _count: ClassVar = itertools.count()

    async def registered(self, request):
        return await self.put(f"hitl-{next(self._count)}", request)


@kills("test_registering_finds_what_was_made_before")
class RemembersByItsRecord(Registering):
    """Makes a webhook of a new name, unless it has a record of an old one."""

    _count: ClassVar = itertools.count()

    async def registered(self, request):
        previous = request.previous
        return await self.put(previous.ids["webhook"] if previous else f"hitl-{next(self._count)}", request)


@kills("test_registering_another_url_moves_the_webhook")
class NamesWebhooksByTheirUrl(Registering):
    """Names a webhook by the URL it leads to, and so makes one for each."""

    async def registered(self, request):
        return await self.put(f"hitl-{request.url.rpartition('/')[2]}", request)


class Trusting(Registering):
    """The reference, asking nothing where its record says that all is done."""

    async def registered(self, request):
        previous = request.previous
        return previous if previous and previous.url == request.url else await super().registered(request)


@kills("test_registering_mends_what_somebody_removed")
class BelievesItIsThere(Trusting):
    """Believes its record that the webhook is there."""


@kills("test_registering_mends_what_somebody_changed")
class BelievesItLeadsHere(Trusting):
    """Believes its record that the webhook leads here."""


@kills("test_unregistering_removes_everything")
class LeavesItThere(ReferenceProvider):
    """Forgets a webhook without removing it."""

    @hitl.hookimpl
    async def unregister_webhook(self, request):
        del request


@kills("test_unregistering_what_is_gone_is_fine")
class InsistsOnRemoving(ReferenceProvider):
    """Takes a webhook that is gone for a failure."""

    @hitl.hookimpl
    async def unregister_webhook(self, request):
        path = f"webhooks/{request.previous.ids['webhook']}"
        await self._call("unregister_webhook", "DELETE", path, repeatable=True)


@kills("test_a_registration_shows_no_secret")
class NotesTheSecretDown(Registering):
    """Tells people the secret the vendor issued."""

    def handed_back(self, registration, request):
        return but(registration, manual_steps=(f"keep {registration.secrets[0].get_secret_value()}",))
