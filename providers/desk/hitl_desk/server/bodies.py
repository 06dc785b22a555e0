"""What bots send: the request bodies of the Desk Protocol, with their bounds."""

from __future__ import annotations

import json
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

from hitl_core.people import Author
from hitl_desk.server.content import MAX_TEXT, HistoryMessage, Message

__all__ = [
    "MAX_ATTACHMENTS",
    "MAX_TITLE",
    "MAX_TRANSCRIPT",
    "CloseTicket",
    "CreateTicket",
    "CustomerFields",
    "EventType",
    "PostMessage",
    "PostedBy",
    "Priority",
    "PutEndpoint",
    "Typing",
]

MAX_TITLE: Final = 255
MAX_TRANSCRIPT: Final = 2_000
MAX_ATTACHMENTS: Final = 20
_MAX_OBJECT: Final = 65_536

Priority: TypeAlias = Literal["low", "medium", "high", "urgent"]
EventType: TypeAlias = Literal[
    "message.created",
    "message.updated",
    "message.deleted",
    "ticket.assigned",
    "ticket.unassigned",
    "ticket.status_changed",
    "ticket.closed",
    "ticket.reopened",
    "webhook.test",
]


def _small(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if len(json.dumps(value)) > _MAX_OBJECT:
        msg = f"is larger than {_MAX_OBJECT:,} characters as JSON"
        raise ValueError(msg)
    return value


_Object: TypeAlias = Annotated[dict[str, JsonValue], AfterValidator(_small)]
_Name: TypeAlias = Annotated[str, Field(max_length=255)]
_Url: TypeAlias = Annotated[str, Field(max_length=8_192)]
_Id: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class CustomerFields(_Body):
    """What is known of a customer. A field left out stays as it is; null clears it."""

    name: _Name | None = Field(default=None, repr=False)
    email: Annotated[str, Field(max_length=320)] | None = Field(default=None, repr=False)
    phone: Annotated[str, Field(max_length=64)] | None = Field(default=None, repr=False)
    avatar_url: _Url | None = Field(default=None, repr=False)
    locale: Annotated[str, Field(max_length=35)] | None = Field(default=None, description="BCP 47, such as de-CH.")
    data: _Object | None = Field(default=None, repr=False, description="Anything else agents should see.")


class PostedBy(_Body):
    """In whose name a message is posted."""

    role: Literal["customer", "bot", "system"]
    id: _Name | None = None
    name: _Name | None = Field(default=None, repr=False)
    avatar_url: _Url | None = Field(default=None, repr=False)


class PostMessage(_Body):
    """A message to agents: the customer's, the bot's own, or a line about what happened."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "author": {"role": "customer", "name": "Ada Lovelace"},
                    "message": {"type": "text", "text": "Any news?"},
                    "client_ref": "conv-42:17",
                }
            ]
        }
    )

    author: PostedBy
    message: Message = Field(repr=False, description=f"Of a known type; texts up to {MAX_TEXT:,} characters.")
    attachments: list[_Id] = Field(
        default=[], max_length=MAX_ATTACHMENTS, description="Ids of uploaded files that belong to it."
    )
    client_ref: _Name | None = Field(default=None, description="Your own id of it; messages can be found by it.")
    visibility: Literal["public", "internal"] = Field(
        default="public", description="internal is a note from the bot to agents."
    )
    reopen: bool = Field(default=False, description="Reopen a closed ticket instead of answering 409.")


class TranscriptEntry(_Body):
    """One message of the conversation before the hand-off."""

    author: Author
    message: HistoryMessage = Field(repr=False)
    sent_at: AwareDatetime | None = None


class CreateTicket(_Body):
    """A conversation handed over."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "Refund",
                    "description": "Order 1234 arrived broken.",
                    "reason": "The customer asked for a human.",
                    "customer_id": "cus_0123456789abcdef",
                    "priority": "high",
                    "external_id": "conv-42",
                    "transcript": [
                        {
                            "author": {"role": "user", "name": "Ada Lovelace"},
                            "message": {"type": "text", "text": "I want my money back"},
                            "sent_at": "2026-03-01T12:00:00Z",
                        }
                    ],
                }
            ]
        }
    )

    customer_id: _Id = Field(description="From PUT /v1/customers/{external_id}.")
    title: Annotated[str, Field(max_length=MAX_TITLE)] | None = Field(
        default=None, repr=False, description="Made from the conversation when left out or empty."
    )
    description: str | None = Field(default=None, max_length=MAX_TEXT, repr=False)
    reason: Annotated[str, Field(max_length=1_000)] | None = Field(
        default=None, repr=False, description="Why the bot hands over; agents see it above the conversation."
    )
    priority: Priority = "medium"
    tags: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field(default=[], max_length=50)
    metadata: _Object = Field(default={}, repr=False)
    external_id: _Name | None = Field(default=None, description="Your id of the conversation; need not be unique.")
    transcript: list[TranscriptEntry] = Field(
        default=[], max_length=MAX_TRANSCRIPT, repr=False, description="The conversation so far, oldest first."
    )
    messages: list[PostMessage] = Field(
        default=[], max_length=50, repr=False, description="First messages of the thread, such as a summary as a note."
    )


class CloseTicket(_Body):
    """The end of a hand-off from the bot's side."""

    reason: Literal["customer_left", "bot_resolved", "timeout", "error"] = "bot_resolved"
    text: Annotated[str, Field(max_length=MAX_TEXT)] | None = Field(
        default=None, repr=False, description="A last line agents see in the thread."
    )


class Typing(_Body):
    """Whether the customer is typing."""

    typing: bool = True


class PutEndpoint(_Body):
    """Where events are posted, signed by Standard Webhooks."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"url": "https://bot.example.com/webhooks/desk"}]})

    url: Annotated[str, Field(min_length=1, max_length=2_048)] = Field(repr=False)
    types: list[EventType] | None = Field(
        default=None, max_length=50, description="Event types wanted; null means all."
    )
    description: str = Field(default="", max_length=255)
    rotate: bool = Field(
        default=False,
        description="Make a new secret; the one before signs as well for 24 hours. A new endpoint gets one anyway.",
    )

    @model_validator(mode="after")
    def _https_or_http(self) -> Self:
        if not self.url.lower().startswith(("https://", "http://")):
            msg = "a webhook URL begins with https://"
            raise ValueError(msg)
        return self
