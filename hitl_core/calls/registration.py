"""Webhooks being set up and removed."""

from __future__ import annotations

from pydantic import Field, SecretStr, SerializationInfo, field_serializer

from hitl_core._model import Model

__all__ = [
    "RegisterWebhook",
    "UnregisterWebhook",
    "WebhookRegistration",
]


class RegisterWebhook(Model):
    """Make the vendor call ``url``; mend what drifted since ``previous``.

    :param url: where deliveries are to go.
    :param previous: what an earlier call made, if there was one.
    """

    url: str
    previous: WebhookRegistration | None = None


class UnregisterWebhook(Model):
    """Remove everything ``previous`` made.

    :param previous: what registering made.
    """

    previous: WebhookRegistration


class WebhookRegistration(Model):
    """What registering made.

    :param url: where deliveries go now.
    :param ids: the vendor's ids of the objects, by role.
    :param secrets: secrets the vendor issued, newest first; stored by the connection.
    :param manual_steps: what a person has still to do, in order.
    """

    url: str
    ids: dict[str, str] = Field(default_factory=dict)
    secrets: tuple[SecretStr, ...] = ()
    manual_steps: tuple[str, ...] = ()

    @field_serializer("secrets")
    def _secrets(self, value: tuple[SecretStr, ...], info: SerializationInfo) -> list[str]:
        """Reveal secrets only to the state store, which asks for them."""
        reveal = isinstance(info.context, dict) and info.context.get("reveal_secrets") is True
        return [secret.get_secret_value() if reveal else str(secret) for secret in value]
