"""Languages: BCP 47 tags and the texts of one language (behaviour F33)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from pydantic import Field, ValidationInfo, field_validator

from hitl_core.bridge.policy.commands import check_command
from hitl_core.bridge.policy.names import Configured, is_stored, renamed
from hitl_core.bridge.policy.texts import NOTHING, check_text

__all__ = ["PLAIN_TEXTS", "LocaleTexts", "by_tag", "canonical", "chain", "is_empty", "one_or_several"]

PLAIN_TEXTS: Final = frozenset({"agent_fallback_name", "hand_back_marker"})
"""Texts without variables: one stands in for a variable, the other is for a program."""

_TAG: Final = re.compile(
    r"[a-z]{2,3}(?:-[a-z]{3}){0,3}(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*"
    r"(?:-[a-wyz0-9](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?",
    re.IGNORECASE,
)
"""What is well-formed by RFC 5646: language, script, region, variants, extensions, private use."""
_ANY_TAG: Final = re.compile(r"[a-z]{2,8}(?:-[a-z0-9]{1,8})*", re.IGNORECASE)
"""What may be read as one: channels have odd ideas of languages, and older versions took more."""
_SCRIPT, _REGION = 4, 2


def canonical(tag: str, *, tolerant: bool = False) -> str:
    """Write a BCP 47 tag in its usual case: ``de_ch`` is ``de-CH``.

    :param tolerant: take what only looks like one too.
    :raises ValueError: it is none.
    """
    tag = tag.strip().replace("_", "-")
    if not (_ANY_TAG if tolerant else _TAG).fullmatch(tag):
        msg = 'a language is named by a BCP 47 tag such as "de" or "de-CH", not by its name'
        raise ValueError(msg)
    first, *rest = tag.lower().split("-")
    extension = False
    for index, part in enumerate(rest):
        extension = extension or len(part) == 1
        if len(part) == _REGION and not extension:
            rest[index] = part.upper()
        elif len(part) == _SCRIPT and part.isalpha() and not extension:
            rest[index] = part.title()
    return "-".join([first, *rest])


@lru_cache(maxsize=1024)
def chain(locale: str | None) -> tuple[str, ...]:
    """Return the tags to look a locale up by, closest first: ``de-CH``, ``de`` (RFC 4647).

    What is no tag gives none: a channel's odd idea of a language must not stop a hand-off.
    """
    if not locale:
        return ()
    try:
        tag = canonical(re.split(r"[.@]", locale, maxsplit=1)[0], tolerant=True)  # POSIX says "de_CH.UTF-8@euro"
    except ValueError:
        return ()
    parts = tag.split("-")
    return tuple("-".join(parts[:count]) for count in range(len(parts), 0, -1))


def one_or_several(value: object) -> object:
    """Take one text for a list of one.

    :raises ValueError: it is neither a text nor several of something.
    """
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Iterable) and not isinstance(value, bytes | Mapping):
        return value
    msg = "give a text, or a list of texts"
    raise ValueError(msg)


class LocaleTexts(Configured):
    """The texts and close commands of one language; what is missing or empty is looked up further on.

    Fields are those of :class:`Policy` under the same names.
    """

    what = "text"

    on_handoff_message: str | None = Field(default=None, repr=False)
    on_human_agent_assigned_message: str | None = Field(default=None, repr=False)
    on_hitl_stopped_message: str | None = Field(default=None, repr=False)
    on_user_hitl_cancelled_message: str | None = Field(default=None, repr=False)
    on_incompatible_msg_type_message: str | None = Field(default=None, repr=False)
    on_user_hitl_close_message: str | None = Field(default=None, repr=False)
    on_agent_assigned_timeout_message: str | None = Field(default=None, repr=False)
    on_start_failed_message: str | None = Field(default=None, repr=False)
    on_session_reopened_message: str | None = Field(default=None, repr=False)
    on_unsupported_user_message: str | None = Field(default=None, repr=False)
    on_message_failed_message: str | None = Field(default=None, repr=False)
    on_first_answer_timeout_message: str | None = Field(default=None, repr=False)
    on_agent_silence_message: str | None = Field(default=None, repr=False)
    on_customer_silence_warning_message: str | None = Field(default=None, repr=False)
    on_customer_silence_message: str | None = Field(default=None, repr=False)
    on_maximum_duration_message: str | None = Field(default=None, repr=False)
    on_off_hours_message: str | None = Field(default=None, repr=False)
    on_off_hours_refused_message: str | None = Field(default=None, repr=False)
    on_internal_error_message: str | None = Field(default=None, repr=False)
    on_late_message_answer: str | None = Field(default=None, repr=False)
    on_stopped_by_operator_message: str | None = Field(default=None, repr=False)
    on_customer_left_note: str | None = Field(default=None, repr=False)
    agent_fallback_name: str | None = Field(default=None, repr=False)
    hand_back_marker: str | None = Field(default=None, repr=False)
    user_close_command: tuple[str, ...] = Field(default=(), repr=False)

    @classmethod
    def named(cls, given: Mapping[Any, Any]) -> dict[str, Any]:
        """Return what is given, under the names of fields."""
        return renamed(given)

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_missing(cls, value: object, info: ValidationInfo) -> object:
        if info.field_name == "user_close_command":
            return one_or_several(value or ())
        return None if is_empty(value) else value

    @field_validator("user_close_command")
    @classmethod
    def _commands(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for command in value:
            check_command(command)
        return value

    @field_validator("*")
    @classmethod
    def _texts(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, str) and value != NOTHING:
            check_text(value, variables=info.field_name not in PLAIN_TEXTS, any_name=is_stored(info))
        return value


def is_empty(value: object) -> bool:
    """Whether a text is empty, which is as good as not given (behaviour S031)."""
    return value is None or (isinstance(value, str) and not value.strip())


def by_tag(locales: Mapping[Any, Any], *, tolerant: bool = False) -> dict[str, Any]:
    """Return what is given for languages by tags in their usual case, in order.

    :param tolerant: as for :func:`canonical`.
    :raises ValueError: a tag is none, or given twice.
    """
    found: dict[str, Any] = {}
    for given, texts in locales.items():
        tag = canonical(str(given), tolerant=tolerant)
        if tag in found:
            msg = f"{tag} is given twice"
            raise ValueError(msg)
        found[tag] = texts
    return dict(sorted(found.items()))
