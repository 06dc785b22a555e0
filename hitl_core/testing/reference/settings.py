"""Settings of an account of the made-up helpdesk, and what a start may add."""

from __future__ import annotations

from pydantic import Field, SecretStr

import hitl_core as hitl

__all__ = ["ReferenceOptions", "ReferenceSettings"]


class ReferenceSettings(hitl.ProviderSettings):
    """An account."""

    base_url: str = Field(description="Address of the API.")
    client_id: str = Field(description="Id of the app.")
    client_secret: SecretStr = Field(description="Secret of the app.")
    refresh_token: SecretStr = Field(description="First refresh token; each can be used once.")


class ReferenceOptions(hitl.StartOptions):
    """What a ticket may carry."""

    tags: tuple[str, ...] = Field(default=(), description="Labels agents filter by.")
