"""Settings of an app of Sunshine Conversations, and what a start may add to the agents' ticket."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

import hitl_core as hitl
from hitl_zendesk.subdomains import subdomain

__all__ = ["CustomField", "Plain", "ZendeskMessagingOptions", "ZendeskMessagingSettings"]

Plain: TypeAlias = str | int | float | bool
"""What metadata may hold: it is flat."""

_NAME: Final = r"^[A-Za-z0-9_-]{1,128}$"


class ZendeskMessagingSettings(hitl.ProviderSettings):
    """An app of Sunshine Conversations, its key, and our place in its switchboard."""

    subdomain: str | None = Field(
        default=None, description="Account, such as acme or https://acme.zendesk.com; not needed with base_url."
    )
    app_id: str = Field(pattern=_NAME, description="Id of the app, from Admin Center, Conversations API.")
    key_id: str = Field(
        pattern=r"^[!-9;-~]+$", description="Id of an API key of the app (app_…) or integration (int_…)."
    )
    key_secret: SecretStr = Field(description="Secret of that key; shown once, when it is made.")
    integration: str = Field(pattern=_NAME, description="Name or id of our switchboard integration.")
    agent_workspace: str = Field(
        default="zd-agentWorkspace",
        pattern=_NAME,
        description="Name or id of the agent workspace's switchboard integration.",
    )

    @field_validator("subdomain")
    @classmethod
    def _is_one(cls, value: str | None) -> str | None:
        if value is None or not value.strip():
            return None
        return subdomain(value)

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.subdomain is None and self.base_url is None:
            msg = "give subdomain, such as acme of acme.zendesk.com, or base_url for an account elsewhere"
            raise ValueError(msg)
        return self

    @property
    def root(self) -> str:
        """Address of the API, up to ``/v2``; accounts that are older than Zendesk's own live on api.smooch.io."""
        return (self.base_url or f"https://{self.subdomain}.zendesk.com/sc").rstrip("/")


class CustomField(BaseModel):
    """A custom field of the ticket.

    :param id: number of the field, from Admin Center, Objects and rules, Fields.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: int = Field(gt=0)
    value: Plain = Field(repr=False)


_Tag: TypeAlias = Annotated[str, Field(pattern=r"^[^\s,]+$", max_length=255)]
_Id: TypeAlias = Annotated[int, Field(gt=0)]


class ZendeskMessagingOptions(hitl.StartOptions):
    """What the ticket may carry that agents get with the conversation (behaviour S252)."""

    priority: Literal["low", "medium", "normal", "high", "urgent"] | None = Field(  # type: ignore[assignment]
        default=None, description="How urgent it is; Zendesk's own normal is the common scale's medium."
    )
    tags: tuple[_Tag, ...] = Field(default=(), description="Tags of the ticket, without blanks and commas.")
    group_id: _Id | None = Field(default=None, description="Group that gets the ticket.")
    assignee_id: _Id | None = Field(default=None, description="Agent who gets the ticket.")
    brand_id: _Id | None = Field(default=None, description="Brand.")
    organization_id: _Id | None = Field(default=None, description="Organisation of the requester.")
    custom_fields: tuple[CustomField, ...] = Field(default=(), description="Values of custom ticket fields.")
    origin_source_type: str | None = Field(
        default=None, min_length=1, max_length=128, description="Channel the conversation came from, such as whatsapp."
    )
    metadata: dict[str, Plain] = Field(
        default_factory=dict, description="Anything else to hand to the agent workspace, flat."
    )
