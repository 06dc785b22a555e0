"""Which transport a user meant."""

from __future__ import annotations

from hitl_core._http.asgi import AsgiTransport
from hitl_core._http.transport import AsgiApp, Transport
from hitl_core.errors import ConfigurationError

__all__ = ["as_transport"]


def as_transport(transport: Transport | AsgiApp | None) -> Transport:
    """Turn what a user hands in into a transport: nothing is the network, an ASGI application is called in-process.

    :raises ConfigurationError: it is neither.
    """
    if transport is None:
        from hitl_core._http.network import NetworkTransport  # httpx takes longer to import than all the rest

        return NetworkTransport()
    given: object = transport
    if isinstance(given, Transport) and not isinstance(given, type):
        return given
    if callable(given):
        return AsgiTransport(given)
    msg = (
        f"transport must be an ASGI application, or an object with send, stream and aclose, "
        f"not {type(given).__name__}; leave it out to use the network"
    )
    raise ConfigurationError(msg)
