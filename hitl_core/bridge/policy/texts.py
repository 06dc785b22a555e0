"""The texts of a hand-off: their names, their variables, and how a text with variables is read and filled in."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias, TypedDict, get_args

from hitl_core.bridge.policy.names import near

__all__ = [
    "AGENT_TEXTS",
    "NOTHING",
    "TEXTS",
    "VARIABLES",
    "TextName",
    "Variables",
    "check_text",
    "fill_in",
    "words_of",
]

NOTHING: Final = "NULL"
"""As the whole of a text: say nothing (behaviour S030)."""

TextName: TypeAlias = Literal[
    "on_handoff_message",
    "on_human_agent_assigned_message",
    "on_hitl_stopped_message",
    "on_user_hitl_cancelled_message",
    "on_incompatible_msg_type_message",
    "on_user_hitl_close_message",
    "on_agent_assigned_timeout_message",
    "on_start_failed_message",
    "on_session_reopened_message",
    "on_unsupported_user_message",
    "on_message_failed_message",
    "on_first_answer_timeout_message",
    "on_agent_silence_message",
    "on_customer_silence_warning_message",
    "on_customer_silence_message",
    "on_maximum_duration_message",
    "on_off_hours_message",
    "on_off_hours_refused_message",
    "on_internal_error_message",
    "on_late_message_answer",
    "on_stopped_by_operator_message",
    "on_customer_left_note",
    "agent_fallback_name",
    "hand_back_marker",
]
TEXTS: Final[tuple[TextName, ...]] = get_args(TextName)
"""Every text that can be configured, also for each language."""

AGENT_TEXTS: Final[frozenset[TextName]] = frozenset(
    {
        "on_user_hitl_cancelled_message",
        "on_incompatible_msg_type_message",
        "on_late_message_answer",
        "on_customer_left_note",
    }
)
"""Texts that agents read: in the agents' language, whatever the customer's is."""


class Variables(TypedDict, total=False):
    """What texts can tell; a value may be missing or ``None`` wherever it is not known.

    :param agent_name: display name of the agent; ``agent_fallback_name`` stands in.
    :param user_name: display name of the customer.
    :param queue_position: 1 for who is next.
    :param wait_minutes: how long it is likely to take; rounded up.
    :param ticket_url: page of the ticket.
    :param ticket_id: its id in the helpdesk.
    :param opens_at: when somebody is there again; written in the time zone of the business hours.
    """

    agent_name: str | None
    user_name: str | None
    queue_position: int | None
    wait_minutes: float | None
    ticket_url: str | None
    ticket_id: str | None
    opens_at: datetime | None


VARIABLES: Final = tuple(Variables.__annotations__)

_TOKENS: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?…])\s+|\n+|(?<=[\u3002\uff01\uff1f])")
_LONGEST_VALUE: Final = 200
_SHORT: Final = 40


class _Variable(NamedTuple):
    name: str
    otherwise: str | None
    """Words for when there is no value, as in ``{user_name|there}``."""


class _Sentence(NamedTuple):
    parts: tuple[str | _Variable, ...]
    gap: str
    """What stands between this sentence and the one before."""


def check_text(text: str, *, variables: bool = True, any_name: bool = False) -> None:
    """Refuse a text with a variable nobody knows or a brace that belongs to none.

    :param variables: whether the text may have variables at all.
    :param any_name: let variables pass that are not known here; they never have a value.
    :raises ValueError: says what to write instead.
    """
    for part in _parts(text):
        if not isinstance(part, _Variable):
            continue
        if not variables:
            msg = "variables are not filled in here"
            raise ValueError(msg)
        if part.name not in VARIABLES and not any_name:
            # What is no name is a piece of the text, which is not shown.
            named = part.name.isidentifier() and len(part.name) <= _SHORT
            shown = f" {{{part.name}}}, {near(part.name, VARIABLES)}" if named else f" (known: {', '.join(VARIABLES)})"
            msg = f"unknown variable{shown}; braces themselves are written {{{{ and }}}}"
            raise ValueError(msg)


def fill_in(text: str, values: Mapping[str, str]) -> str:
    """Fill in a text's variables.

    A variable without a value is replaced by the words after its ``|``; if it has none, its sentence is left out.
    Nothing is left when that was true of every sentence. Values are never read for variables themselves.
    """
    told = ""
    for sentence in _sentences(text):
        words = [part if isinstance(part, str) else values.get(part.name) or part.otherwise for part in sentence.parts]
        if all(word is not None for word in words):
            told += sentence.gap + "".join(word for word in words if word)
    return told.strip()


def words_of(variables: Variables, zone: tzinfo | None) -> dict[str, str]:
    """Return the variables that have a value, as words.

    :param zone: for points in time; without one they are written as they come.
    :raises TypeError: a variable nobody knows.
    """
    words = {}
    for name, value in variables.items():
        if name not in VARIABLES:
            msg = f"unknown variable {name}, {near(name, VARIABLES)}"
            raise TypeError(msg)
        word = _word(value, zone)
        if word:
            words[name] = word
    return words


def _word(value: object, zone: tzinfo | None) -> str:
    match value:
        case None | bool():
            return ""
        case datetime():
            return (value.astimezone(zone) if zone and value.tzinfo else value).strftime("%Y-%m-%d %H:%M")
        case int() | float():
            # Nobody is told to be "number 0" or to wait for "0 minutes".
            return str(max(1, math.ceil(value))) if math.isfinite(value) and value >= 0 else ""
        case _:
            return " ".join(str(value).split())[:_LONGEST_VALUE]


def _parts(text: str) -> tuple[str | _Variable, ...]:
    """Tell a text's words from its variables.

    :raises ValueError: a brace stands alone.
    """
    parts: list[str | _Variable] = []
    words, end = "", 0
    for token in _TOKENS.finditer(text):
        words += text[end : token.start()]
        end = token.end()
        if token[1] is not None:
            name, bar, otherwise = token[1].partition("|")
            parts += [words, _Variable(name.strip(), otherwise if bar else None)]
            words = ""
        elif len(token[0]) == 2:
            words += token[0][0]
        else:
            msg = "a brace stands alone; braces themselves are written {{ and }}"
            raise ValueError(msg)
    return (*parts, words + text[end:])


@lru_cache(maxsize=1024)
def _sentences(text: str) -> tuple[_Sentence, ...]:
    sentences: list[_Sentence] = []
    parts: list[str | _Variable] = []
    gap = ""
    for part in _parts(text):
        if isinstance(part, _Variable):
            parts.append(part)
            continue
        end = 0
        for border in _SENTENCE_END.finditer(part):
            parts.append(part[end : border.start()])
            sentences.append(_Sentence(tuple(parts), gap))
            parts, gap, end = [], border[0], border.end()
        parts.append(part[end:])
    sentences.append(_Sentence(tuple(parts), gap))
    return tuple(sentences)
