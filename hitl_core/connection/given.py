"""What callers hand over, taken as it is or refused in one sentence that says what to hand over instead.

No sentence quotes what was given: it may be a customer's words in the wrong place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from hitl_core.discovery import near_miss
from hitl_core.errors import InvalidRequestError
from hitl_core.events import StopReason
from hitl_core.people import Author, EndUser, ExternalUser
from hitl_core.rendering import sendable, sendable_text
from hitl_core.sessions import HistoryEntry, HitlSession, SessionRef

__all__ = [
    "author_of",
    "end_user_of",
    "history_of",
    "previous_of",
    "reason_of",
    "session_of",
    "sound_facts",
    "title_of",
    "user_of",
]

_ENTRIES: Final = 'hitl.HistoryEntry.of(hitl.Author.user(user), "their words")'


def session_of(given: object) -> HitlSession | SessionRef:
    """Take a session or its reference."""
    if isinstance(given, HitlSession | SessionRef):
        return given
    raise _refused(
        "session", given, "the session start_hitl gave, or hitl.SessionRef(connection=connection.key, id=...)"
    )


def previous_of(given: object) -> SessionRef | None:
    """Take the reference of an earlier session, if any."""
    if given is None or isinstance(given, SessionRef):
        return given
    raise _refused("previous", given, "the earlier session's ref")


def title_of(given: object) -> str:
    """Take a title."""
    if isinstance(given, str):
        return given
    raise _refused("title", given, "a text; agents see it in their list")


def user_of(given: object) -> ExternalUser:
    """Take the customer as the helpdesk knows them."""
    if isinstance(given, ExternalUser):
        return given
    raise _refused("user", given, "what `await connection.create_user(...)` gave")


def end_user_of(given: object) -> EndUser | None:
    """Take the customer as the bot knows them, if given in one piece."""
    if given is None or isinstance(given, EndUser):
        return given
    raise _refused("user", given, "a hitl.EndUser, or its fields by name, such as name=... and external_id=...")


# They mean something else with a character less, so one that is not sound is left out rather than mended.
_WHOLE: Final = frozenset({"email", "phone", "avatar_url", "locale"})


def sound_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of a customer without characters no helpdesk takes; ``external_id`` is left alone."""
    return {name: _fact(name, value) for name, value in facts.items()}


def _fact(name: str, value: Any) -> Any:
    if name == "external_id":
        return value
    if name in _WHOLE and isinstance(value, str):
        return value if sendable_text(value) is value else None
    return sendable(value)


def author_of(given: object, otherwise: Author) -> Author:
    """Take an author, or ``otherwise`` when none is given."""
    if given is None:
        return otherwise
    if isinstance(given, Author):
        return given
    raise _refused(
        "author", given, "hitl.Author.user(user), hitl.Author.bot(), hitl.Author.agent(agent) or hitl.Author.system()"
    )


def history_of(given: object) -> tuple[HistoryEntry, ...]:
    """Take a history, oldest first."""
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise _refused("history", given, f"a list with one {_ENTRIES} for each message")
    entries: tuple[Any, ...] = tuple(given)
    for number, entry in enumerate(entries):
        if not isinstance(entry, HistoryEntry):
            raise _refused(f"history[{number}]", entry, _ENTRIES)
    return entries


def reason_of(given: object) -> StopReason:
    """Take a reason to stop; unlike a reason of a helpdesk's, one that is unknown is a mistake."""
    known = [reason.value for reason in StopReason]
    if isinstance(given, str) and given in known:
        return StopReason(given)
    guess = near_miss(given, known) if isinstance(given, str) else ""
    msg = f"reason is not a known one{f'{guess} Pass' if guess else '; pass'} one of {', '.join(known)}"
    raise InvalidRequestError(msg)


def _refused(name: str, given: object, instead: str) -> InvalidRequestError:
    return InvalidRequestError(f"{name} is of type {type(given).__name__}; pass {instead}")
