"""Names in a configuration: other names of fields, near misses of unknown ones, errors without anybody's values."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, ClassVar, Final, Self

from pydantic import ConfigDict, ValidationError, ValidationInfo, model_validator

from hitl_core._model import Model
from hitl_core.errors import ConfigurationError

__all__ = ["ALIASES", "Configured", "explain", "is_stored", "near", "refuse_unknown", "renamed"]

logger = logging.getLogger(__name__)

ALIASES: Final = {
    "onHitlHandoffMessage": "on_handoff_message",
    "onHumanAgentAssignedMessage": "on_human_agent_assigned_message",
    "onHitlStoppedMessage": "on_hitl_stopped_message",
    "onUserHitlCancelledMessage": "on_user_hitl_cancelled_message",
    "onIncompatibleMsgTypeMessage": "on_incompatible_msg_type_message",
    "onUserHitlCloseMessage": "on_user_hitl_close_message",
    "onAgentAssignedTimeoutMessage": "on_agent_assigned_timeout_message",
    "userHitlCloseCommand": "user_close_command",
    "userHitlCloseCommands": "user_close_command",
    "user_close_commands": "user_close_command",
    "agentAssignedTimeoutSeconds": "agent_assigned_timeout_seconds",
    "useHumanAgentInfo": "use_human_agent_info",
    "flowOnHitlStopped": "flow_on_hitl_stopped",
}
"""Other names that fields go by: those of the reference (behaviour S032-S042), and the plural."""

STORED: Final = {"stored": True}
"""Context of a validation: this was configured before, perhaps by a newer version; see ``Policy.from_stored``."""

_LONGEST_NAME: Final = 60
"""Longer names are not shown: they are more likely a value in the wrong place."""
_MOST_SHOWN: Final = 200


def near(name: str, known: Iterable[str]) -> str:
    """Return what may be said after an unknown name: the likeliest meant one, else those there are."""
    known = list(known)
    folded = {one.casefold(): one for one in known}
    close = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean {folded[close[0]]}?"
    names = ", ".join(known)
    if len(names) > _MOST_SHOWN:
        names = f"{names[:_MOST_SHOWN].rpartition(', ')[0]}, and more"
    return f"known: {names}"


def refuse_unknown(given: Iterable[object], known: Iterable[str], what: str) -> None:
    """Refuse names nobody knows.

    :raises ValueError: names them, each with a near miss.
    """
    known = list(known)
    unknown = [str(name) for name in given if name not in known]
    if unknown:
        raise ValueError(
            "; ".join(
                f"unknown {what} {name}, {near(name, known)}" if len(name) <= _LONGEST_NAME else f"unknown {what}"
                for name in unknown
            )
        )


def renamed(given: Mapping[Any, Any]) -> dict[str, Any]:
    """Return what is given under the names of fields.

    :raises ValueError: one field is given under two names.
    """
    fields: dict[str, Any] = {}
    names: dict[str, str] = {}
    for name, value in given.items():
        field = ALIASES.get(name, name)
        if value is not None and fields.get(field) is not None:
            msg = f"{names[field]} and {name} are the same field; give one of them"
            raise ValueError(msg)
        if field not in fields or value is not None:
            fields[field], names[field] = value, name
    return fields


def explain(error: ValidationError) -> str:
    """Return a validation error as one line: where and what, never the values."""
    problems = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        place = ".".join(str(part) for part in problem["loc"])
        problems.append(f"{place + ': ' if place else ''}{problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(problems)


def is_stored(info: ValidationInfo) -> bool:
    """Whether what is read was configured before, so that what is not known here may come from a newer version."""
    return info.context is STORED


class Configured(Model):
    """What people write into settings: a name nobody knows is refused, with a near miss."""

    model_config = ConfigDict(extra="forbid")

    what: ClassVar[str] = "field"
    """What its names are, for errors."""

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> Self:
        """Read settings, such as those of a file.

        :raises ConfigurationError: a name is unknown or a value wrong; names it, without its value.
        """
        return cls.checked(lambda: settings, re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cls.__name__).lower())

    @classmethod
    def checked(cls, settings: Callable[[], Mapping[str, Any]], of: str) -> Self:
        """Read settings that are yet to be put together, with one kind of error for all that may be wrong with them.

        :param of: what they are of, for the error.
        :raises ConfigurationError: names what is wrong, without its value.
        """
        try:
            return cls.model_validate(settings())
        except ValidationError as error:
            told = explain(error)
        except ValueError as error:
            told = str(error)
        msg = f"{of}: {told}"
        raise ConfigurationError(msg)

    @classmethod
    def named(cls, given: Mapping[Any, Any]) -> dict[str, Any]:
        """Return what is given, under the names of fields."""
        return dict(given)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, given: Any, info: ValidationInfo) -> Any:
        if not isinstance(given, Mapping):
            return given
        given = cls.named(given)
        if is_stored(info):
            newer = [name for name in given if name not in cls.model_fields]
            if newer:
                logger.warning("a stored policy has what this version does not know: %s", ", ".join(newer))
            return {name: value for name, value in given.items() if name in cls.model_fields}
        refuse_unknown(given, cls.model_fields, cls.what)
        return given
