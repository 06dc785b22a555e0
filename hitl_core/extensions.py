"""Extensions: code around every hook call of a connection, active only when named.

An extension is an object with one method, marked with :data:`~hitl_core.spec.hookimpl`::

    @hookimpl
    async def around_call(self, call: HookCall, proceed: Proceed) -> Any:
        return await proceed(call.request)

It may change the request, change the result, or refuse by raising. ``verify_webhook`` cannot be changed: what it proved
is seen with the ``parse_webhook`` call. Raw pluggy wrappers are not offered, since around a coroutine they see the
coroutine and not the call.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias, TypeVar

import pluggy
from pydantic import BaseModel

from hitl_core.discovery import find_plugin, near_miss
from hitl_core.errors import ConfigurationError
from hitl_core.spec import PROJECT, hookspec

__all__ = ["ExtensionHooks", "HookCall", "Proceed", "load_extensions", "map_words"]

EXTENSIONS: Final = "hitl.extensions"

Proceed: TypeAlias = Callable[[Any], Awaitable[Any]]
"""Goes on with a request, to the next extension or the provider, and gives the result."""


@dataclass(frozen=True, slots=True)
class HookCall:
    """A hook about to be called.

    :param hook: name of the hook, such as ``"send_message"``.
    :param request: its request.
    :param provider: name of the provider.
    :param connection: key of the connection.
    """

    hook: str
    request: Any = field(repr=False)
    provider: str
    connection: str


class ExtensionHooks(Protocol):
    """What an extension implements."""

    @hookspec
    async def around_call(self, call: HookCall, proceed: Proceed) -> Any:
        """Return ``await proceed(request)``: with the same or a changed request, the same or a changed result."""


def load_extensions(extensions: Sequence[str | object]) -> list[Callable[[HookCall, Proceed], Awaitable[Any]]]:
    """Check extensions given by name (entry-point group ``hitl.extensions``) or as objects, in order.

    :raises ConfigurationError: unknown name, or the object is no extension.
    """
    return [_around_call(_instance(extension)) for extension in extensions]


def _instance(extension: str | object) -> object:
    if not isinstance(extension, str):
        return extension() if inspect.isclass(extension) else extension
    loaded = find_plugin(EXTENSIONS, extension, "extension").load()
    return loaded() if inspect.isclass(loaded) else loaded


def _around_call(extension: object) -> Callable[[HookCall, Proceed], Awaitable[Any]]:
    name = type(extension).__name__
    marked = [
        (attribute, function)
        for attribute, function in inspect.getmembers(extension, inspect.isroutine)
        if getattr(function, f"{PROJECT}_impl", None) is not None
    ]
    others = sorted(attribute for attribute, _ in marked if attribute != "around_call")
    misspelt = [other for other in others if near_miss(other, ["around_call"])]
    if misspelt:
        msg = f"extension {name} has {misspelt[0]}; did you mean around_call?"
        raise ConfigurationError(msg)
    if others:
        msg = (
            f"extension {name} implements {', '.join(others)}; an extension that implements a provider's hook would "
            "replace the provider: do it in around_call"
        )
        raise ConfigurationError(msg)
    if not marked or not inspect.iscoroutinefunction(marked[0][1]):
        msg = f"extension {name} needs `@hookimpl async def around_call(self, call, proceed)`"
        raise ConfigurationError(msg)
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(ExtensionHooks)
    try:
        manager.register(extension)
    except pluggy.PluginValidationError as error:
        msg = f"extension {name}: around_call takes (self, call, proceed)"
        raise ConfigurationError(msg) from error
    function: Callable[[HookCall, Proceed], Awaitable[Any]] = marked[0][1]
    return function


ModelT = TypeVar("ModelT", bound=BaseModel)

# Where people's words are; ids, addresses of files and machine values are left alone.
_WORDS: Final = frozenset({"address", "description", "label", "markdown", "message", "subtitle", "text", "title"})


def map_words(model: ModelT, change: Callable[[str], str]) -> ModelT:
    """Return a copy of a request, message or event with ``change`` applied to everything people wrote in it.

    Reaches into messages, blocs, cards and the relayed history. A text that ``change`` empties becomes a hyphen, since
    a message is never empty.
    """
    changes: dict[str, Any] = {}
    for name in type(model).model_fields:
        old = getattr(model, name)
        new = (change(old) or "-") if name in _WORDS and isinstance(old, str) else _map_value(old, change)
        if new is not old:
            changes[name] = new
    return model.model_copy(update=changes) if changes else model


def _map_value(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, BaseModel):
        return map_words(value, change)
    if isinstance(value, tuple):
        mapped = tuple(_map_value(item, change) for item in value)
        return mapped if any(new is not old for new, old in zip(mapped, value, strict=True)) else value
    return value
