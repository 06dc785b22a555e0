"""Laying the settings of one hand-off over those for all (behaviour S043, S044)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hitl_core.bridge.policy.locales import LocaleTexts, by_tag
from hitl_core.bridge.policy.names import renamed

__all__ = ["lay_over"]


def lay_over(
    fields: Iterable[tuple[str, Any]], locales: Mapping[str, LocaleTexts], overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields with the overrides laid over them; ``locales`` text by text.

    A text or command that is overridden for all is no longer there for single languages.

    :raises ValueError: a field is given under two names, or a language has no tag.
    """
    given = {name: value for name, value in renamed(overrides).items() if value is not None}
    more = given.get("locales", {})
    if isinstance(more, Mapping):
        more = by_tag(more)
        given["locales"] = {tag: _texts_over(locales.get(tag), more.get(tag), set(given)) for tag in {*locales, *more}}
    return {**dict(fields), **given}


def _texts_over(texts: LocaleTexts | None, more: Any, for_all: set[str]) -> Any:
    if isinstance(more, LocaleTexts):
        more = more.model_dump(exclude_defaults=True)
    if not isinstance(more, Mapping | None):
        return more  # wrong, and told so with its place
    kept = texts.model_dump(exclude_defaults=True) if texts else {}
    return {
        **{name: text for name, text in kept.items() if name not in for_all},
        **{name: text for name, text in renamed(more or {}).items() if text is not None},
    }
