"""Mutants for the group ``authenticity``."""

import dataclasses
from datetime import UTC, datetime
from typing import ClassVar

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider
from hitl_core.testing.reference.events import SIGNATURE
from hitl_core.testing.simulator.base import SIM_OTHER_SECRET

from .mutation import kills

HEADER = SIGNATURE.header


class Verifier(ReferenceProvider):
    """The reference, with what it proves and what it concludes taken apart."""

    @hitl.hookimpl
    def verify_webhook(self, request):
        return self.concluded(self.proven(self.arrived(request)))

    def arrived(self, request):
        """Return the request that is proven."""
        return request

    def proven(self, request):
        """Return the delivery, or raise."""
        return super().verify_webhook(request)

    def concluded(self, delivery):
        """Return the delivery that is stored."""
        return delivery


def taken(request):
    """Return a delivery nobody proved."""
    return hitl.WebhookDelivery.of(request)


@kills("test_a_genuine_delivery_is_accepted_and_names_its_session")
class NamesNoSession(Verifier):
    """Leaves the sessions to whoever reads the delivery later."""

    def concluded(self, delivery):
        return delivery.model_copy(update={"session_ids": ()})


@kills("test_a_genuine_delivery_is_accepted_and_names_its_session")
class RefusesEverything(Verifier):
    """Holds the body against its signature after tidying it up."""

    def arrived(self, request):
        return dataclasses.replace(request, body=request.body.replace(b",", b", "))


@kills("test_a_changed_body_is_refused")
class TrimsTheBody(Verifier):
    """Proves the body without blanks around it, where it is not what arrived."""

    def arrived(self, request):
        return dataclasses.replace(request, body=request.body.strip())


@kills("test_a_delivery_without_its_proof_is_refused")
class BelievesWithoutASignature(Verifier):
    """Proves deliveries that are signed, and takes those that are not."""

    def proven(self, request):
        return super().proven(request) if request.headers.get(HEADER) else taken(request)


@kills("test_a_changed_proof_is_refused")
class ComparesTheBeginning(Verifier):
    """Compares as much of the signature as a signature is long."""

    def arrived(self, request):
        headers = dict(request.headers)
        if HEADER in headers:
            headers[HEADER] = headers[HEADER][:64]
        return dataclasses.replace(request, headers=headers)


@kills("test_what_somebody_else_signed_is_refused")
class BelievesATestSecret(Verifier):
    """Accepts what is signed with a secret from the documentation, too."""

    def proven(self, request):
        secrets = (*self._ctx.webhook_secrets, SIM_OTHER_SECRET)
        SIGNATURE.verify(secrets, request.headers, request.body, now=self._ctx.clock.now())
        return hitl.WebhookDelivery.of(request)


@kills("test_a_refusal_shows_nothing_that_proves")
class SaysWhatItExpected(Verifier):
    """Says which signature it would have believed."""

    def proven(self, request):
        try:
            return super().proven(request)
        except hitl.WebhookVerificationError as error:
            now, id_ = self._ctx.clock.now(), request.headers.get(SIGNATURE.id_header)
            expected = SIGNATURE.sign(self._ctx.webhook_secrets[0], request.body, timestamp=now, id=id_)[HEADER]
            msg = f"expected {expected}"
            raise hitl.WebhookVerificationError(msg) from error


class Watchless(Verifier):
    """The reference with a time of its own."""

    def proven(self, request):
        try:
            signed_at = datetime.fromtimestamp(int(request.headers[SIGNATURE.timestamp_header]), UTC)
        except (KeyError, ValueError):
            return super().proven(request)
        now = self.time(self._ctx.clock.now(), signed_at)
        SIGNATURE.verify(self._ctx.webhook_secrets, request.headers, request.body, now=now, tolerance=self.tolerance)
        return hitl.WebhookDelivery.of(request)

    tolerance = 300

    def time(self, now, signed_at):
        """Return what is held against the time of signing."""
        return now


@kills("test_an_old_delivery_is_refused")
class ForgetsNothing(Watchless):
    """Accepts deliveries of any age."""

    def time(self, now, signed_at):
        return min(now, signed_at)


@kills("test_a_delivery_from_the_future_is_refused")
class BelievesTheFuture(Watchless):
    """Accepts deliveries that were signed ahead of time."""

    def time(self, now, signed_at):
        return max(now, signed_at)


@kills("test_clocks_may_differ_by_a_minute")
class IsImpatient(Watchless):
    """Gives a delivery five seconds."""

    tolerance = 5


@kills("test_while_a_secret_is_replaced_both_are_accepted")
class KnowsOneSecret(Verifier):
    """Uses the first secret of the list."""

    def proven(self, request):
        SIGNATURE.verify(self._ctx.webhook_secrets[:1], request.headers, request.body, now=self._ctx.clock.now())
        return hitl.WebhookDelivery.of(request)


@kills("test_a_secret_that_was_replaced_counts_no_more")
class RemembersSecrets(Verifier):
    """Keeps every secret it ever saw, beside its settings."""

    _every: ClassVar[set[str]] = set()

    def proven(self, request):
        self._every.update(self._ctx.webhook_secrets)
        SIGNATURE.verify(sorted(self._every), request.headers, request.body, now=self._ctx.clock.now())
        return hitl.WebhookDelivery.of(request)


@kills("test_without_a_secret_nothing_is_accepted")
class BelievesWithoutASecret(Verifier):
    """Skips the proof where there is nothing to hold it against."""

    def proven(self, request):
        return super().proven(request) if self._ctx.webhook_secrets else taken(request)


@kills("test_without_a_secret_nothing_is_accepted")
class KeepsTheSettingToItself(Verifier):
    """Refuses without saying which setting is missing."""

    def proven(self, request):
        if not self._ctx.webhook_secrets:
            msg = "no"
            raise hitl.WebhookVerificationError(msg)
        return super().proven(request)


@kills("test_unsigned_deliveries_can_be_allowed")
class InsistsOnASecret(Verifier):
    """Knows no allow_unsigned_webhooks."""

    def proven(self, request):
        SIGNATURE.verify(self._ctx.webhook_secrets, request.headers, request.body, now=self._ctx.clock.now())
        return super().proven(request)


@kills("test_allowing_unsigned_deliveries_does_not_switch_a_secret_off")
class AllowsEverything(Verifier):
    """Takes allow_unsigned_webhooks for a wish to believe everything."""

    def proven(self, request):
        return taken(request) if self._ctx.settings.allow_unsigned_webhooks else super().proven(request)


@kills("test_another_accounts_delivery_is_refused")
class IgnoresTheAccount(Verifier):
    """Does not say which account a delivery is from."""

    def concluded(self, delivery):
        return delivery.model_copy(update={"account": None})
