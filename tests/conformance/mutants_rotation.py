"""Mutants for the group ``rotation``."""

import contextlib

import hitl_core as hitl
from hitl_core.state import MemoryState
from hitl_core.testing.reference import ReferenceProvider
from hitl_core.testing.reference.auth import RotatingToken
from hitl_core.testing.reference.provider import _classify

from .mutation import kills


class Authenticating(ReferenceProvider):
    """Has its own way with tokens."""

    token = RotatingToken

    def __init__(self, ctx):
        super().__init__(ctx)
        base_url = ctx.settings.base_url
        auth = self.token(ctx, ctx.http.bind(base_url=base_url, classify=_classify))
        self._http = ctx.http.bind(base_url=base_url, auth=auth, classify=_classify)


class Once(RotatingToken):
    async def refresh(self):
        return self._access is None and await super().refresh()


@kills("test_an_expired_credential_is_renewed_under_way")
class NeverRenews(Authenticating):
    """Takes a token at the beginning and never again."""

    token = Once


@kills("test_what_was_refused_for_its_credential_is_written_once")
class SendsAgainAfterRenewal(ReferenceProvider):
    """Repeats the message itself once the token was renewed, though the transport has done so."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        before = await self._ctx.state.get("oauth")
        sent = await super().add_message(request)
        renewed = await self._ctx.state.get("oauth") != before
        return await super().add_message(request) if renewed else sent


class InMemory(RotatingToken):
    def __init__(self, ctx, http):
        super().__init__(_Other(ctx, state=MemoryState()), http)


@kills("test_a_restart_goes_on_with_the_renewed_credential")
class ForgetsItsTokens(Authenticating):
    """Keeps the renewed credential in memory only."""

    token = InMemory


class Unlocked(RotatingToken):
    def __init__(self, ctx, http):
        class State:
            get, put, delete = ctx.state.get, ctx.state.put, ctx.state.delete

            def lock(self, name):
                return contextlib.nullcontext()

        super().__init__(_Other(ctx, state=State()), http)


class _Other:
    """A context with something else in it."""

    def __init__(self, ctx, **more):
        self._ctx = ctx
        self.__dict__.update(more)

    def __getattr__(self, name):
        return getattr(self._ctx, name)


@kills("test_instances_that_share_a_state_renew_once")
class TakesNoLock(Authenticating):
    """Renews without looking whether another instance does."""

    token = Unlocked


class Trusting(RotatingToken):
    async def refresh(self):
        used = self._access
        self._take(await self._stored())
        stale = self._access is not None and self._access != used
        self._taken = stale or (getattr(self, "_taken", False) and self._access is not None)
        return stale or (not self._taken and await self._renew(refused=self._access))


@kills("test_an_instance_that_slept_through_a_renewal_goes_on")
class TrustsTheState(Authenticating):
    """Takes what it finds in the state for good, and gives up when it is not."""

    token = Trusting


class Hasty(RotatingToken):
    def _serves(self, refused):
        return False


@kills("test_calls_at_once_renew_once")
class RenewsForEachCall(Authenticating):
    """Takes its turn to renew, and renews although somebody has just done so."""

    token = Hasty


class Silent(RotatingToken):
    async def refresh(self):
        try:
            return await super().refresh()
        except hitl.AuthenticationError:
            return False


@kills("test_refused_credentials_name_the_setting_to_mend")
class SaysRefused(Authenticating):
    """Says that the credentials are refused, and not which."""

    token = Silent


class Shared(RotatingToken):
    _tokens = {}  # noqa: RUF012 - that it is everybody's is the fault

    async def headers(self):
        if self._access is None and "last" in self._tokens:
            return self._tokens["last"]
        self._tokens["last"] = headers = await super().headers()
        return headers


@kills("test_one_accounts_credentials_are_not_used_for_another")
class SharesItsTokens(Authenticating):
    """Keeps tokens where all connections of the process find them."""

    token = Shared
