"""Laying the settings of one hand-off over those for all (behaviour S043, S044)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from hitl_core.bridge.policy.locales import LocaleTexts, by_tag
from hitl_core.bridge.policy.names import Configured, explain, renamed
from hitl_core.errors import ConfigurationError

__all__ = ["lay_over", "read_settings"]

ConfiguredT = TypeVar("ConfiguredT", bound=Configured)


def read_settings(model: type[ConfiguredT], settings: Callable[[], Mapping[str, Any]], what: str) -> ConfiguredT:
    """Read settings, with one kind of error for all that may be wrong with them.

    :param what: they are for, for the error.
    :raises ConfigurationError: names the fields, without their values.
    """
    try:
        return model.model_validate(settings())
    except ValidationError as error:
        told = explain(error)
    except ValueError as error:
        told = str(error)
    msg = f"{what}: {told}"
    raise ConfigurationError(msg)


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
