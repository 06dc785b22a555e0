"""The configuration of a hand-off (behaviour part 3)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from functools import cached_property, lru_cache
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, Unpack

from pydantic import (
    Field,
    PlainSerializer,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from hitl_core.bridge.policy.commands import DEFAULT_COMMANDS, check_command, is_command
from hitl_core.bridge.policy.hours import BusinessHours
from hitl_core.bridge.policy.languages import BUILT_IN, ENGLISH
from hitl_core.bridge.policy.locales import PLAIN_TEXTS, LocaleTexts, by_tag, canonical, chain, is_empty, one_or_several
from hitl_core.bridge.policy.names import Configured, is_stored, refuse_unknown, renamed
from hitl_core.bridge.policy.overriding import lay_over
from hitl_core.bridge.policy.storing import read_stored
from hitl_core.bridge.policy.texts import (
    AGENT_TEXTS,
    NOTHING,
    TEXTS,
    TextName,
    Variables,
    check_text,
    fill_in,
    words_of,
)
from hitl_core.messages import MESSAGE_TYPES, AnyMessage, Markdown, Text

__all__ = ["FrozenPolicy", "Policy"]

_LONGEST_SECONDS: Final = 366 * 24 * 3600


def _text(name: TextName) -> Any:
    return Field(default=ENGLISH[name], repr=False)


def _seconds() -> Any:
    return Field(default=0, ge=0, le=_LONGEST_SECONDS, allow_inf_nan=False)


class Policy(Configured):
    """The texts, commands, timers and choices of a hand-off; frozen into its record (behaviour S045, S046).

    A text that is ``None`` or empty is the default one, which there is in several languages; the text ``NULL`` is
    never sent (behaviour S030, S031); as a close command it is a word like any other (S039). Texts may have variables
    in braces, see :class:`Variables`: ``{user_name|there}`` says "there" when the name is not known; without such
    words the whole sentence is left out. A brace itself is written twice. Times are in seconds, at most a year; 0 is
    never.

    :param on_handoff_message: to the customer, once the ticket exists.
    :param on_human_agent_assigned_message: to the customer, once for each change of agent.
    :param on_hitl_stopped_message: to the customer, when the helpdesk's side has closed the session.
    :param on_user_hitl_cancelled_message: to the agent, when the customer, the bot or a timer ended it.
    :param on_incompatible_msg_type_message: to the agent, when the customer's channel cannot show what they sent.
    :param on_user_hitl_close_message: to the customer, after a close command.
    :param on_agent_assigned_timeout_message: to the customer, when nobody took the session in time.
    :param on_start_failed_message: to the customer, when no ticket could be made (behaviour F03).
    :param on_session_reopened_message: to the customer, when an agent opens a closed session again.
    :param on_unsupported_user_message: to the customer, when they sent a kind nobody knows (behaviour S084).
    :param on_message_failed_message: to the customer, when a message of theirs was refused or may be lost.
    :param on_first_answer_timeout_message: to the customer, when the agent who took it has said nothing in time.
    :param on_agent_silence_message: to the customer, when they have waited too long for the agent's next answer.
    :param on_customer_silence_warning_message: to the customer, when the agent has waited long for their answer.
    :param on_customer_silence_message: to the customer, when the hand-off ended since they did not answer.
    :param on_maximum_duration_message: to the customer, when it ended since it had gone on for too long.
    :param on_off_hours_message: to the customer outside business hours: the message is taken, an answer comes later.
    :param on_off_hours_refused_message: to the customer outside business hours, when no message is taken.
    :param on_internal_error_message: to the customer, when the hand-off had to be given up (behaviour S150, F15).
    :param on_late_message_answer: to the agent who writes into an ended session (behaviour F07).
    :param on_stopped_by_operator_message: to the customer, when an operator of the bot ended it.
    :param on_customer_left_note: to the agent, when the hand-off ended since the customer did not answer.
    :param agent_fallback_name: for an agent without a name, or whose name is not shown (behaviour S092).
    :param hand_back_marker: for the bot's history, so that a model does not believe itself silenced for ever.
    :param user_close_command: what the customer writes to end it, one or several; compared whole, trimmed, in any case
        (behaviour S097, F11). ``re:`` begins a regular expression, such as ``re:(please )?stop``.
    :param agent_assigned_timeout_seconds: how long a customer waits for an agent at most.
    :param first_answer_timeout_seconds: how long an agent who took it may say nothing at all.
    :param agent_silence_timeout_seconds: how long the customer waits for each further answer.
    :param customer_silence_warning_seconds: how long the agent waits for an answer before the customer is asked.
    :param customer_silence_timeout_seconds: how long the agent waits for an answer before it ends.
    :param maximum_duration_seconds: how long it may go on altogether.
    :param on_first_answer_timeout: ``tell`` the customer only, or ``end`` it too.
    :param on_agent_silence: ``tell`` the customer only, or ``end`` it too.
    :param on_late_agent_message: what becomes of an agent's message in an ended session: ``deliver`` it,
        ``hand_over`` again, ``answer`` the agent that it is over, or only ``notify`` the host (behaviour F07).
    :param on_session_reopened: whether reopening a session that the helpdesk's side had closed is a new hand-off.
    :param off_hours: outside business hours, ``start`` all the same, ``leave_message`` for the team without waiting
        for it, or ``refuse``.
    :param use_human_agent_info: whether customers see the agent's own name and picture (behaviour S041).
    :param flow_on_hitl_stopped: whether the bot goes on by itself after the end (behaviour S126, S128).
    :param customer_message_types: what the customer's channel can show; other kinds are answered to the agent (S079).
    :param locales: texts and close commands by language, as BCP 47 tags; ``de-CH`` falls back to ``de`` (F33).
    :param default_locale: the language of customers whose own has no text.
    :param agent_locale: the language of what agents are told; ``default_locale`` unless given.
    :param business_hours: when somebody is there; always, unless given.
    """

    on_handoff_message: str = _text("on_handoff_message")
    on_human_agent_assigned_message: str = _text("on_human_agent_assigned_message")
    on_hitl_stopped_message: str = _text("on_hitl_stopped_message")
    on_user_hitl_cancelled_message: str = _text("on_user_hitl_cancelled_message")
    on_incompatible_msg_type_message: str = _text("on_incompatible_msg_type_message")
    on_user_hitl_close_message: str = _text("on_user_hitl_close_message")
    on_agent_assigned_timeout_message: str = _text("on_agent_assigned_timeout_message")
    on_start_failed_message: str = _text("on_start_failed_message")
    on_session_reopened_message: str = _text("on_session_reopened_message")
    on_unsupported_user_message: str = _text("on_unsupported_user_message")
    on_message_failed_message: str = _text("on_message_failed_message")
    on_first_answer_timeout_message: str = _text("on_first_answer_timeout_message")
    on_agent_silence_message: str = _text("on_agent_silence_message")
    on_customer_silence_warning_message: str = _text("on_customer_silence_warning_message")
    on_customer_silence_message: str = _text("on_customer_silence_message")
    on_maximum_duration_message: str = _text("on_maximum_duration_message")
    on_off_hours_message: str = _text("on_off_hours_message")
    on_off_hours_refused_message: str = _text("on_off_hours_refused_message")
    on_internal_error_message: str = _text("on_internal_error_message")
    on_late_message_answer: str = _text("on_late_message_answer")
    on_stopped_by_operator_message: str = _text("on_stopped_by_operator_message")
    on_customer_left_note: str = _text("on_customer_left_note")
    agent_fallback_name: str = _text("agent_fallback_name")
    hand_back_marker: str = _text("hand_back_marker")
    user_close_command: tuple[str, ...] = Field(default=DEFAULT_COMMANDS, repr=False)
    agent_assigned_timeout_seconds: float = _seconds()
    first_answer_timeout_seconds: float = _seconds()
    agent_silence_timeout_seconds: float = _seconds()
    customer_silence_warning_seconds: float = _seconds()
    customer_silence_timeout_seconds: float = _seconds()
    maximum_duration_seconds: float = _seconds()
    on_first_answer_timeout: Literal["tell", "end"] = "end"
    on_agent_silence: Literal["tell", "end"] = "tell"
    on_late_agent_message: Literal["deliver", "hand_over", "answer", "notify"] = "deliver"
    on_session_reopened: Literal["hand_over", "notify"] = "hand_over"
    off_hours: Literal["start", "leave_message", "refuse"] = "leave_message"
    use_human_agent_info: bool = True
    flow_on_hitl_stopped: bool = True
    customer_message_types: frozenset[str] = frozenset({"text", "markdown", "image", "audio", "video", "file", "bloc"})
    locales: dict[str, LocaleTexts] = Field(default_factory=dict, repr=False)
    default_locale: str | None = None
    agent_locale: str | None = None
    business_hours: BusinessHours | None = None

    # Reading ----------------------------------------------------------------------------------------------------

    @classmethod
    def named(cls, given: Mapping[Any, Any]) -> dict[str, Any]:
        """Return what is given, under the names of fields."""
        return renamed(given)

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_default(cls, value: object, info: ValidationInfo) -> object:
        """Read what is empty as not given (behaviour S031, R05)."""
        name = info.field_name or ""
        if is_empty(value) and not (name == "user_close_command" and value):
            return cls.model_fields[name].get_default(call_default_factory=True)
        if name == "user_close_command":
            return one_or_several(value) if value else DEFAULT_COMMANDS
        return value

    @field_validator(*TEXTS)
    @classmethod
    def _texts(cls, value: str, info: ValidationInfo) -> str:
        if value != NOTHING:
            check_text(value, variables=info.field_name not in PLAIN_TEXTS, any_name=is_stored(info))
        return value

    @field_validator("user_close_command")
    @classmethod
    def _commands(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for command in value:
            check_command(command)
        return value

    @field_validator("customer_message_types")
    @classmethod
    def _kinds(cls, value: frozenset[str], info: ValidationInfo) -> frozenset[str]:
        if not is_stored(info):
            refuse_unknown(sorted(value), MESSAGE_TYPES, "message type")
        return value

    @field_validator("locales", mode="before")
    @classmethod
    def _tags(cls, value: Any, info: ValidationInfo) -> Any:
        return by_tag(value, tolerant=is_stored(info)) if isinstance(value, Mapping) else value

    @field_validator("default_locale", "agent_locale")
    @classmethod
    def _tag(cls, value: str | None, info: ValidationInfo) -> str | None:
        return canonical(value, tolerant=is_stored(info)) if value else None

    @model_validator(mode="after")
    def _warned_before_the_end(self) -> Self:
        end = self.customer_silence_timeout_seconds
        if 0 < end <= self.customer_silence_warning_seconds:
            msg = "customer_silence_warning_seconds must be less than customer_silence_timeout_seconds"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _has_texts_to_fall_back_to(self, info: ValidationInfo) -> Self:
        asked = {name: getattr(self, name) for name in ("default_locale", "agent_locale")}
        if is_stored(info) or not any(asked.values()):
            return self
        no_text = {"user_close_command"}
        own = (tag for tag, texts in self.locales.items() if texts.model_dump(exclude_defaults=True, exclude=no_text))
        there = sorted({*BUILT_IN, *own})
        for name, locale in asked.items():
            if locale and set(chain(locale)).isdisjoint(there):
                msg = f"{name}: there are no texts in that language, only in {', '.join(there)}; write some in locales"
                raise ValueError(msg)
        return self

    # Asking -----------------------------------------------------------------------------------------------------

    def text(self, name: TextName, *, locale: str | None = None, **variables: Unpack[Variables]) -> str | None:
        """Return a text as it is to be sent; ``None``: say nothing (behaviour S030).

        Looked for in the texts configured for the language (``de-CH``, then ``de``), those for ``default_locale``, the
        one configured for all; then in the built-in ones, in the same order, English last. A text of which nothing is
        left, since it has no values for its variables, is passed over.

        :param locale: the customer's language, as a BCP 47 tag; texts for agents are in ``agent_locale`` instead.
        :param variables: see :class:`Variables`.
        :raises TypeError: a variable nobody knows.
        """
        if name in AGENT_TEXTS:
            locale = self.agent_locale
        values = words_of(variables, self._zone)
        if "agent_name" not in values or not (self.use_human_agent_info or name in AGENT_TEXTS):
            values["agent_name"] = self._agent_stand_in(locale)
        for text in self._candidates(name, locale):
            if text == NOTHING:
                return None
            told = fill_in(text, values)
            if told:
                return told
        return None

    def agent_name(self, name: str | None, *, locale: str | None = None) -> str:
        """Return what a customer is shown as an agent's name (behaviour S041, S092)."""
        shown = " ".join((name or "").split()) if self.use_human_agent_info else ""
        return shown or self._agent_stand_in(locale)

    def is_close_command(self, message: AnyMessage, locale: str | None = None) -> bool:
        """Whether the customer wants to end the hand-off; a message without text never does (behaviour S097, R04).

        :param locale: the customer's language; commands for all hold besides its own.
        """
        match message:
            case Text(text=text) | Markdown(markdown=text):
                own = (self.locales[tag].user_close_command for tag in self._tags_of(locale) if tag in self.locales)
                return any(is_command(text, commands) for commands in (self.user_close_command, *own))
            case _:
                return False

    def is_off_hours(self, now: datetime) -> bool:
        """Whether it is outside business hours; ``off_hours`` says what a start then comes to."""
        return self.business_hours is not None and not self.business_hours.is_open(now)

    def next_opening(self, now: datetime) -> datetime | None:
        """Return when somebody is there next, for ``{opens_at}``; ``None``: there are no hours, or none are left."""
        return self.business_hours.next_opening(now) if self.business_hours else None

    def _candidates(self, name: TextName, locale: str | None) -> Iterator[str]:
        tags = self._tags_of(locale)
        for tag in tags:
            if tag in self.locales and (text := getattr(self.locales[tag], name)) is not None:
                yield text
        if (text := getattr(self, name)) != ENGLISH[name]:
            yield text
        for texts in (BUILT_IN[tag] for tag in (*tags, "en") if tag in BUILT_IN):
            variant = f"{name}/{self._choice(name)}"
            yield texts.get(variant, texts.get(name, ENGLISH[name]))

    def _tags_of(self, locale: str | None) -> tuple[str, ...]:
        return chain(locale) + chain(self.default_locale)

    def _choice(self, name: TextName) -> str:
        return str(getattr(self, name.removesuffix("_message"), ""))

    def _agent_stand_in(self, locale: str | None) -> str:
        return next(text for text in self._candidates("agent_fallback_name", locale) if text != NOTHING)

    @property
    def _zone(self) -> tzinfo | None:
        return self.business_hours.zone if self.business_hours else None

    # Laying over ------------------------------------------------------------------------------------------------

    def with_overrides(self, overrides: Mapping[str, Any] | None) -> Self:
        """Lay the fields of one hand-off over these; what is absent or ``None`` stays (behaviour S043, S044).

        ``locales`` are laid over text by text too. A text or command given for all replaces those of the languages: it
        is meant for this one customer.

        :raises ConfigurationError: a field is unknown or wrong; names it, without its value.
        """
        if not overrides or all(value is None for value in overrides.values()):
            return self
        return self.checked(lambda: lay_over(self, self.locales, overrides), "hand-off policy")

    # Storing ----------------------------------------------------------------------------------------------------

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy; it has its own stored form."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("_stored", None)
        return copied

    def to_stored(self) -> str:
        """Return what differs from the defaults, as JSON; equal policies give equal text."""
        return self._stored

    @cached_property
    def _stored(self) -> str:
        fields = self.model_dump(mode="json", exclude_defaults=True)
        if "customer_message_types" in fields:
            fields["customer_message_types"].sort()  # a set has no order of its own
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_stored(cls, stored: str) -> Policy:
        """Read a stored policy; equal text gives the same object.

        What a newer version wrote and this one does not know is left out, and told to the log.
        """
        return _from_stored(stored)


@lru_cache(maxsize=256)
def _from_stored(stored: str) -> Policy:
    return read_stored(Policy, stored)


def _thaw(value: object, read: ValidatorFunctionWrapHandler) -> Policy:
    policy: Policy = Policy.from_stored(value) if isinstance(value, str) else read(value)
    return policy


FrozenPolicy: TypeAlias = Annotated[
    Policy, WrapValidator(_thaw), PlainSerializer(Policy.to_stored, return_type=str, when_used="json")
]
"""A policy as a field of a record: in JSON it is the text of :meth:`Policy.to_stored`, read once for all records."""
