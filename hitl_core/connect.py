"""From a provider's name and some settings to a connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import SecretStr, ValidationError

from hitl_core._http import AsgiApp, Budget, HttpClient, MemoryBudget, Transport, UnusableSecretError, as_transport
from hitl_core.clock import Clock, SystemClock
from hitl_core.connection import Connection
from hitl_core.context import Fetch, ProviderContext, current_deadline
from hitl_core.discovery import Plugin, load_provider
from hitl_core.errors import ConfigurationError, ProviderLoadError
from hitl_core.extensions import load_extensions
from hitl_core.hooks import Hooks
from hitl_core.info import ProviderInfo, ProviderSettings, secrets_of
from hitl_core.logs import get_logger, register_secret
from hitl_core.netguard import AddressPolicy
from hitl_core.people import BotIdentity
from hitl_core.plans import describe_invalid
from hitl_core.state import ConnectionState, MemoryState

if TYPE_CHECKING:
    from hitl_core.download import Download, Downloader

__all__ = ["connect", "connect_class", "parse_settings"]


def connect(
    name: str,
    /,
    *,
    alias: str | None = None,
    tenant: str = "default",
    transport: AsgiApp | Transport | None = None,
    clock: Clock | None = None,
    state: ConnectionState | None = None,
    budget: Budget | None = None,
    extensions: Sequence[str | object] = (),
    waits: Literal["sleep", "raise"] = "sleep",
    downloads: AddressPolicy | None = None,
    **settings: Any,
) -> Connection:
    """Make a connection to one account; use it with ``async with``. Nothing is sent before that.

    :param name: provider name, such as ``"desk"``; see ``hitl providers``.
    :param alias: your name of this account, when there are several; the provider's name when left out.
    :param tenant: whose account it is, when you serve several customers.
    :param transport: an ASGI application to talk to instead of the network, or a transport of your own.
    :param clock: the source of time.
    :param state: where what must survive a restart is kept; in memory when left out.
    :param budget: the account's rate limit, shared with other processes; in memory when left out.
    :param extensions: names (entry points) or objects that see every hook call, the outermost first.
    :param waits: ``"raise"`` raises ``RateLimitedError`` where the transport would have slept.
    :param downloads: addresses attachments may be fetched from; public ones when left out.
    :param settings: the provider's settings, see ``hitl providers show NAME``.
    :raises UnknownProviderError: no such provider is installed.
    :raises ProviderLoadError: it is broken or breaks the hook spec.
    :raises ConfigurationError: a setting is unknown, missing or wrong.
    """
    cls, plugin = load_provider(name)
    return connect_class(
        cls,
        alias=alias,
        tenant=tenant,
        transport=transport,
        clock=clock,
        state=state,
        budget=budget,
        extensions=extensions,
        waits=waits,
        downloads=downloads,
        plugin=plugin,
        **settings,
    )


def connect_class(
    cls: type[Any],
    /,
    *,
    alias: str | None = None,
    tenant: str = "default",
    transport: AsgiApp | Transport | None = None,
    clock: Clock | None = None,
    state: ConnectionState | None = None,
    budget: Budget | None = None,
    extensions: Sequence[str | object] = (),
    waits: Literal["sleep", "raise"] = "sleep",
    downloads: AddressPolicy | None = None,
    fetch: Fetch | None = None,
    plugin: Plugin | None = None,
    **settings: Any,
) -> Connection:
    """Make a connection to a provider class that need not be installed, as :func:`connect` does for a name.

    :param fetch: downloads for the provider, instead of the guarded downloader.
    """
    info: ProviderInfo = cls.info
    valid = parse_settings(info, settings)
    key = f"{tenant}/{_alias(alias or info.name)}"
    clock = clock or SystemClock()
    for _, secret in secrets_of(valid):
        register_secret(secret)
    log = get_logger(key)
    wire = as_transport(transport)
    client = HttpClient(
        wire,
        clock=clock,
        waits=waits,
        budget=budget or MemoryBudget(clock),
        log=log,
        provider=info.name,
        connection=key,
        timeout=valid.timeout,
        deadline=current_deadline,
    )
    connection: Connection

    async def identity() -> BotIdentity:
        return await connection.identify()

    context = ProviderContext(
        provider=info.name,
        alias=alias or info.name,
        key=key,
        settings=valid,
        http=client,
        clock=clock,
        log=log,
        fetch=fetch or _fetch(downloads or AddressPolicy()),
        state=state or MemoryState(),
        identity=identity,
    )
    around = load_extensions(extensions)
    try:
        provider = cls(context)
    except UnusableSecretError as error:
        msg = f"settings of provider {info.name!r}: {_setting_of(valid, error.secret)}{error}"
        raise ConfigurationError(msg) from None  # the same, without the name of the setting
    except ConfigurationError:
        raise
    except Exception as error:  # a provider is somebody else's code
        origin = plugin.origin if plugin else cls.__module__
        msg = f"provider {info.name!r} of {origin} failed to start ({type(error).__name__}); report it to its author"
        raise ProviderLoadError(msg) from error
    connection = Connection(info, context, Hooks(provider, info.name, key, around), wire.aclose)
    return connection


def _fetch(policy: AddressPolicy) -> Fetch:
    downloader: Downloader | None = None

    async def fetch(url: str, *, max_bytes: int | None = None) -> Download:
        nonlocal downloader
        if downloader is None:
            from hitl_core.download import Downloader  # brings httpcore; most connections never download

            downloader = Downloader(policy)
        return await downloader.fetch(url, max_bytes=max_bytes)

    return fetch


def parse_settings(info: ProviderInfo, settings: Mapping[str, Any]) -> ProviderSettings:
    """Validate an account's settings.

    :raises ConfigurationError: names each setting that is unknown, missing or wrong, never a value.
    """
    try:
        return info.settings.model_validate(dict(settings))
    except ValidationError as error:
        known = info.settings.model_fields
        msg = (
            f"settings of provider {info.name!r}: {describe_invalid(error, 'setting', known)}\n"
            f"`hitl providers show {info.name}` lists them all"
        )
        raise ConfigurationError(msg) from None  # pydantic's own error would be a second telling of the same


def _alias(alias: str) -> str:
    if not alias or "/" in alias or alias != alias.strip():
        msg = f"alias {alias!r} must be a plain name without slashes"
        raise ConfigurationError(msg)
    return alias


def _setting_of(settings: ProviderSettings, secret: SecretStr) -> str:
    """Return ``"setting 'token': "`` for the setting that holds a secret, or nothing."""
    names = (name for name, value in secrets_of(settings) if value is secret)
    return next((f"setting {name!r}: " for name in names), "")
