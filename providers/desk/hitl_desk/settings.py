"""Settings of a desk account, and what a start may add."""

from __future__ import annotations

from pydantic import Field, JsonValue, SecretStr

from hitl_core import ProviderSettings, StartOptions

__all__ = ["DeskOptions", "DeskSettings"]


class DeskSettings(ProviderSettings):
    """Where the desk is, and the bot's token."""

    base_url: str = Field(description="Address of the desk, such as https://desk.example.com.")
    token: SecretStr = Field(description="The bot's token (dbk_...), from `hitl desk create-bot`.")


class DeskOptions(StartOptions):
    """What a ticket may carry beyond the common words."""

    tags: tuple[str, ...] = Field(default=(), max_length=50, description="Labels agents can filter by.")
    metadata: dict[str, JsonValue] = Field(default_factory=dict, description="Anything to keep with the ticket.")
    reason: str | None = Field(default=None, max_length=500, description="Why the bot hands over, shown to agents.")
