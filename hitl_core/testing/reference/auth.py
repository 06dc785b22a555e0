"""OAuth as the made-up helpdesk wants it: refresh tokens that work once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hitl_core.http import HttpClient, OAuthTokens

if TYPE_CHECKING:
    from hitl_core.context import ProviderContext
    from hitl_core.testing.reference.settings import ReferenceSettings

__all__ = ["RotatingToken"]


class RotatingToken(OAuthTokens):
    """The account's tokens."""

    def __init__(self, ctx: ProviderContext[ReferenceSettings], http: HttpClient) -> None:
        settings = ctx.settings
        super().__init__(
            http,
            ctx.state,
            ctx.clock,
            path="oauth/token",
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            refresh_token=settings.refresh_token,
        )
