"""OAuth with refresh tokens that work once: kept in the connection's state, renewed by one instance at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import SecretStr

from hitl_core.errors import AuthenticationError
from hitl_core.http import HttpClient
from hitl_core.logs import register_secret

if TYPE_CHECKING:
    from hitl_core.context import ProviderContext
    from hitl_core.testing.reference.settings import ReferenceSettings

__all__ = ["RotatingToken"]

_KEY = "oauth"


class RotatingToken:
    """Bearer tokens that are renewed when the helpdesk refuses one.

    Two instances of one account share its state: the lock lets one of them renew, and the other takes what it finds.
    """

    def __init__(self, ctx: ProviderContext[ReferenceSettings], http: HttpClient) -> None:
        self._ctx = ctx
        self._http = http
        self._access: SecretStr | None = None

    async def headers(self) -> Mapping[str, str]:
        """Return the header with the token last known; none yet, and the first answer is a 401."""
        if self._access is None:
            await self._take()
        return {} if self._access is None else {"authorization": f"Bearer {self._access.get_secret_value()}"}

    async def refresh(self) -> bool:
        """Renew, unless somebody else has done so since."""
        used = self._access
        async with self._ctx.state.lock(_KEY):
            await self._take()
            if self._access is not None and self._access != used:
                return True
            return await self._renew()

    async def _take(self) -> None:
        stored = await self._ctx.state.get(_KEY)
        if stored is not None and isinstance(stored.value, dict):
            self._access = register_secret(SecretStr(str(stored.value["access_token"])))

    async def _renew(self) -> bool:
        """Take a new pair of tokens.

        :raises AuthenticationError: the helpdesk wants none of ours; says which setting to mend.
        """
        settings = self._ctx.settings
        stored = await self._ctx.state.get(_KEY)
        value = stored.value if stored else None
        refresh = value["refresh_token"] if isinstance(value, dict) else settings.refresh_token.get_secret_value()
        body = {
            "client_id": settings.client_id,
            "client_secret": settings.client_secret.get_secret_value(),
            "refresh_token": refresh,
        }
        try:
            answer = await self._http.post("oauth/token", operation="refresh_token", json=body)
        except AuthenticationError as refused:
            msg = (
                "the refresh token is used up or revoked; make a new one for this app and set refresh_token, or check "
                "client_id and client_secret"
            )
            raise AuthenticationError(
                msg,
                provider=self._ctx.provider,
                connection=self._ctx.key,
                operation=refused.operation,
                status=refused.status,
            ) from None
        tokens = answer.json()
        kept = {"access_token": tokens["access_token"], "refresh_token": tokens["refresh_token"]}
        await self._ctx.state.put(_KEY, kept, stored.version if stored else None)
        self._access = register_secret(SecretStr(tokens["access_token"]))
        return True
