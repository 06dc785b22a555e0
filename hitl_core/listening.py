"""A socket that listens, for everything of ours that serves HTTP: simulators, the desk.

:func:`listen` opens it before the server starts, so that a taken port is one sentence, and the port is known where any
free one was asked for::

    with listen("127.0.0.1", 0) as listener:
        print(url_of(listener, "127.0.0.1"))
        await uvicorn.Server(config).serve(sockets=[listener])
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Final

from hitl_core.errors import ConfigurationError

__all__ = ["listen", "url_of"]

_BACKLOG: Final = 2048

_REASONS: Final = {
    errno.EADDRINUSE: "another program has it",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EACCES: "this user may not have it",
}


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens already; who takes it closes it.

    :param host: an address of this machine, or a name of one; IPv6 without brackets.
    :param port: 0 for any free one.
    :raises ConfigurationError: the address cannot be used; says why, and names the options that give another.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sends at once (TCP_NODELAY) only on sockets that name it; without, every
    # answer waits some 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        msg = f"cannot listen on {host} port {port} ({_reason(error)}); name another with --host or --port"
        raise ConfigurationError(msg) from error
    return listener


def url_of(listener: socket.socket, host: str) -> str:
    """Return the URL this machine reaches a listener by, without a slash at its end.

    :param host: as it was given to :func:`listen`: a name stays a name, "all addresses" becomes this machine's own.
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - read, not bound
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


def _reason(error: OSError | OverflowError) -> str:
    if isinstance(error, OverflowError):
        return "ports go to 65535"
    known = _REASONS.get(error.errno or 0) if not isinstance(error, socket.gaierror) else None
    return known or error.strerror or str(error)
