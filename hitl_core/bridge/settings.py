"""What a bridge is made of, taken as it is or refused in one sentence before anything begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hitl_core.bridge.host import Host
from hitl_core.bridge.policy import Policy, Routing
from hitl_core.bridge.store.base import Store
from hitl_core.connection import Connection
from hitl_core.errors import ConfigurationError

__all__ = ["connections_of", "count_of", "host_of", "policy_of", "routing_of", "seconds_of", "store_of"]

_CALLS: Final = ("send", "resume", "notify")
_LONGEST: Final = 366 * 24 * 3600


def connections_of(given: object, tenant: object) -> dict[str, Connection]:
    """Take connections by name, all of one tenant.

    :raises ConfigurationError: there is none, one is none, two are of one account, or one is of another tenant.
    """
    if not isinstance(tenant, str) or not tenant:
        msg = 'tenant is no name; give the one its connections were made with, or leave it out: "default"'
        raise ConfigurationError(msg)
    named: Mapping[Any, Any] | None = None
    if isinstance(given, Connection):
        named = {given.alias: given}
    elif isinstance(given, Mapping):
        named = given
    if named is None or not all(isinstance(name, str) and isinstance(one, Connection) for name, one in named.items()):
        what = "connections holds something else" if named else f"connections is of type {type(given).__name__}"
        msg = f'{what}; give what hitl_core.connect(...) returns, or several of them by name: {{"desk": connection}}'
        raise ConfigurationError(msg)
    return _of_tenant(dict(named), tenant)


def _of_tenant(named: dict[str, Connection], tenant: str) -> dict[str, Connection]:
    if not named:
        msg = "a bridge needs at least one connection; make one with hitl_core.connect(...)"
        raise ConfigurationError(msg)
    keys = [connection.key for connection in named.values()]
    if len(set(keys)) != len(keys):
        msg = "two connections have the same alias; give each its own: hitl_core.connect(..., alias=...)"
        raise ConfigurationError(msg)
    for name, connection in named.items():
        if connection.key.partition("/")[0] != tenant:
            msg = (
                f"connection {name!r} ({connection.key}) is not of tenant {tenant!r}; "
                "give both the same: connect(..., tenant=...) and Bridge(..., tenant=...)"
            )
            raise ConfigurationError(msg)
    return named


def routing_of(given: object, names: tuple[str, ...]) -> Routing:
    """Take routes; without one that fits, all connections are tried in their order.

    :raises ConfigurationError: they are none, or name a connection that is not there.
    """
    if isinstance(given, Routing):
        routing = given
    elif isinstance(given, Sequence) and not isinstance(given, str | bytes):
        routing = Routing.read({"routes": list(given), "default": names})
    else:
        msg = f"routing is of type {type(given).__name__}; give a list of Route(...), or a Routing(...)"
        raise ConfigurationError(msg)
    routing.check(names)
    return routing


def host_of(given: Host) -> Host:
    """Take the bot's side.

    :raises ConfigurationError: it lacks something that the bridge calls.
    """
    instead = "give a CallbackHost(...), a QueueHost(), or an object of your own with these methods"
    if isinstance(given, type):
        msg = f"host is the class {given.__name__} itself; give an object of it: {given.__name__}(...)"
        raise ConfigurationError(msg)
    lacking = [name for name in _CALLS if not callable(getattr(given, name, None))]
    if lacking:
        msg = f"host is of type {type(given).__name__}, which has no {', no '.join(lacking)}; {instead}"
        raise ConfigurationError(msg)
    return given


def policy_of(given: object) -> Policy:
    """Take a policy, or its fields by name.

    :raises ConfigurationError: it is none, or a field is unknown or wrong.
    """
    if given is None:
        return Policy()
    if isinstance(given, Policy):
        return given
    if isinstance(given, Mapping):
        return Policy.read(given)
    msg = f"policy is of type {type(given).__name__}; give a Policy(...), or a dict of its fields"
    raise ConfigurationError(msg)


def store_of(given: object) -> Store:
    """Take a store, or its URL.

    :raises ConfigurationError: it is neither, or of another database.
    """
    if isinstance(given, Store):
        return given
    if isinstance(given, str):
        return Store(given)
    msg = f'store is of type {type(given).__name__}; give a URL such as "sqlite:///hitl.db", or a Store(...)'
    raise ConfigurationError(msg)


def seconds_of(name: str, given: object, *, least: str = "more than 0") -> float:
    """Take a time in seconds.

    :param least: ``more than 0``, or ``0 or more``.
    :raises ConfigurationError: it is no such number.
    """
    if isinstance(given, int | float) and not isinstance(given, bool):
        # Not so of what is no number at all, which compares with none.
        enough = given >= 0 if least == "0 or more" else given > 0
        if enough and given <= _LONGEST:
            return float(given)
    msg = f"{name} is no such time; give a number of seconds, {least} and at most a year"
    raise ConfigurationError(msg)


def count_of(name: str, given: object) -> int:
    """Take a number of things, of which there is one at least.

    :raises ConfigurationError: it is no such number.
    """
    if isinstance(given, int) and not isinstance(given, bool) and given >= 1:
        return given
    msg = f"{name} is no such number; give a whole one, 1 or more"
    raise ConfigurationError(msg)
