"""Finding providers by their entry points, and checking one before it is used.

Listing reads metadata only; a provider is imported when it is selected. One broken distribution never breaks another.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.metadata import Distribution, EntryPoint, distributions
from importlib.resources import files
from typing import Any, Final

from hitl_core.errors import ConfigurationError, ProviderLoadError, UnknownProviderError
from hitl_core.info import ProviderInfo, ProviderSettings, StartOptions
from hitl_core.spec import CAPABILITY_HOOKS, OPTIONAL_HOOKS, PROJECT, REQUIRED_HOOKS

__all__ = ["Plugin", "find_plugin", "list_plugins", "list_providers", "load_provider", "near_miss", "validate_provider"]

PROVIDERS: Final = "hitl.providers"

_HOOKS: Final = frozenset(
    (*REQUIRED_HOOKS, *OPTIONAL_HOOKS, *(hook for hooks in CAPABILITY_HOOKS.values() for hook in hooks))
)
_SYNC_HOOKS: Final = frozenset({"verify_webhook"})
# Words a helper method may well be called; the other names can only be meant as hooks.
_UNMISTAKABLE: Final = _HOOKS - {"check", "close", "identify", "open", "transfer"}


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point, known by metadata alone.

    :param name: the name it is selected by.
    :param target: ``module:attribute``.
    :param distribution: name of the distribution that offers it.
    :param version: that distribution's version.
    """

    name: str
    target: str
    distribution: str
    version: str
    group: str

    @property
    def origin(self) -> str:
        """Distribution and version, for people."""
        return f"{self.distribution} {self.version}"

    def load(self) -> Any:
        """Import it.

        :raises ProviderLoadError: importing fails, for whatever reason; a missing module is named.
        """
        try:
            return EntryPoint(self.name, self.target, self.group).load()
        except ModuleNotFoundError as error:
            # The name alone: what else the error says was written by somebody else.
            reason = f"No module named {error.name!r}" if error.name else type(error).__name__
            mend = f"reinstall it with what it needs: pip install --force-reinstall {self.distribution}"
            raise self._broken(reason, mend) from error
        except Exception as error:  # importing somebody else's module may raise anything
            raise self._broken(type(error).__name__, f"reinstall or upgrade {self.distribution}") from error

    def _broken(self, reason: str, mend: str) -> ProviderLoadError:
        msg = f"{self.name!r} of {self.origin} cannot be imported ({reason} in {self.target}); {mend}"
        return ProviderLoadError(msg)


def list_plugins(group: str) -> list[Plugin]:
    """List the entry points of ``group`` by name; a name claimed twice is listed twice."""
    found: dict[tuple[str, str, str], Plugin] = {}
    for dist in distributions():
        for plugin in _plugins_of(dist, group):
            # The same distribution can be on the path twice, as itself and as an editable install.
            found.setdefault((plugin.name, plugin.distribution, plugin.target), plugin)
    return sorted(found.values(), key=lambda plugin: (plugin.name, plugin.distribution))


def _plugins_of(dist: Distribution, group: str) -> Iterable[Plugin]:
    try:
        entries = [entry for entry in dist.entry_points if entry.group == group]
        return [Plugin(e.name, e.value, dist.metadata["Name"] or "?", dist.version, group) for e in entries]
    except Exception:  # noqa: BLE001 - one distribution's broken metadata must not hide the others
        return []


def find_plugin(group: str, name: str, what: str) -> Plugin:
    """Find one entry point.

    :param what: the kind of thing, for messages: ``"extension"``.
    :raises ConfigurationError: unknown, with near misses, or claimed by two distributions.
    """
    plugins = list_plugins(group)
    named = [plugin for plugin in plugins if plugin.name == name]
    if not named:
        known = [plugin.name for plugin in plugins]
        msg = f"no {what} {name!r} is installed{near_miss(name, known)}; installed: {', '.join(known) or 'none'}"
        raise ConfigurationError(msg)
    if len(named) > 1:
        origins = " and ".join(plugin.origin for plugin in named)
        msg = f"{what} {name!r} is claimed by {origins}; uninstall one of them"
        raise ConfigurationError(msg)
    return named[0]


