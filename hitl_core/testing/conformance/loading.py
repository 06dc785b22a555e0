"""Whether a provider can be used at all: found out once, and told by the tests that are about it."""

from __future__ import annotations

from typing import Any, Final

from hitl_core.discovery import PROVIDERS, Plugin, validate_provider
from hitl_core.errors import ConfigurationError
from hitl_core.testing.conformance.room import provider_class

__all__ = ["ABOUT_LOADING", "UNLOADABLE", "loaded", "unloadable"]

ABOUT_LOADING: Final = frozenset({"test_the_provider_is_found_by_its_name", "test_the_provider_keeps_to_the_hook_spec"})
"""The standard tests that say what is wrong; no other has anything to add."""
UNLOADABLE: Final = "the provider cannot be loaded, see test_the_provider_keeps_to_the_hook_spec"


def loaded(provider: str | type[Any]) -> type[Any]:
    """Return a provider's class, checked against the hook spec however it was given.

    :raises ConfigurationError: it is not installed, cannot be imported or breaks the hook spec.
    """
    cls, plugin = provider_class(provider)
    if plugin is None:
        name = getattr(getattr(cls, "info", None), "name", "?")
        module, qualname = getattr(cls, "__module__", "?"), getattr(cls, "__qualname__", "?")
        validate_provider(cls, Plugin(name, f"{module}:{qualname}", module, "(not installed)", PROVIDERS))
    return cls


_FOUND: dict[tuple[type, str | type[Any]], str | None] = {}


def unloadable(suite: type, provider: str | type[Any]) -> str | None:
    """Return why nothing can be tested, in the words of a test that does not apply; ``None`` when all is well.

    :param suite: the class of the tests. What a name stands for is looked up once for each.
    """
    if (suite, provider) not in _FOUND:
        reason = None
        try:
            loaded(provider)
        except ConfigurationError:  # the tests about it say what is wrong
            reason = UNLOADABLE
        _FOUND[suite, provider] = reason
    return _FOUND[suite, provider]
