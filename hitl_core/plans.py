"""Turning what somebody wants to say into hook calls that can be stored, repeated and accounted for.

Planning is pure and deterministic: the same input gives the same requests with the same keys, so a plan stored before
the first attempt can be carried on after a crash. A plan with key ``k`` has parts ``k/0``, ``k/1`` and so on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from hitl_core.calls import SendMessage, StartedSession, StartHitl, StartPlan, Visibility
from hitl_core.discovery import near_miss
from hitl_core.errors import InvalidRequestError, UnsupportedError
from hitl_core.extensions import map_words
from hitl_core.info import Capabilities, Limits, ProviderInfo, StartOptions, TextLimit
from hitl_core.messages import MESSAGE_TYPES, AnyMessage, Bloc, Media, Text, UnknownMessage, parse_message
from hitl_core.people import Author, ExternalUser
from hitl_core.relay import RelayContext, RelayStrategy
from hitl_core.rendering import (
    lower_message,
    neutralise_placeholders,
    sendable,
    sendable_text,
    shorten,
    split_message,
)
from hitl_core.sessions import HistoryEntry, HitlSession, SessionRef

__all__ = [
    "as_message",
    "describe_invalid",
    "plan_follow_ups",
    "plan_message",
    "plan_start",
    "start_step",
    "validate_options",
]


def plan_start(
    info: ProviderInfo,
    capabilities: Capabilities,
    limits: Limits,
    *,
    user: ExternalUser,
    title: str,
    description: str | None,
    history: Sequence[HistoryEntry],
    relay: RelayStrategy,
    options: Mapping[str, Any] | StartOptions | None,
    external_id: str | None,
    previous: SessionRef | None,
    key: str,
) -> StartPlan:
    """Render the history, fit everything to the account's limits and give the start its key.

    :raises InvalidRequestError: an option is unknown or wrong, the title is blank.
    """
    if not title.strip():
        msg = "a hand-off needs a title; agents see it in their list"
        raise InvalidRequestError(msg, operation="start_hitl")
    title = neutralise_placeholders(sendable_text(title.strip()), capabilities.placeholders)
    if description:
        description = neutralise_placeholders(sendable_text(description.strip()), capabilities.placeholders)
    opening = limits.opening or limits.text
    if description and opening and not opening.allows(description):
        msg = f"the description is longer than the {opening.max} {opening.unit} {info.title} takes; shorten it"
        raise InvalidRequestError(msg, operation="start_hitl")
    history = sendable(tuple(history))
    if capabilities.structured_history and limits.text:
        history = _fit_entries(history, limits.text)
    items = relay.plan(
        history,
        RelayContext(
            limits=limits,
            capabilities=capabilities,
            opening_used=opening.measure(description) if opening and description else 0,
        ),
    )
    request = StartHitl(
        user=user,
        title=shorten(title, limits.title) if limits.title else title,
        description=description or None,
        relay=sendable(items),  # a strategy may have words of its own, such as a summary
        options=sendable(validate_options(info, options)),
        external_id=external_id,
        previous=previous,
        key=f"{key}/0",
    )
    return StartPlan(request=request)


def _fit_entries(history: Iterable[HistoryEntry], limit: TextLimit) -> tuple[HistoryEntry, ...]:
    """Make each entry small enough for a vendor that takes a history entry by entry.

    Texts are split into several entries by the same author, as messages are; words of what cannot be split, such as the
    title of a card, are cut with an ellipsis.
    """
    fitted: list[HistoryEntry] = []
    for entry in history:
        for part in split_message(entry.message, limit):
            message = map_words(part, lambda text: shorten(text, limit))
            fitted.append(entry if message is entry.message else entry.model_copy(update={"message": message}))
    return tuple(fitted)


def start_step(plan: StartPlan, resume: dict[str, Any] | None, step: int) -> StartHitl:
    """Return the request of one step of a start, with the step's own key: ``k/0``, then ``k/0.1``, ``k/0.2``."""
    if step == 0:
        return plan.request
    return plan.request.model_copy(update={"resume": resume, "step": step, "key": f"{plan.request.key}.{step}"})


def plan_follow_ups(plan: StartPlan, started: StartedSession, capabilities: Capabilities) -> tuple[SendMessage, ...]:
    """Return the sends for the relay items the opening could not carry, in order."""
    if started.session is None:
        return ()
    base = plan.request.key.rpartition("/")[0]
    sends = []
    for index, item in enumerate(plan.request.relay):
        if index < started.relayed:
            continue
        sends.append(
            SendMessage(
                session=started.session,
                author=item.author or Author.bot(),
                message=item.attachment or Text(text=item.text or "-"),
                visibility="internal" if item.internal and capabilities.internal_notes else "public",
                key=f"{base}/{index + 1}",
            )
        )
    return tuple(sends)