def near_miss(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the likeliest spelling, or an empty string."""
    matches = get_close_matches(name.lower(), list(known), n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(match) for match in matches)}?" if matches else ""


def list_providers() -> list[Plugin]:
    """List the installed providers without importing any."""
    return list_plugins(PROVIDERS)


def load_provider(name: str, plugins: Sequence[Plugin] | None = None) -> tuple[type[Any], Plugin]:
    """Import the provider of that name and check it.

    :param plugins: where to look; the installed ones when left out.
    :raises UnknownProviderError: none has that name; names near misses and, where known, how to install it.
    :raises ConfigurationError: two distributions claim the name.
    :raises ProviderLoadError: it cannot be imported or breaks the hook spec.
    """
    plugins = list_providers() if plugins is None else plugins
    named = [plugin for plugin in plugins if plugin.name == name]
    if not named:
        raise UnknownProviderError(_unknown(name, [plugin.name for plugin in plugins]))
    if len(named) > 1:
        origins = " and ".join(plugin.origin for plugin in named)
        msg = f"provider {name!r} is claimed by {origins}; uninstall one of them"
        raise ConfigurationError(msg)
    cls = named[0].load()
    validate_provider(cls, named[0])
    return cls, named[0]


def _unknown(name: str, known: list[str]) -> str:
    published = _published()
    install = published.get(name)
    if install is None:
        guess = get_close_matches(name.lower(), published, n=1, cutoff=0.75)
        install = published[guess[0]] if guess and guess[0] not in known else None
    hint = f"; install it with: pip install {install}" if install else near_miss(name, known)
    return f"no provider {name!r} is installed{hint} (installed: {', '.join(sorted(set(known))) or 'none'})"


@cache
def _published() -> dict[str, str]:
    """Return the provider names we publish, and their distributions."""
    content: dict[str, str] = json.loads(files("hitl_core").joinpath("published_providers.json").read_text("utf-8"))
    return content


def validate_provider(cls: Any, plugin: Plugin) -> None:
    """Check a provider class against the hook spec.

    :raises ProviderLoadError: says everything that is wrong, naming distribution and version.
    """
    problems = list(_problems(cls, plugin))
    if problems:
        listing = "\n  - ".join(problems)
        msg = f"provider {plugin.name!r} of {plugin.origin} breaks the hook spec:\n  - {listing}"
        raise ProviderLoadError(msg)


def _problems(cls: Any, plugin: Plugin) -> Iterable[str]:
    if not inspect.isclass(cls):
        yield f"{plugin.target} must be a class, not {type(cls).__name__}"
        return
    info = getattr(cls, "info", None)
    if not isinstance(info, ProviderInfo):
        yield "it needs a class attribute `info` holding a ProviderInfo"
        return
    if info.name != plugin.name:
        yield f"info.name is {info.name!r}, but the entry point is called {plugin.name!r}"
    for field, base in (("settings", ProviderSettings), ("options", StartOptions)):
        given: Any = getattr(info, field)
        if not (inspect.isclass(given) and issubclass(given, base)):
            yield f"info.{field} must be a subclass of {base.__name__}"
    yield from _constructor_problems(cls)
    implemented: set[str] = set()
    for attribute, function in inspect.getmembers(cls, inspect.isroutine):
        hook = _hook_of(attribute, function)
        yield from _method_problems(attribute, function, hook)
        if hook in implemented:
            yield f"{hook} is implemented twice"
        if hook in _HOOKS:
            implemented.add(hook)
    yield from _missing(info, implemented)


def _constructor_problems(cls: type[Any]) -> Iterable[str]:
    try:
        signature = inspect.signature(cls)
    except ValueError:  # made in C, with nothing to look at
        return
    try:
        signature.bind("the context")
    except TypeError:
        yield f"{cls.__name__}{signature} must take one argument, the context: def __init__(self, ctx)"


def _marker(function: Any) -> dict[str, Any] | None:
    marker: dict[str, Any] | None = getattr(function, f"{PROJECT}_impl", None)
    return marker


def _hook_of(attribute: str, function: Any) -> str:
    """Return the hook a marked method stands for, or an empty string."""
    marker = _marker(function)
    return (marker.get("specname") or attribute) if marker is not None else ""


def _method_problems(attribute: str, function: Any, hook: str) -> Iterable[str]:
    marker = _marker(function)
    if marker is None:
        if attribute in _UNMISTAKABLE:
            yield f"{attribute} has a hook's name but is not marked with @hookimpl"
        return
    if hook not in _HOOKS:
        yield f"{attribute} implements {hook!r}, which is no hook{near_miss(hook, _HOOKS)}"
        return
    if marker.get("wrapper") or marker.get("hookwrapper"):
        yield f"{attribute} is a wrapper; use an extension's around_call instead"
    if inspect.iscoroutinefunction(function) == (hook in _SYNC_HOOKS):
        kind = "a plain function" if hook in _SYNC_HOOKS else "a coroutine (async def)"
        yield f"{attribute} must be {kind}"
    parameters = list(inspect.signature(function).parameters)[1:]
    if any(parameter != "request" for parameter in parameters):
        yield f"{attribute} takes ({', '.join(parameters)}); a hook takes `request` and nothing else"


def _missing(info: ProviderInfo, implemented: set[str]) -> Iterable[str]:
    for hook in REQUIRED_HOOKS:
        if hook not in implemented:
            yield f"the required hook {hook} is missing"
    for capability, hooks in CAPABILITY_HOOKS.items():
        declared = getattr(info.capabilities, capability)
        for hook in hooks:
            if declared and hook not in implemented:
                yield f"capability {capability} is declared, but its hook {hook} is missing"
            if not declared and hook in implemented:
                yield f"hook {hook} is implemented, but its capability {capability} is not declared"
