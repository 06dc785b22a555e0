"""``hitl check``: what is in place in the account, and how to mend what is not (behaviour F42)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import hitl_core as hitl
from hitl_zendesk.api import Api
from hitl_zendesk.deliveries import TEST_SECRET
from hitl_zendesk.registration import Registration

__all__ = ["Checkup"]

_OPERATION: Final = "check"
_DRIFT: Final = timedelta(minutes=4)
_OAUTH: Final = "Admin Center, Apps and integrations, APIs, OAuth clients"


class Checkup:
    """Looks at everything a hand-off needs."""

    def __init__(self, api: Api, registration: Registration) -> None:
        self._api = api
        self._registration = registration

    async def run(self, request: hitl.CheckAccount) -> list[hitl.CheckResult]:
        """Look, one thing after the other; nothing is written."""
        results: list[hitl.CheckResult] = []
        try:
            answer = await self._api.http.get("users/me", operation=_OPERATION)
            me = await self._api.me(_OPERATION)
        except hitl.ProviderError as error:
            return [self._no_entry(error)]
        results.append(_fine("credentials", f"as {me['role']} {me['id']}"))
        results += [self._clock(answer.headers.get("date")), self._limit(answer.headers)]
        results += [result async for result in self._rights(me)]
        results += await self._webhook(request.webhook_url)
        results += await self._closing()
        if self._api.settings.api_token is not None:
            results.append(
                _fine("API token", f"works until 2027-04-30; make an OAuth client ({_OAUTH}) and set client_id")
            )
        return results

    def _no_entry(self, error: hitl.ProviderError) -> hitl.CheckResult:
        settings = self._api.settings
        if isinstance(error, hitl.AuthenticationError):
            mend = f"look the client up in {_OAUTH}, and set client_id and client_secret; its owner has to be an agent"
            if settings.access_token is not None:
                mend = "set access_token anew, to a token of an agent; or make an OAuth client, whose tokens renew"
            elif settings.api_token is not None:
                mend = "check email and api_token; API tokens are being withdrawn, so make an OAuth client instead"
            return hitl.CheckResult(name="credentials", ok=False, detail=error.message, mend=mend)
        if isinstance(error, hitl.NotFoundError):
            mend = "check subdomain: the first word of the address agents work at"
            if settings.base_url is not None:
                mend = "check base_url: the address of the account itself, without /api/v2"
            return hitl.CheckResult(name="account", ok=False, detail=error.message, mend=mend)
        if isinstance(error, hitl.PermissionDeniedError):
            detail = "they may not even read whom they act as"
            return hitl.CheckResult(name="credentials", ok=False, detail=detail, mend=error.message)
        mend = f"is {self._api.settings.root} to be reached from here?"
        return hitl.CheckResult(name="reachable", ok=False, detail=error.message, mend=mend)

    def _clock(self, date: str | None) -> hitl.CheckResult:
        try:
            theirs = parsedate_to_datetime(date or "")
        except ValueError:
            return _fine("clock", "Zendesk does not tell the time")
        drift = abs(self._api.ctx.clock.now() - (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)))
        if drift <= _DRIFT:
            return _fine("clock", f"{drift.total_seconds():.0f} s apart from Zendesk's")
        mend = "set this machine's clock, by NTP for instance: deliveries are refused when their time is 5 minutes off"
        detail = f"{drift.total_seconds():.0f} s apart from Zendesk's"
        return hitl.CheckResult(name="clock", ok=False, detail=detail, mend=mend)

    def _limit(self, headers: Mapping[str, str]) -> hitl.CheckResult:
        names = ("ratelimit-limit", "x-rate-limit", "rate-limit")
        found = next((headers[name] for name in names if name in headers), None)
        if found is None or not found.isdigit():
            return _fine("plan", "Zendesk does not tell its limit")
        low = "; a hand-off needs about three for each message" if int(found) < 200 else ""
        return _fine("plan", f"{found} requests a minute{low}")

    async def _rights(self, me: Mapping[str, Any]) -> AsyncIterator[hitl.CheckResult]:
        wanted = {
            "tickets": ("tickets", {"external_id": "hitl-check"}),
            "users": ("users", {"external_id": "hitl-check"}),
            "webhooks": ("webhooks", {"page[size]": 1}),
        }
        if self._api.settings.webhook_mode == "triggers":
            wanted["triggers"] = ("triggers", {"page[size]": 1})
        for name, (path, params) in wanted.items():
            try:
                await self._api.call(_OPERATION, "GET", path, params=params)
            except hitl.PermissionDeniedError as error:
                mend = error.message
                if name in {"webhooks", "triggers"}:
                    mend += "; webhooks and triggers are an admin's, or of a role that may manage them"
                yield hitl.CheckResult(name=name, ok=False, detail="may not be read", mend=mend)
            except hitl.ProviderError as error:
                mend = "try again later; where it stays so, ask Zendesk whether the account's plan has it"
                yield hitl.CheckResult(name=name, ok=False, detail=error.message, mend=mend)
            else:
                yield _fine(name, "may be read")
        if me.get("restricted_agent") or me.get("ticket_restriction") not in {None, "groups"}:
            mend = "let the agent see all tickets, or those of its groups at least"
            yield hitl.CheckResult(
                name="ticket access", ok=False, detail="the agent does not see every ticket", mend=mend
            )

    async def _webhook(self, url: str | None) -> list[hitl.CheckResult]:
        if TEST_SECRET in self._api.ctx.webhook_secrets:
            mend = "set webhook_secret to the signing secret of the webhook's own page, or register by API"
            detail = "everybody knows the secret Zendesk tests with"
            return [hitl.CheckResult(name="webhook secret", ok=False, detail=detail, mend=mend)]
        amiss: list[str] = []
        try:
            found = await self._registration.look(_OPERATION, url)
            if found is not None:
                amiss = await self._registration.amiss(_OPERATION, str(found["id"]))
        except hitl.ProviderError:
            return []  # told above
        if found is None:
            told = "none of ours; answers can be read by pull" if not url else "none of ours leads to that address"
            return [_fine("webhook", told)]
        if found.get("status") != "active":
            mend = "register it again, or activate it in Admin Center, Apps and integrations, Webhooks"
            return [hitl.CheckResult(name="webhook", ok=False, detail="it is switched off", mend=mend)]
        if amiss:
            detail = f"the triggers that tell of {' and '.join(amiss)} are missing, switched off or changed"
            mend = "register it again, which mends them"
            return [hitl.CheckResult(name="triggers", ok=False, detail=detail, mend=mend)]
        return [_fine("webhook", "active")]

    async def _closing(self) -> list[hitl.CheckResult]:
        """Look for fields that agents must fill in before a ticket is solved: they stop us too."""
        try:
            answer = await self._api.call(_OPERATION, "GET", "ticket_fields", params={"page[size]": 100})
        except hitl.ProviderError:
            return []
        needed = [
            str(field["id"])
            for field in answer.get("ticket_fields") or ()
            if field.get("required") and field.get("active") and field.get("removable")
        ]
        if not needed:
            return [_fine("solving", "no field of the account's own is required")]
        told = f"fields {', '.join(needed)} are required; where they stay empty the ticket stays open, as told then"
        return [_fine("solving", told)]


def _fine(name: str, detail: str) -> hitl.CheckResult:
    return hitl.CheckResult(name=name, ok=True, detail=detail)
