"""Who may ask: OAuth tokens that end, refresh tokens that work once, API tokens."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from hitl_zendesk.simulator.account import Account
from hitl_zendesk.simulator.records import User
from hitl_zendesk.simulator.refusals import BAD_CREDENTIALS, INVALID_TOKEN, RefusedError

__all__ = [
    "SIM_ACCESS_TOKEN",
    "SIM_API_TOKEN",
    "SIM_CLIENT_ID",
    "SIM_CLIENT_SECRET",
    "SIM_REFRESH_TOKEN",
    "Grant",
    "OAuth",
]

SIM_CLIENT_ID: Final = "hitl_simulated"
SIM_CLIENT_SECRET: Final = "client-secret-of-the-simulated-zendesk"  # noqa: S105  known to everybody
SIM_REFRESH_TOKEN: Final = "refresh-token-of-the-simulated-zendesk"  # noqa: S105  known to everybody
SIM_ACCESS_TOKEN: Final = "access-token-of-the-simulated-zendesk"  # noqa: S105  known to everybody
"""One from before tokens ended: it has neither an end nor a refresh token."""
SIM_API_TOKEN: Final = "api-token-of-the-simulated-zendesk"  # noqa: S105  known to everybody

_ACCESS_SECONDS: Final = 1800
_SHORTEST, _LONGEST = 300, 172_800
_REFRESH_SECONDS: Final = 2_592_000
_ALL: Final = "read write"
_RESOURCES: Final = frozenset({"tickets", "users", "webhooks", "triggers", "organizations"})


@dataclass(frozen=True, slots=True)
class Grant:
    """An access token's worth.

    :param ends_at: ``None`` for never.
    :param refresh: the refresh token it came with.
    """

    user: User
    scope: str
    ends_at: datetime | None
    refresh: str | None = None

    def allows(self, method: str, path: str) -> bool:
        """Whether its scope is wide enough for a request."""
        kind = "read" if method in {"GET", "HEAD"} else "write"
        resource = path.removeprefix("/api/v2/").partition("/")[0]
        scopes = self.scope.split()
        if kind in scopes or (kind == "read" and "write" in scopes and "read" in scopes):
            return True
        resource = {"uploads": "tickets", "attachments": "tickets", "search": "tickets"}.get(resource, resource)
        if path.endswith("/audits"):
            return False  # these need the scope for everything
        return resource in _RESOURCES and f"{resource}:{kind}" in scopes


class OAuth:
    """Gives tokens, and knows whose they are."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._grants: dict[str, Grant] = {SIM_ACCESS_TOKEN: Grant(account.bot, _ALL, None)}
        self._refreshes: dict[str, datetime | None] = {SIM_REFRESH_TOKEN: None}
        self.scope = _ALL
        """What a token gets that asks for nothing."""
        self.access_seconds = _ACCESS_SECONDS

    def expire(self) -> None:
        """Let every access token that was given out end at once."""
        self._grants = {SIM_ACCESS_TOKEN: self._grants[SIM_ACCESS_TOKEN]}

    def token(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a request for a token.

        :raises RefusedError: client or refresh token are not known, or the time asked for is out of bounds.
        """
        if (given.get("client_id"), given.get("client_secret")) != (SIM_CLIENT_ID, SIM_CLIENT_SECRET):
            raise _refused(401, "invalid_client", "Client authentication failed.")
        seconds = given.get("expires_in", self.access_seconds)
        if not isinstance(seconds, int) or not _SHORTEST <= seconds <= _LONGEST:
            raise _refused(400, "invalid_request", f"expires_in must be from {_SHORTEST} to {_LONGEST}")
        match given.get("grant_type"):
            case "client_credentials":
                return self._given(given.get("scope") or self.scope, seconds)
            case "refresh_token":
                old = given.get("refresh_token")
                if old not in self._refreshes or not self._is_alive(self._refreshes[old]):
                    raise _refused(400, "invalid_grant", "The refresh token is invalid, expired or revoked.")
                del self._refreshes[old]
                self._grants = {token: grant for token, grant in self._grants.items() if grant.refresh != old}
                return self._given(given.get("scope") or self.scope, seconds, refreshable=True)
        raise _refused(400, "unsupported_grant_type", "The grant type is not supported.")

    def _given(self, scope: str, seconds: int, *, refreshable: bool = False) -> dict[str, Any]:
        account = self._account
        ends_at = account.now() + timedelta(seconds=seconds)
        access = account.ids.credential("access token")
        answer: dict[str, Any] = {"access_token": access, "token_type": "bearer", "scope": scope, "expires_in": seconds}
        refresh = None
        if refreshable:
            refresh = account.ids.credential("refresh token")
            self._refreshes[refresh] = account.now() + timedelta(seconds=_REFRESH_SECONDS)
            answer |= {"refresh_token": refresh, "refresh_token_expires_in": _REFRESH_SECONDS}
        self._grants[access] = Grant(account.bot, scope, ends_at, refresh)
        return answer

    def who(self, authorization: str) -> Grant:
        """Return whose credentials a request carries.

        :raises RefusedError: there are none, or they are nobody's.
        """
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "bearer":
            grant = self._grants.get(value)
            if grant is None or not self._is_alive(grant.ends_at):
                raise RefusedError(401, INVALID_TOKEN)
            return grant
        if scheme.lower() == "basic":
            return self._by_api_token(value)
        raise RefusedError(401, BAD_CREDENTIALS)

    def _by_api_token(self, value: str) -> Grant:
        try:
            name, _, token = b64decode(value, validate=True).decode().rpartition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise RefusedError(401, BAD_CREDENTIALS) from None
        user = self._account.by_email(name.removesuffix("/token"))
        if user is None or not user.is_staff or not name.endswith("/token") or token != SIM_API_TOKEN:
            raise RefusedError(401, BAD_CREDENTIALS)
        return Grant(user, _ALL, None)

    def _is_alive(self, ends_at: datetime | None) -> bool:
        return ends_at is None or self._account.clock.now() < ends_at


def _refused(status: int, error: str, description: str) -> RefusedError:
    return RefusedError(status, {"error": error, "error_description": description})
