"""What a provider says of itself: capabilities, limits, words, and how to install it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from hitl_core._model import Model
from hitl_core.messages import MESSAGE_TYPES

__all__ = [
    "Capabilities",
    "Intake",
    "Limits",
    "ProviderInfo",
    "ProviderSettings",
    "RateLimit",
    "StartOptions",
    "Terminology",
    "TextLimit",
    "secrets_of",
]


class Capabilities(Model):
    """What an account can do; a flag that is ``False`` is never called (behaviour F40).

    The first group stands for hooks: declaring one without implementing its hook, or the reverse, fails at load
    (the table is :data:`hitl_core.spec.CAPABILITY_HOOKS`). The second group states facts.

    :param webhook_registration: set up and removed by API; otherwise the provider lists manual steps.
    :param find_session: tells whether an ambiguous start took effect.
    :param find_message: tells whether an ambiguous send took effect.
    :param pull: one session's events and state can be read.
    :param changes: "what moved in this account" can be read.
    :param open_attachment: files held by the helpdesk can be opened.
    :param typing: can show agents that the customer is typing.
    :param availability: knows whether somebody is there.
    :param transfer: can move a session to another team or agent.
    :param message_types: kinds shown as they are; the others are lowered to text or links by the core.
    :param attachments: media are uploaded, so that agents see files rather than links (behaviour F17).
    :param internal_notes: can write what only agents see.
    :param structured_history: takes history entry by entry rather than as one text.
    :param reopen: whether a message opens an ended session again: never, when asked to, or whether we like it or not.
    :param stop_message: ending a session can carry a last text; otherwise the connection sends it just before.
    :param bot_author: the bot's messages are shown as the bot's (behaviour F18).
    :param idempotent: hooks whose key the vendor honours, so that a repeat is harmless.
    :param placeholders: openers of the vendor's template syntax, made harmless in relayed text.
    :param unresolved: what to do with a send that stayed ambiguous: repeat it, or hold it for a person.
    """

    webhook_registration: bool = False
    find_session: bool = False
    find_message: bool = False
    pull: bool = False
    changes: bool = False
    open_attachment: bool = False
    typing: bool = False
    availability: bool = False
    transfer: bool = False

    message_types: frozenset[str] = frozenset({"text"})
    attachments: bool = False
    internal_notes: bool = False
    structured_history: bool = False
    reopen: Literal["never", "asked", "always"] = "never"
    stop_message: bool = False
    bot_author: bool = False
    read_receipts: bool = False
    queue_position: bool = False
    survey: bool = False
    idempotent: frozenset[Literal["create_user", "start_hitl", "send_message", "stop_hitl"]] = frozenset()
    placeholders: tuple[str, ...] = ("{{", "{%")
    unresolved: Literal["resend", "hold"] = "hold"

    @field_validator("message_types")
    @classmethod
    def _known_types(cls, value: frozenset[str]) -> frozenset[str]:
        if unknown := sorted(value - set(MESSAGE_TYPES)):
            msg = f"unknown message types: {', '.join(unknown)}"
            raise ValueError(msg)
        return value | {"text"}


class TextLimit(Model):
    """The longest text the vendor takes, in the unit the vendor counts.

    :param unit: ``characters`` are Unicode code points, ``utf16`` UTF-16 code units, ``bytes`` UTF-8 bytes.
    """

    max: int = Field(gt=0)
    unit: Literal["characters", "utf16", "bytes"] = "characters"

    def measure(self, text: str) -> int:
        """Length of ``text`` in this limit's unit."""
        match self.unit:
            case "characters":
                return len(text)
            case "utf16":
                return len(text) + sum(char > "\uffff" for char in text)
            case "bytes":
                return len(text.encode("utf-8", "surrogatepass"))

    def allows(self, text: str) -> bool:
        """Whether ``text`` is short enough."""
        return self.measure(text) <= self.max


class RateLimit(Model):
    """At most ``count`` calls in ``seconds``."""

    count: int = Field(gt=0)
    seconds: float = Field(gt=0)


