"""The transport: how one connection talks HTTP, and repeats only what is safe to repeat.

Reading order: ``messages`` (what is exchanged), ``transport`` (the contract), ``network`` and ``asgi`` (its two
implementations), ``urls``, ``encoding``, ``auth`` and ``oauth`` (what a request is made of), ``waits``, ``budget`` and
``failures`` (what decides about repeats), ``call`` and ``streaming`` (one request's life), ``client`` (what providers
use). ``guarded`` stands apart: it sends to addresses that strangers wrote, and shares ``trust`` with ``network``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hitl_core._http.asgi import AsgiTransport
from hitl_core._http.auth import Auth, BasicAuth, BearerAuth, HeaderAuth, UnusableSecretError
from hitl_core._http.budget import ACCOUNT, Budget, LimitsParser, MemoryBudget, RateObservation, common_limits
from hitl_core._http.choice import as_transport
from hitl_core._http.client import HttpClient, RequestOptions
from hitl_core._http.encoding import FilePart
from hitl_core._http.failures import Classify, VendorError
from hitl_core._http.messages import Headers, HttpRequest, HttpResponse, StreamedResponse
from hitl_core._http.oauth import OAuthTokens
from hitl_core._http.transport import AnswerRefused, AsgiApp, Transport, TransportFailure
from hitl_core._http.urls import segment
from hitl_core._http.waits import RetryPolicy, parse_http_date, parse_retry_after

if TYPE_CHECKING:
    from hitl_core._http.network import NetworkTransport

__all__ = [
    "ACCOUNT",
    "AnswerRefused",
    "AsgiApp",
    "AsgiTransport",
    "Auth",
    "BasicAuth",
    "BearerAuth",
    "Budget",
    "Classify",
    "FilePart",
    "HeaderAuth",
    "Headers",
    "HttpClient",
    "HttpRequest",
    "HttpResponse",
    "LimitsParser",
    "MemoryBudget",
    "NetworkTransport",
    "OAuthTokens",
    "RateObservation",
    "RequestOptions",
    "RetryPolicy",
    "StreamedResponse",
    "Transport",
    "TransportFailure",
    "UnusableSecretError",
    "VendorError",
    "as_transport",
    "common_limits",
    "parse_http_date",
    "parse_retry_after",
    "segment",
]


def __getattr__(name: str) -> Any:
    # httpx takes longer to import than all the rest, and simulators need none of it.
    if name == "NetworkTransport":
        from hitl_core._http.network import NetworkTransport

        return NetworkTransport
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
