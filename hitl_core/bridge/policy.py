"""What customers and agents are told, and when: the configuration of a hand-off (behaviour part 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from hitl_core._model import Model
from hitl_core.errors import ConfigurationError
from hitl_core.messages import AnyMessage, Markdown, Text

__all__ = ["NOTHING", "Policy"]

NOTHING: Final = "NULL"
"""As the whole of a text: say nothing (behaviour S030)."""

_AGENT_NAME: Final = "{agent_name}"


class Policy(Model):
    """The texts, commands and choices of a hand-off; frozen into its record when it starts (behaviour S045, S046).

    A text that is ``None`` or empty is the default one; the text ``NULL`` is never sent (behaviour S030, S031).

    :param on_handoff_message: to the customer, once the ticket exists.
    :param on_human_agent_assigned_message: to the customer, once for each change of agent; ``{agent_name}`` is filled
        in.
    :param on_hitl_stopped_message: to the customer, when the helpdesk's side has closed the session.
    :param on_user_hitl_cancelled_message: to the agent, when the customer, the bot or a timer ended it.
    :param on_incompatible_msg_type_message: to the agent, when the customer's channel cannot show what they sent.
    :param on_user_hitl_close_message: to the customer, after a close command.
    :param on_agent_assigned_timeout_message: to the customer, when nobody took the session in time.
    :param on_start_failed_message: to the customer, when no ticket could be made (behaviour F03).
    :param on_session_reopened_message: to the customer, when an agent opens a closed session again.
    :param on_unsupported_user_message: to the customer, when they sent a kind nobody knows (behaviour S084).
    :param on_message_failed_message: to the customer, when a message of theirs was refused or may be lost.
    :param agent_fallback_name: for an agent without a name (behaviour S092).
    :param user_close_commands: what the customer writes to end it; compared whole, trimmed, in lower case (S097).
    :param agent_assigned_timeout_seconds: how long a customer waits for an agent at most; 0 is for ever.
    :param customer_message_types: what the customer's channel can show; other kinds are answered to the agent (S079).
    :param on_late_agent_message: what becomes of an agent's message in an ended session: ``deliver`` it, or only
        ``notify`` the host (behaviour F07).
    :param on_session_reopened: whether reopening a session that the helpdesk's side had closed is a new hand-off.
    :param flow_on_hitl_stopped: whether the bot goes on by itself after the end (behaviour S126-S128).
    :param hand_back_marker: for the bot's history, so that a model does not believe itself silenced for ever.
    """

    model_config = ConfigDict(extra="forbid")

    on_handoff_message: str = Field(
        "I have passed your conversation on to our team. A human will be with you shortly.", repr=False
    )
    on_human_agent_assigned_message: str = Field("{agent_name} has joined the conversation.", repr=False)
    on_hitl_stopped_message: str = Field(
        "The agent has closed the conversation. I am the bot, and I am here again for you.", repr=False
    )
    on_user_hitl_cancelled_message: str = Field("(The customer has ended the session.)", repr=False)
    on_incompatible_msg_type_message: str = Field(
        "The customer cannot receive this kind of message. Please send it as text.", repr=False
    )
    on_user_hitl_close_message: str = Field(
        "You have ended the conversation with our team. I am the bot, and I am here again for you.", repr=False
    )
    on_agent_assigned_timeout_message: str = Field(
        "Nobody from our team is available right now; please try again later. Until then I will help as well as I can.",
        repr=False,
    )
    on_start_failed_message: str = Field(
        "I could not reach our team, so nobody has been told yet. Please try again in a little while.", repr=False
    )
    on_session_reopened_message: str = Field("Our team has opened the conversation again.", repr=False)
    on_unsupported_user_message: str = Field(
        "I cannot pass this kind of message on. Text, pictures, sound, videos and files work.", repr=False
    )
    on_message_failed_message: str = Field(
        "Your last message may not have reached our team. Please send it again, as shorter text if possible.",
        repr=False,
    )
    agent_fallback_name: str = Field("An agent", repr=False)
    user_close_commands: tuple[str, ...] = ("/end",)
    agent_assigned_timeout_seconds: float = Field(0, ge=0)
    customer_message_types: frozenset[str] = frozenset({"text", "markdown", "image", "audio", "video", "file", "bloc"})
    on_late_agent_message: Literal["deliver", "notify"] = "deliver"
    on_session_reopened: Literal["hand_over", "notify"] = "hand_over"
    flow_on_hitl_stopped: bool = True
    hand_back_marker: str = Field(
        "[The conversation with the human agent is over. You are answering the customer again.]", repr=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_default(cls, value: object, info: ValidationInfo) -> object:
        """Read an empty text, command or list of commands as the default (behaviour S031, R05)."""
        name = info.field_name or ""
        if value is None or value == "" or (name == "user_close_commands" and value in ((), [])):
            return cls.model_fields[name].default
        return (value,) if name == "user_close_commands" and isinstance(value, str) else value

    @field_validator("user_close_commands")
    @classmethod
    def _not_blank(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not command.strip() for command in value):
            msg = "a close command of blanks would end the hand-off by accident; leave it out for the default"
            raise ValueError(msg)
        return value

    def with_overrides(self, overrides: Mapping[str, Any] | None) -> Self:
        """Lay the fields of one hand-off over these; what is absent or ``None`` stays (behaviour S043, S044).

        :raises ConfigurationError: a field is unknown or wrong; names it, without its value.
        """
        given = {name: value for name, value in (overrides or {}).items() if value is not None}
        if not given:
            return self
        try:
            return type(self).model_validate({**self.model_dump(), **given})
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"
                for problem in error.errors(include_input=False, include_url=False, include_context=False)
            )
            msg = f"hand-off policy: {problems} (known: {', '.join(type(self).model_fields)})"
            raise ConfigurationError(msg) from None  # pydantic's error is a longer telling of the same

    def joined_text(self, name: str | None) -> str:
        """Return the text that says an agent joined."""
        return self.on_human_agent_assigned_message.replace(_AGENT_NAME, name or self.agent_fallback_name)

    def is_close_command(self, message: AnyMessage) -> bool:
        """Whether the customer wants to end the hand-off; a message without text never does (behaviour S097, R04)."""
        match message:
            case Text(text=text) | Markdown(markdown=text):
                said = text.strip().lower()
                return any(said == command.strip().lower() for command in self.user_close_commands)
            case _:
                return False
