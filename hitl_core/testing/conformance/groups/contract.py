"""What the provider says of itself, before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from hitl_core.discovery import PROVIDERS, list_providers
from hitl_core.info import Limits, ProviderInfo
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.loading import loaded, unloadable
from hitl_core.testing.conformance.room import provider_class
from hitl_core.testing.conformance.rules import NOT_APPLICABLE, rule
from hitl_core.testing.conformance.tools.claims import promised

__all__ = ["ContractTests"]

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_FILES: Final = frozenset({"image", "audio", "video", "file"})
_SHORTEST_TITLE, _SHORTEST_TEXT, _SMALLEST_FILE = 20, 100, 1024
_LONGEST_SETTLING: Final = 3600
_LONGEST_WAIT: Final = 60


class ContractTests(ConformanceBase):
    """The provider's description."""

    @rule()
    def test_the_provider_is_found_by_its_name(self, provider: str | type[Any]) -> None:
        """An installed provider is listed once under its name, and can be loaded by it."""
        if not isinstance(provider, str):
            pytest.skip(NOT_APPLICABLE + "the provider is given as a class; give its name once it is installed")
        listed = [plugin.origin for plugin in list_providers() if plugin.name == provider]
        assert len(listed) == 1, (
            f"one installed distribution must offer {provider!r} as an entry point of the group {PROVIDERS!r}; "
            f"these do: {', '.join(listed) or 'none'}"
        )
        fails = unloadable(type(self), provider)  # the reason is long, and told by the test about the hook spec
        assert fails is None, f"the provider {provider!r} must be loaded by its name; {fails}"

    @rule()
    def test_the_provider_keeps_to_the_hook_spec(self, provider: str | type[Any]) -> None:
        """Every required hook is there, every declared capability has its hooks, and every hook its capability."""
        with promised("the provider can be checked against the hook spec"):
            loaded(provider)

    @rule()
    def test_the_provider_describes_itself(self, provider: str | type[Any]) -> None:
        """Name, title, words, documentation and limits are such that people and the core can use them (S016)."""
        info: ProviderInfo = provider_class(provider)[0].info
        wrong = [*_wrong_words(info), *_wrong_limits(info.limits), *_wrong_facts(info)]
        assert not wrong, "correct the provider's info:\n" + "\n".join(wrong)

    @rule()
    def test_every_setting_and_option_is_described(self, provider: str | type[Any]) -> None:
        """Each setting and each start option has a description, which the command line shows (S015)."""
        info: ProviderInfo = provider_class(provider)[0].info
        silent = [
            f"{model.__name__}.{name}"
            for model in (info.settings, info.options)
            for name, field in model.model_fields.items()
            if not (field.description or "").strip()
        ]
        assert not silent, f"say with Field(description=…) what these are for: {', '.join(silent)}"


def _wrong_words(info: ProviderInfo) -> Iterator[str]:
    if not _NAME.fullmatch(info.name):
        yield f"name is {info.name!r}; use lower case letters, digits and single hyphens"
    if not _is_line(info.title):
        yield f"title is {info.title!r}; give the product's name as one line"
    for field, word in info.terminology:
        if not _is_line(word) or word != word.lower():
            yield f"terminology.{field} is {word!r}; give a word in lower case, it stands in the middle of sentences"
    if info.docs is not None:
        parts = urlsplit(info.docs)
        if parts.scheme != "https" or not parts.hostname:
            yield f"docs is {info.docs!r}; give an https:// URL"


def _wrong_limits(limits: Limits) -> Iterator[str]:
    for field, shortest in (("title", _SHORTEST_TITLE), ("opening", _SHORTEST_TEXT), ("text", _SHORTEST_TEXT)):
        limit = getattr(limits, field)
        if limit is not None and limit.max < shortest:
            yield f"limits.{field} is {limit.max} {limit.unit}; nobody can work with less than {shortest}"
    if limits.attachment_bytes is not None and limits.attachment_bytes < _SMALLEST_FILE:
        yield f"limits.attachment_bytes is {limits.attachment_bytes}; it is in bytes"
    if limits.settle_seconds > _LONGEST_SETTLING:
        yield f"limits.settle_seconds is {limits.settle_seconds:g}; searches would wait for that long"


def _wrong_facts(info: ProviderInfo) -> Iterator[str]:
    capabilities, intake = info.capabilities, info.intake
    if capabilities.attachments and not capabilities.message_types & _FILES:
        yield (
            "capabilities.attachments is declared, yet every file would be lowered to a link: add the kinds of files "
            f"agents are shown to capabilities.message_types ({', '.join(sorted(_FILES))})"
        )
    if intake.within_seconds > _LONGEST_WAIT:
        yield f"intake.within_seconds is {intake.within_seconds:g}; no vendor waits for an answer that long"
    if not 400 <= intake.busy_status <= 599 or intake.busy_status in intake.never:
        yield f"intake.busy_status is {intake.busy_status}; it must make the vendor try again, and switch nothing off"


def _is_line(text: str) -> bool:
    return bool(text.strip()) and text == text.strip() and len(text.splitlines()) == 1