class Limits(Model):
    """Sizes and rates the connection keeps to, so that nothing is cut or refused.

    :param title: longest title; longer ones are cut with an ellipsis.
    :param opening: longest first text of a session, description and history together; ``text`` when ``None``.
    :param text: longest message; longer ones are split on word borders.
    :param attachment_bytes: largest file.
    :param attachments_per_message: most files on one message.
    :param updates: updates of one session in a window; quick messages are merged to stay below.
    :param key_seconds: how long the vendor remembers an idempotency key; for ever when ``None``.
    :param settle_seconds: how long after a write a read may still miss it; "absent" means nothing earlier.
    """

    title: TextLimit | None = None
    opening: TextLimit | None = None
    text: TextLimit | None = None
    attachment_bytes: int | None = Field(default=None, gt=0)
    attachments_per_message: int | None = Field(default=None, gt=0)
    updates: RateLimit | None = None
    key_seconds: float | None = Field(default=None, gt=0)
    settle_seconds: float = Field(default=0, ge=0)


class Terminology(Model):
    """The vendor's words, in lower case, for texts people read (behaviour S016)."""

    session: str = "session"
    user: str = "user"
    agent: str = "agent"
    start: str = "start"
    stop: str = "stop"


class Intake(Model):
    """How the vendor wants its webhooks answered.

    :param within_seconds: answer sooner than this.
    :param busy_status: what to answer when a delivery cannot be stored now, so that the vendor tries again.
    :param busy_retry_after: ``Retry-After`` to add to it, in seconds.
    :param retries: whether the vendor repeats a failed delivery at all.
    :param probe_methods: methods the vendor tries the URL with, unsigned; answered 200 without asking the provider.
    :param never: statuses that would switch the webhook off.
    """

    within_seconds: float = Field(default=5, gt=0)
    busy_status: int = 503
    busy_retry_after: int | None = Field(default=10, ge=0)
    retries: bool = True
    probe_methods: frozenset[str] = frozenset()
    never: frozenset[int] = frozenset({410})


class ProviderSettings(BaseModel):
    """Settings every provider has; a provider's own settings are a subclass.

    Unknown names are refused, so that a misspelling cannot pass for a default. Declare secrets as ``SecretStr``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    base_url: str | None = Field(default=None, description="Address of the API, when not the vendor's usual one.")
    webhook_secret: tuple[SecretStr, ...] = Field(
        default=(), description="Secret, or list of secrets while rotating, that webhooks are signed with."
    )
    allow_unsigned_webhooks: bool = Field(
        default=False, description="Accept webhooks without any secret. Anybody who finds the URL can then forge them."
    )
    timeout: float = Field(default=30.0, gt=0, le=600, description="Seconds one request may take.")

    @field_validator("webhook_secret", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        if value is None or value == "":
            return ()
        return (value,) if isinstance(value, str | SecretStr) else value

    @field_validator("webhook_secret")
    @classmethod
    def _not_blank(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(not secret.get_secret_value().strip() for secret in value):
            msg = "an empty secret would let anybody sign"
            raise ValueError(msg)
        return value


def secrets_of(settings: ProviderSettings) -> Iterator[tuple[str, SecretStr]]:
    """Give the name and the value of each secret of an account; a list of secrets gives one after the other."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        for item in value if isinstance(value, tuple | list) else (value,):
            if isinstance(item, SecretStr):
                yield name, item


class StartOptions(BaseModel):
    """What one start may add beyond the common words; a provider's own options are a subclass (behaviour S015)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    priority: Literal["low", "medium", "high", "urgent"] | None = Field(
        default=None, description="How urgent it is, on the scale common to all providers."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderInfo:
    """A provider's own description.

    :param name: the name integrators select it by; equal to the entry point's.
    :param title: the vendor's product name.
    :param settings: model of the account's settings.
    :param options: model of what one start may add.
    :param verified: what the provider was last proven against: a live account, our simulator, or documents only.
    :param api_version: version of the vendor's API it speaks, in the vendor's own spelling.
    :param docs: page with set-up steps.
    """

    name: str
    title: str
    settings: type[ProviderSettings] = ProviderSettings
    options: type[StartOptions] = StartOptions
    capabilities: Capabilities = field(default_factory=Capabilities)
    limits: Limits = field(default_factory=Limits)
    terminology: Terminology = field(default_factory=Terminology)
    intake: Intake = field(default_factory=Intake)
    verified: Literal["live", "simulator", "documented"] = "documented"
    api_version: str | None = None
    docs: str | None = None
