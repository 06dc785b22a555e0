"""OAuth 2 for providers (RFC 6749): access tokens that run out, and refresh tokens that work once."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import JsonValue, SecretStr

from hitl_core.errors import (
    AmbiguousOutcomeError,
    AuthenticationError,
    InvalidRequestError,
    ProviderError,
    ProviderUnavailableError,
)
from hitl_core.logs import register_secret

if TYPE_CHECKING:
    from hitl_core._http.client import HttpClient
    from hitl_core.clock import Clock
    from hitl_core.state import ConnectionState

__all__ = ["OAuthTokens"]

ErrorT = TypeVar("ErrorT", bound=ProviderError)

_KEY: Final = "oauth"
_LONGEST_LIFE: Final = 10 * 365 * 24 * 3600

# The token each task was given last: a refusal may come when another task has a newer one already, which still works.
_given: ContextVar[tuple[OAuthTokens, SecretStr] | None] = ContextVar("hitl_oauth_given", default=None)


class OAuthTokens:
    """Bearer tokens from a vendor's token endpoint, kept in the connection's state.

    Several instances may share one account: the state's lock lets one of them renew, and the others take what they
    find. Tokens are renewed a little before they run out, and when the vendor refuses one; those that neither run out
    nor can be refreshed are left alone (behaviour S222, R15).

    :param http: client of the host that issues tokens.
    :param path: of the token endpoint.
    :param client_id: of the app; ``client_secret`` likewise.
    :param refresh_token: the first one; without it tokens are asked for as the app itself (client credentials).
    :param extra: further fields of each request, such as ``scope``.
    :param early: seconds before the end of its life at which a token is renewed.
    """

    def __init__(
        self,
        http: HttpClient,
        state: ConnectionState,
        clock: Clock,
        *,
        path: str,
        client_id: str,
        client_secret: SecretStr,
        refresh_token: SecretStr | None = None,
        extra: Mapping[str, JsonValue] | None = None,
        early: float = 60.0,
    ) -> None:
        self._http = http
        self._state = state
        self._clock = clock
        self._path = path
        self._client = {"client_id": client_id, "client_secret": client_secret.get_secret_value()}
        self._first = refresh_token.get_secret_value() if refresh_token else None
        self._extra = dict(extra or {})
        self._early = timedelta(seconds=early)
        self._access: SecretStr | None = None
        self._refresh: SecretStr | None = None
        self._ends: datetime | None = None
        # What is stored belongs to the settings it came from: new ones, such as after a reconnection, begin anew.
        # A chain of refresh tokens outlives a change of the secret; what the app got by itself does not.
        root = self._first or client_secret.get_secret_value()
        self._origin = sha256(f"{client_id}\0{root}".encode()).hexdigest()[:16]

    async def headers(self) -> Mapping[str, str]:
        """Return the header with a token that is good for a while.

        :raises AuthenticationError: there is none to be had.
        """
        if self._access is None:
            self._take(await self._stored())
        if self._access is None or self._runs_out():
            await self._renew()
        if self._access is None:
            return {}
        _given.set((self, self._access))
        return {"authorization": f"Bearer {self._access.get_secret_value()}"}

    async def refresh(self) -> bool:
        """Get another token after one was refused, unless another instance has done so since."""
        given = _given.get()
        return await self._renew(refused=given[1] if given is not None and given[0] is self else self._access)

    def _serves(self, refused: SecretStr | None) -> bool:
        """Whether what is stored by now will do."""
        return self._access is not None and self._access != refused and not self._runs_out()

    def _runs_out(self) -> bool:
        return self._ends is not None and self._clock.now() >= self._ends - self._early

    async def _renew(self, *, refused: SecretStr | None = None) -> bool:
        async with self._state.lock(_KEY):
            version, stored = await self._read()
            self._take(stored)
            if self._serves(refused):
                return True
            refresh = stored.get("refresh_token", self._first) if stored else self._first
            try:
                tokens = await self._ask(refresh)
            except (AuthenticationError, InvalidRequestError) as error:
                used, (_, found) = self._access, await self._read()
                self._take(found)  # by an instance that does not share the lock
                if self._access is not None and self._access not in {used, refused}:
                    return True
                raise self._reconnect(error) from None
            value = self._value(tokens, refresh)
            if await self._state.put(_KEY, value, version) is None:
                version, _ = await self._read()
                await self._state.put(_KEY, value, version)  # the old refresh token is dead: ours is the one that works
            self._take(value)
            return True

    async def _ask(self, refresh: str | None) -> dict[str, Any]:
        grant = {"grant_type": "refresh_token", "refresh_token": refresh}
        if refresh is None:
            grant = {"grant_type": "client_credentials"}
        try:
            answer = await self._http.post(
                self._path,
                operation="refresh_token",
                json={**self._client, **grant, **self._extra},
                repeatable=refresh is None,
            )
        except AmbiguousOutcomeError as error:
            # Whether the refresh token is used up is open, but of the call that needs a token nothing was sent.
            msg = "the request for an access token was not answered, so the call itself was not sent; try again later"
            raise self._as(ProviderUnavailableError, error, msg) from None
        try:
            tokens = answer.json()
        except ProviderError as error:
            msg = "the request for an access token was not answered in JSON; check base_url"
            raise self._as(ProviderError, error, msg) from None
        if not isinstance(tokens, dict) or not isinstance(tokens.get("access_token"), str):
            msg = "the helpdesk answered the request for an access token without one"
            raise AuthenticationError(msg, operation="refresh_token", status=answer.status)
        return tokens

    def _value(self, tokens: Mapping[str, Any], refresh: str | None) -> dict[str, JsonValue]:
        value: dict[str, JsonValue] = {"access_token": tokens["access_token"], "of": self._origin}
        if again := tokens.get("refresh_token") or refresh:
            value["refresh_token"] = again
        seconds = tokens.get("expires_in")
        if isinstance(seconds, int | float) and seconds is not True and 0 < seconds < _LONGEST_LIFE:
            value["ends"] = (self._clock.now() + timedelta(seconds=seconds)).astimezone(UTC).isoformat()
        return value

    async def _stored(self) -> dict[str, Any] | None:
        return (await self._read())[1]

    async def _read(self) -> tuple[int | None, dict[str, Any] | None]:
        stored = await self._state.get(_KEY)
        if stored is None:
            return None, None
        value = stored.value if isinstance(stored.value, dict) else {}
        return stored.version, value if value.get("of") == self._origin else None

    def _take(self, value: Mapping[str, Any] | None) -> None:
        if value is None:
            return
        self._access = register_secret(SecretStr(str(value["access_token"])))
        self._refresh = register_secret(SecretStr(str(value.get("refresh_token", ""))))  # kept, and so masked in logs
        ends = value.get("ends")
        self._ends = datetime.fromisoformat(ends) if isinstance(ends, str) else None

    def _reconnect(self, error: AuthenticationError | InvalidRequestError) -> AuthenticationError:
        msg = "the app is refused; check client_id and client_secret, and whether the app may ask for tokens by itself"
        if self._first is not None:
            msg = (
                "the refresh token is used up or revoked; make a new one for this app and set refresh_token, or check "
                "client_id and client_secret"
            )
        return self._as(AuthenticationError, error, msg)

    def _as(self, kind: type[ErrorT], error: ProviderError, msg: str) -> ErrorT:
        return kind(
            msg,
            provider=error.provider,
            connection=error.connection,
            operation=error.operation,
            status=error.status,
            code=error.code,
        )
