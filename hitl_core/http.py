"""The transport as providers see it: clients of one host, credentials, vendor errors, rate limits.

A provider gets its client by ``ctx.http.bind(base_url=..., auth=...)``. Retries, waits, keys and deadlines happen
inside.
"""

from hitl_core._http import (
    Auth,
    BasicAuth,
    BearerAuth,
    Budget,
    FilePart,
    HeaderAuth,
    HttpClient,
    HttpRequest,
    HttpResponse,
    MemoryBudget,
    OAuthTokens,
    RateObservation,
    RetryPolicy,
    StreamedResponse,
    Transport,
    VendorError,
    common_limits,
    segment,
)

__all__ = [
    "Auth",
    "BasicAuth",
    "BearerAuth",
    "Budget",
    "FilePart",
    "HeaderAuth",
    "HttpClient",
    "HttpRequest",
    "HttpResponse",
    "MemoryBudget",
    "OAuthTokens",
    "RateObservation",
    "RetryPolicy",
    "StreamedResponse",
    "Transport",
    "VendorError",
    "common_limits",
    "segment",
]
