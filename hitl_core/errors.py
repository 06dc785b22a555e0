"""Everything HITL raises, as one tree.

    HitlError
    ├── ConfigurationError            a setting, a name or an installation is wrong
    │   ├── UnknownProviderError      no provider of that name is installed
    │   ├── ProviderLoadError         a distribution is broken or breaks the contract
    │   └── NotConnectedError         the helpdesk does not know this bot yet
    ├── UnsupportedError              the provider cannot do this and says so
    ├── ProviderError                 the helpdesk, or the way to it, failed
    │   ├── AuthenticationError       credentials refused
    │   ├── PermissionDeniedError     credentials fine, right or plan missing
    │   ├── NotFoundError             the object is gone or never was
    │   ├── ConflictError             the object exists already or changed meanwhile
    │   ├── InvalidRequestError       the helpdesk, or our own check, refuses the content
    │   ├── RateLimitedError          too many calls; ``retry_after`` says how long to wait
    │   ├── ProviderUnavailableError  nothing was done and a repeat is safe
    │   ├── SessionClosedError        the hand-off has ended on the helpdesk's side
    │   └── AmbiguousOutcomeError     a write may or may not have happened
    ├── WebhookError
    │   ├── WebhookVerificationError  not provably from the helpdesk: answer 401
    │   └── WebhookParseError         authentic, but not understood
    └── StoreError                    our own database

Messages name the next step. They never contain a secret or a customer's words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from pydantic import JsonValue

    from hitl_core.sessions import HitlSession

__all__ = [
    "AmbiguousOutcomeError",
    "AuthenticationError",
    "ConfigurationError",
    "ConflictError",
    "HitlError",
    "InvalidRequestError",
    "NotConnectedError",
    "NotFoundError",
    "PermissionDeniedError",
    "ProviderError",
    "ProviderLoadError",
    "ProviderUnavailableError",
    "RateLimitedError",
    "SessionClosedError",
    "StoreError",
    "UnknownProviderError",
    "UnsupportedError",
    "WebhookError",
    "WebhookParseError",
    "WebhookVerificationError",
]


class HitlError(Exception):
    """Base of every error HITL raises on purpose."""


class ConfigurationError(HitlError):
    """A setting, a name or an installation is wrong; trying again without a change cannot help."""


class UnknownProviderError(ConfigurationError):
    """No installed distribution offers a provider of that name."""


class ProviderLoadError(ConfigurationError):
    """A provider distribution cannot be imported or breaks the hook spec; names distribution and version."""


class NotConnectedError(ConfigurationError):
    """The helpdesk knows the account but not this bot (behaviour S292)."""


class UnsupportedError(HitlError):
    """The provider does not declare the capability this call needs."""


class ProviderError(HitlError):
    """The helpdesk, or the way to it, failed.

    :param message: what was asked and what to do next, without secrets or customers' words.
    :param provider: provider name, such as ``"zendesk"``; filled in by the connection when left out.
    :param connection: alias of the connection; filled in by the connection when left out.
    :param operation: hook or call that failed, such as ``"send_message"``.
    :param status: HTTP status, when there was an answer.
    :param code: the vendor's own error code, such as ``"RecordInvalid"``.
    :param request_id: the vendor's request id, for their support.
    :param retryable: whether the same call may succeed later; the class decides when left out.
    :param retry_after: seconds to wait before the next call, at least 0, when the vendor named it.
    :param subject: what a missing or conflicting object is: ``"session"``, ``"user"`` or ``"agent"``, when known.
    :param fields: names of the vendor's fields the refusal is about.
    """

    default_retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        connection: str | None = None,
        operation: str | None = None,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
        subject: Literal["session", "user", "agent"] | None = None,
        fields: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.provider = provider
        self.connection = connection
        self.operation = operation
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retryable = self.default_retryable if retryable is None else retryable
        self.retry_after = retry_after
        self.subject = subject
        self.fields = fields
        self.session: HitlSession | None = None
        """The session that exists by now, when ``start_hitl`` failed after opening it."""
        self.resume: dict[str, JsonValue] | None = None
        """What the last finished step handed back, when ``start_hitl`` failed between its steps."""

    def __str__(self) -> str:
        where = "/".join(part for part in (self.provider, self.connection, self.operation) if part)
        facts = ", ".join(
            f"{name} {value}"
            for name, value in (("status", self.status), ("code", self.code), ("request", self.request_id))
            if value is not None
        )
        return f"{where + ': ' if where else ''}{self.message}{f' ({facts})' if facts else ''}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class AuthenticationError(ProviderError):
    """The helpdesk refused the credentials (usually 401)."""


class PermissionDeniedError(ProviderError):
    """The credentials are fine, but the right, the scope or the plan is missing (usually 403)."""


class NotFoundError(ProviderError):
    """The object does not exist, or no longer (404, 410)."""


class ConflictError(ProviderError):
    """The object exists already, or changed while we worked on it (409)."""


class InvalidRequestError(ProviderError):
    """The content is refused, by the helpdesk (400, 422) or by our own check before anything was sent."""


class RateLimitedError(ProviderError):
    """Too many calls (429). Nothing was done; ``retry_after`` says how long to wait."""

    default_retryable = True


class ProviderUnavailableError(ProviderError):
    """The helpdesk could not be reached or was down, and nothing was done: a repeat is safe."""

    default_retryable = True


class SessionClosedError(ProviderError):
    """The session has ended on the helpdesk's side; reopen it or start a new one."""


class AmbiguousOutcomeError(ProviderError):
    """A write may or may not have happened. Look it up (``find_session``, ``find_message``) before repeating."""


class WebhookError(HitlError):
    """A webhook delivery was refused."""


class WebhookVerificationError(WebhookError):
    """The delivery is not provably from the helpdesk, or too old. Answer 401 and forget it."""


class WebhookParseError(WebhookError):
    """The delivery is authentic but not in a form the provider understands."""


class StoreError(HitlError):
    """Our own database failed or refused."""
