"""What a failed exchange means: what became of the request, and the error that says so."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass

from hitl_core._http.messages import HttpResponse, place
from hitl_core._http.waits import parse_retry_after, vendor_time
from hitl_core.errors import (
    AmbiguousOutcomeError,
    AuthenticationError,
    ConflictError,
    HitlError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    ProviderUnavailableError,
    RateLimitedError,
)

__all__ = ["Classify", "Fate", "VendorError", "fate_of", "identifier", "retry_after_of", "status_error"]


class Fate(enum.Enum):
    """What became of a request."""

    NOT_SENT = "not sent"
    REFUSED = "refused"
    """Answered, and nothing was done for reasons that pass: a repeat is safe."""
    SILENT = "silent"
    """Sent, and no answer: it may have been carried out."""
    CRASHED = "crashed"
    """Answered that something broke: it may have been carried out."""
    FINAL = "final"
    """Answered for good: a repeat would be answered alike."""


@dataclass(frozen=True, slots=True)
class VendorError:
    """What a provider reads from a refusal in its vendor's own format.

    :param code: the vendor's error code.
    :param message: a sentence by the provider that tells the next step. Never the vendor's own text, which may quote
        the customer.
    :param request_id: for the vendor's support; the usual headers are read without it.
    :param error: class to raise instead of the one the status stands for. It also decides about repeats:
        ``RateLimitedError`` and ``ProviderUnavailableError`` mean that nothing was done, ``AmbiguousOutcomeError`` that
        something may have been, any other that the answer is final.
    :param retryable: overrides what the class says.
    :param retry_after: seconds, where the vendor does not use ``Retry-After``.
    :param scope: the limit that was hit, see :class:`~hitl_core._http.RateObservation`.
    """

    code: str | None = None
    message: str | None = None
    request_id: str | None = None
    error: type[HitlError] | None = None
    retryable: bool | None = None
    retry_after: float | None = None
    scope: str | None = None


Classify = Callable[[HttpResponse], VendorError | None]

_FATES_BY_ERROR: tuple[tuple[type[ProviderError], Fate], ...] = (
    (RateLimitedError, Fate.REFUSED),
    (ProviderUnavailableError, Fate.REFUSED),
    (AmbiguousOutcomeError, Fate.CRASHED),
)

_CONTENT = "the content is not accepted; check the fields of this call"
_STATUSES: dict[int, tuple[type[ProviderError], str]] = {
    400: (InvalidRequestError, _CONTENT),
    401: (AuthenticationError, "the credentials are refused; check the token or password in the settings"),
    402: (PermissionDeniedError, "the account's plan or payment does not cover this"),
    403: (PermissionDeniedError, "the credentials lack the right, the scope or the plan for this"),
    404: (NotFoundError, "there is no such object, or no longer; check the id, and base_url"),
    405: (InvalidRequestError, "this method is not offered there; check base_url"),
    407: (AuthenticationError, "a proxy on the way asks for credentials"),
    408: (ProviderUnavailableError, "the helpdesk gave up waiting for the request"),
    409: (ConflictError, "the object exists already or changed meanwhile; read it again"),
    410: (NotFoundError, "the object is gone for good"),
    412: (ConflictError, "the object changed meanwhile; read it again"),
    413: (InvalidRequestError, "the content is too large; send less"),
    415: (InvalidRequestError, "this kind of content is not accepted"),
    422: (InvalidRequestError, _CONTENT),
    423: (ConflictError, "the object is locked; try again later"),
    425: (ProviderUnavailableError, "the helpdesk is not ready for this request yet; nothing was done"),
    429: (RateLimitedError, "too many calls; nothing was done, wait before the next"),
    431: (InvalidRequestError, "the headers are too large"),
    451: (PermissionDeniedError, "the object is withheld for legal reasons"),
}
_RETRYABLE_LATER = frozenset({423, 425})

_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-correlation-id", "x-trace-id")
_IDENTIFIER = re.compile(r"[A-Za-z0-9._:/+=@#-]{1,128}")


def fate_of(response: HttpResponse, vendor: VendorError | None, retry_after: float | None) -> Fate:
    """Say what became of a request that was answered with a failure."""
    if vendor is not None and vendor.error is not None:
        return next((fate for kind, fate in _FATES_BY_ERROR if issubclass(vendor.error, kind)), Fate.FINAL)
    status = response.status
    if status == 429 or (status == 503 and retry_after is not None):
        return Fate.REFUSED
    if status >= 500 or status == 408:
        return Fate.CRASHED
    return Fate.FINAL


def retry_after_of(response: HttpResponse, vendor: VendorError | None) -> float | None:
    """Return the seconds the helpdesk asks to wait, by its own format or by ``Retry-After``."""
    if vendor is not None and vendor.retry_after is not None:
        return max(vendor.retry_after, 0.0)
    value = response.headers.get("retry-after")
    return None if value is None else parse_retry_after(value, now=vendor_time(response))


def status_error(response: HttpResponse, vendor: VendorError | None) -> tuple[type[HitlError], str, bool | None]:
    """Return class, sentence and ``retryable`` (``None``: the class decides) for a status that is no success."""
    status = response.status
    kind: type[HitlError]
    if 300 <= status < 400:
        kind, text = ProviderError, _redirect_text(response)
    elif status >= 500:
        kind, text = ProviderUnavailableError, "the helpdesk is failing; try again later"
    else:
        kind, text = _STATUSES.get(
            status, (InvalidRequestError, "the request is refused; check the fields of this call")
        )
    retryable = True if status in _RETRYABLE_LATER else None
    if vendor is not None:
        text = vendor.message or text
        if vendor.error is not None:
            kind, retryable = vendor.error, None
        if vendor.retryable is not None:
            retryable = vendor.retryable
    return kind, text, retryable


def _redirect_text(response: HttpResponse) -> str:
    try:
        target = place(response.headers.get("location", "")).partition("/")[0]
    except ValueError:
        target = ""
    return (
        f"the helpdesk redirects{f' to {target}' if target else ''}, and redirects are not followed, "
        "for credentials go to the configured host only; set base_url to the address it redirects to"
    )


def identifier(*candidates: str | None, response: HttpResponse | None = None) -> str | None:
    """Return the first value that looks like an id: what the vendor sends goes into messages, and may be anything."""
    headers = () if response is None else (response.headers.get(name) for name in _REQUEST_ID_HEADERS)
    return next((value for value in (*candidates, *headers) if value and _IDENTIFIER.fullmatch(value)), None)
