"""Standard Webhooks 1.0: sign what we send, verify what claims to be signed so.

Three headers: ``webhook-id`` (the same across retries: the receiver's key against duplicates),
``webhook-timestamp`` (of the attempt) and ``webhook-signature`` (one signature per secret in force, so that a secret
can be replaced without losing a delivery). Source: the Standard Webhooks specification, version 1.0.0.
"""

from __future__ import annotations

import secrets as randomness
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from hitl_core.errors import ConfigurationError
from hitl_core.signatures import HmacScheme, Verified, decode_secret

__all__ = ["SCHEME", "SECRET_FORM", "generate_secret", "is_secret", "sign", "verify"]

SCHEME: Final = HmacScheme(
    "webhook-signature",
    encoding="base64",
    prefix="v1,",
    template="{id}.{timestamp}.{body}",
    timestamp_header="webhook-timestamp",
    id_header="webhook-id",
    secret_encoding="whsec",  # noqa: S106  the name of an encoding
    multiple=" ",
)
"""The row of Standard Webhooks among the signature schemes."""

SECRET_FORM: Final = "whsec_ followed by 24 to 64 random bytes in base64"  # noqa: S105  the form of one
"""What a secret looks like, in the words of errors."""


def generate_secret() -> str:
    """Return a new secret of 32 random bytes, in the form ``whsec_…``; make one per endpoint."""
    return "whsec_" + b64encode(randomness.token_bytes(32)).decode("ascii")


def is_secret(secret: str) -> bool:
    """Whether a text is a secret receivers take, see :data:`SECRET_FORM`; a shorter key can be guessed."""
    key = decode_secret(secret, "whsec")
    return key is not None and 24 <= len(key) <= 64


def sign(
    secrets: Sequence[str],
    *,
    id: str,
    timestamp: datetime | float,
    body: bytes,
) -> dict[str, str]:
    """Return the three headers of a delivery, signed with every secret given.

    :param secrets: the one in force; during a change the new and the old one.
    :param id: the same for every attempt of one message; 1 to 256 printable ASCII characters.
    :param timestamp: of this attempt, an aware datetime or seconds since 1970.
    :raises ConfigurationError: without a secret, or when one is not 24 to 64 bytes in base64.
    """
    given = [secrets] if isinstance(secrets, str) else list(secrets)
    if not given:
        raise ConfigurationError("Nothing to sign with: give the endpoint a secret made by generate_secret().")
    if not all(is_secret(secret) for secret in given):
        raise ConfigurationError(f"A webhook secret must be {SECRET_FORM}: make one with generate_secret().")
    headers = [SCHEME.sign(secret, body, timestamp=timestamp, id=id) for secret in given]
    return headers[0] | {SCHEME.header: " ".join(each[SCHEME.header] for each in headers)}


def verify(
    secrets: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime | float,
    tolerance: float = 300.0,
) -> Verified:
    """Check a delivery and return its time and id.

    :param body: the raw bytes as received.
    :param tolerance: how many seconds the timestamp may lie in the past or in the future.
    :raises WebhookVerificationError: when the delivery is not provably authentic and fresh; nothing else.
    """
    return SCHEME.verify(secrets, headers, body, now=now, tolerance=tolerance)