def plan_message(
    info: ProviderInfo,
    capabilities: Capabilities,
    limits: Limits,
    *,
    session: HitlSession,
    message: AnyMessage,
    author: Author,
    visibility: Visibility,
    reopen: bool,
    key: str,
) -> tuple[SendMessage, ...]:
    """Lower a message to what the account can show and split it at its limits.

    :raises UnsupportedError: the kind of message is unknown, or a note where the vendor has none.
    :raises InvalidRequestError: a file is larger than the account takes.
    """
    if isinstance(message, UnknownMessage):
        known = ", ".join(MESSAGE_TYPES)
        msg = f"message type {message.type!r} is unknown{near_miss(message.type, MESSAGE_TYPES)} (known: {known})"
        raise UnsupportedError(msg)
    if visibility == "internal" and not capabilities.internal_notes:
        msg = f"{info.title} has no internal notes in this account; send it as public or not at all"
        raise UnsupportedError(msg)
    _check_sizes(info, limits, message)
    message, author = sendable(message), sendable(author)
    if capabilities.placeholders:
        message = map_words(message, lambda text: neutralise_placeholders(text, capabilities.placeholders))
    parts = [
        part
        for lowered in lower_message(message, types=capabilities.message_types, attachments=capabilities.attachments)
        for part in (split_message(lowered, limits.text) if limits.text else (lowered,))
    ]
    return tuple(
        SendMessage(
            session=session, author=author, message=part, visibility=visibility, reopen=reopen, key=f"{key}/{index}"
        )
        for index, part in enumerate(parts)
    )


def _check_sizes(info: ProviderInfo, limits: Limits, message: AnyMessage) -> None:
    items = message.items if isinstance(message, Bloc) else (message,)
    for item in items:
        if not isinstance(item, Media) or item.size is None or limits.attachment_bytes is None:
            continue
        if item.size > limits.attachment_bytes:
            msg = (
                f"the {item.type} has {item.size} bytes, more than the {limits.attachment_bytes} {info.title} takes; "
                "send a smaller one or a link"
            )
            raise InvalidRequestError(msg, operation="send_message")


def validate_options(info: ProviderInfo, options: Mapping[str, Any] | StartOptions | None) -> dict[str, Any]:
    """Return the JSON form of start options.

    :raises InvalidRequestError: an option is unknown or wrong; names it, without its value.
    """
    if isinstance(options, StartOptions):
        options = options.model_dump(exclude_unset=True)
    try:
        valid = info.options.model_validate(dict(options or {}))
    except ValidationError as error:
        raise InvalidRequestError(
            describe_invalid(error, "option", info.options.model_fields), provider=info.name, operation="start_hitl"
        ) from None  # pydantic's own error would be a second, longer telling of the same
    return valid.model_dump(mode="json", exclude_unset=True)


def describe_invalid(error: ValidationError, what: str, known: Mapping[str, Any]) -> str:
    """Say what is wrong with settings or options: names and rules, never values."""
    lines = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        name = ".".join(str(part) for part in problem["loc"])
        said = problem["msg"].removeprefix("Value error, ")
        match problem["type"]:
            case "extra_forbidden":
                hint = near_miss(name, known) or f"; known: {', '.join(known)}"
                lines.append(f"unknown {what} {name!r}{hint}")
            case "missing":
                lines.append(f"{what} {name!r} is required")
            case _:
                lines.append(f"{what} {name!r}: {said}" if name else said)  # a rule about several has no name
    return "\n".join(lines)


def as_message(message: str | AnyMessage | Mapping[str, Any]) -> AnyMessage:
    """Take a message as text, object or JSON object.

    :raises InvalidRequestError: empty text, or a payload rule is broken.
    """
    given: object = message  # anything, from callers without a type checker
    if isinstance(given, AnyMessage):
        return given
    if isinstance(given, str):
        given = {"type": "text", "text": given}
    if not isinstance(given, Mapping):
        msg = f"message is of type {type(given).__name__}; pass a text, a message such as hitl.Image(...), or its JSON"
        raise InvalidRequestError(msg, operation="send_message")
    try:
        return parse_message(dict(given))
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        msg = f"not a message: {where}: {problem['msg']}"
        raise InvalidRequestError(msg, operation="send_message") from None  # its input is somebody's words
