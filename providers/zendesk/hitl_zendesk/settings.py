"""Settings of a Zendesk account, and what a start may add to its ticket."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr, field_validator, model_validator

import hitl_core as hitl
from hitl_zendesk.subdomains import subdomain

__all__ = ["CustomField", "ZendeskOptions", "ZendeskSettings"]


class ZendeskSettings(hitl.ProviderSettings):
    """An account of Zendesk Support, and the app that acts in it."""

    subdomain: str = Field(description="Account: acme, acme.zendesk.com or https://acme.zendesk.com.")
    client_id: str | None = Field(
        default=None,
        description="Unique identifier of the OAuth client, from Admin Center, Apps and integrations, OAuth clients.",
    )
    client_secret: SecretStr | None = Field(default=None, description="Secret of the OAuth client.")
    refresh_token: SecretStr | None = Field(
        default=None,
        description="First refresh token of the authorisation flow; without one the client acts as its owner.",
    )
    access_token: SecretStr | None = Field(
        default=None, description="Access token that does not run out, instead of an OAuth client."
    )
    email: str | None = Field(default=None, description="Agent's address, for an API token. Deprecated by Zendesk.")
    api_token: SecretStr | None = Field(
        default=None, description="API token, which Zendesk switches off on 2027-04-30. Use an OAuth client."
    )
    scope: str = Field(default="read write", description="OAuth scopes asked for, separated by blanks.")
    webhook_mode: Literal["events", "triggers"] = Field(
        default="events", description="How Zendesk tells of answers: by its own events, or by triggers we create."
    )
    stop_status: Literal["solved", "closed"] = Field(
        default="solved", description="Status a ticket gets when the hand-off ends; closed is for good."
    )
    tag: str = Field(
        default="hitl",
        pattern=r"^[a-z0-9_/-]{1,64}$",
        description="Tag on every ticket of ours, which triggers and views go by.",
    )
    share_email: bool = Field(
        default=False,
        description="Write customers' e-mail addresses to Zendesk also where they have an id of ours. Zendesk's own"
        " triggers then mail them each public answer as well.",
    )

    @field_validator("subdomain")
    @classmethod
    def _bare(cls, value: str) -> str:
        return subdomain(value)

    @field_validator("client_id", "client_secret", "refresh_token", "access_token", "email", "api_token", mode="before")
    @classmethod
    def _blank_is_none(cls, value: object) -> object:
        return value or None  # as a variable of the environment that is there and empty

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if bool(self.client_id) != bool(self.client_secret):
            msg = "client_id and client_secret go together"
            raise ValueError(msg)
        if bool(self.email) != bool(self.api_token):
            msg = "email and api_token go together"
            raise ValueError(msg)
        if self.refresh_token and not self.client_id:
            msg = "a refresh_token needs the client_id and client_secret it was issued to"
            raise ValueError(msg)
        ways = [bool(self.client_id), bool(self.access_token), bool(self.email)]
        if sum(ways) != 1:
            msg = "give client_id and client_secret of an OAuth client, or access_token, or email and api_token" + (
                "" if not any(ways) else ": one of them, not several"
            )
            raise ValueError(msg)
        return self

    @property
    def root(self) -> str:
        """Address of the account."""
        return (self.base_url or f"https://{self.subdomain}.zendesk.com").rstrip("/")


class CustomField(BaseModel):
    """Value of one of the account's own ticket fields.

    :param id: number of the field, from Admin Center, Objects and rules, Fields.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: int = Field(gt=0)
    value: JsonValue = Field(repr=False)


class ZendeskOptions(hitl.StartOptions):
    """What a ticket may carry (behaviour S228)."""

    priority: Literal["low", "medium", "normal", "high", "urgent"] | None = Field(  # type: ignore[assignment]
        default=None, description="How urgent it is; Zendesk's own normal is the common scale's medium."
    )
    tags: tuple[str, ...] = Field(default=(), description="Tags, beside the one of the settings.")
    type: Literal["problem", "incident", "question", "task"] | None = Field(default=None, description="Ticket type.")
    status: Literal["new", "open", "pending", "hold"] | None = Field(
        default=None, description="Status to begin with; Zendesk's default is new."
    )
    group_id: int | None = Field(default=None, gt=0, description="Group that gets the ticket.")
    assignee_id: int | None = Field(default=None, gt=0, description="Agent who gets the ticket.")
    ticket_form_id: int | None = Field(default=None, gt=0, description="Ticket form.")
    brand_id: int | None = Field(default=None, gt=0, description="Brand.")
    organization_id: int | None = Field(default=None, gt=0, description="Organisation of the requester.")
    custom_fields: tuple[CustomField, ...] = Field(default=(), description="Values of custom ticket fields.")
    bot_name: str | None = Field(
        default=None, min_length=1, max_length=255, description="Name agents see for the bot; of the account otherwise."
    )
    bot_photo_url: str | None = Field(default=None, description="Picture agents see for the bot; with bot_name.")
    requester_name: str | None = Field(
        default=None, min_length=1, max_length=255, description="Requester by name, instead of the linked customer."
    )
    requester_email: str | None = Field(
        default=None, description="Address of that requester, whom Zendesk then mails; needs requester_name."
    )

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.requester_email and not self.requester_name:
            msg = "requester_email needs requester_name"
            raise ValueError(msg)
        if self.bot_photo_url and not self.bot_name:
            msg = "bot_photo_url needs bot_name"
            raise ValueError(msg)
        return self
