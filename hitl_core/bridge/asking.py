"""What a host hands in, taken as it is or refused in one sentence that quotes nothing of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from hitl_core.bridge.store.tables import storable
from hitl_core.connection.given import title_of
from hitl_core.errors import InvalidRequestError
from hitl_core.people import EndUser

__all__ = [
    "age_of",
    "checked",
    "customer_of",
    "fields_of",
    "id_of",
    "named",
    "names_of",
    "patience_of",
    "subject_of",
    "within",
]

ModelT = TypeVar("ModelT", bound=BaseModel)

_LONGEST_ID: Final = 500
_LONGEST_KEY: Final = 200
_FOREVER: Final = 10**9
_UNSTORABLE: Final = "cannot be stored: it has a character that no database holds, such as \\0"
_FIELDS: Final = {"connections": "connection"}
"""What a field is called by those who call us."""


def named(conversation_id: object) -> str:
    """Take the id of a conversation.

    :raises InvalidRequestError: it is empty, endless, or nothing a database can hold.
    """
    id_ = id_of("conversation_id", conversation_id, "the host knows the conversation by")
    if len(id_) > _LONGEST_ID:
        msg = f"conversation_id has {len(id_)} characters; give one of {_LONGEST_ID} at most, such as its hash"
        raise InvalidRequestError(msg)
    return id_


def id_of(name: str, given: object, what: str) -> str:
    """Take an id.

    :param what: whose, to be read after "the id ".
    :raises InvalidRequestError: it is empty, or nothing a database can hold.
    """
    if isinstance(given, str) and given and storable(given):
        return given
    if isinstance(given, str) and given:
        msg = f"{name} {_UNSTORABLE}; give the id {what} without it"
        raise InvalidRequestError(msg)
    msg = f"{name} {'is empty' if given is None or given == '' else 'is no text'}; give the id {what}, as a text"
    raise InvalidRequestError(msg)


def within(key: str) -> str:
    """Return a key no longer than an index takes: a long one's hash."""
    return key if len(key) <= _LONGEST_KEY else hashlib.sha256(key.encode()).hexdigest()


def customer_of(user: EndUser | None) -> EndUser | None:
    """Take a customer, if there is one.

    :raises InvalidRequestError: their id is endless, or nothing a database can hold.
    """
    known_by = user.external_id if isinstance(user, EndUser) else None
    if known_by is not None and not storable(known_by):
        msg = f"the external_id of user {_UNSTORABLE}; give one without it"
        raise InvalidRequestError(msg)
    if known_by is not None and len(known_by) > _LONGEST_ID:
        msg = f"the external_id of user has {len(known_by)} characters; give one of {_LONGEST_ID} at most"
        raise InvalidRequestError(msg)
    return user


def subject_of(title: object) -> str:
    """Take the title of a hand-off.

    :raises InvalidRequestError: it is none, or blank.
    """
    subject = title_of(title)
    if not subject.strip():
        msg = "title is blank; say what it is about, agents see it in their list"
        raise InvalidRequestError(msg)
    return subject


def fields_of(name: str, given: object) -> dict[str, Any]:
    """Take some fields by name.

    :raises InvalidRequestError: they are no such thing.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        msg = f"{name} is of type {type(given).__name__}; give a dict of names and values"
        raise InvalidRequestError(msg)
    return dict(given)


def names_of(name: str, given: object) -> tuple[str, ...]:
    """Take one name, or several.

    :raises InvalidRequestError: they are no such thing.
    """
    several = (given,) if isinstance(given, str) else given
    if isinstance(several, Iterable) and not isinstance(several, bytes):
        names = tuple(several)
        if all(isinstance(one, str) for one in names):
            return names
    msg = f"{name} is of type {type(given).__name__}; give the name of one, or a list of names"
    raise InvalidRequestError(msg)


def patience_of(name: str, given: object) -> float:
    """Take how long somebody wants to wait, in seconds; there is no longest.

    :raises InvalidRequestError: it is no such number.
    """
    if isinstance(given, int | float) and not isinstance(given, bool) and given >= 0:
        return float(min(given, _FOREVER))
    msg = f"{name} is no such time; give a number of seconds, 0 or more"
    raise InvalidRequestError(msg)


def age_of(name: str, given: object, now: datetime) -> timedelta:
    """Take how long ago something has to be over.

    :raises InvalidRequestError: it is no such time.
    """
    if not isinstance(given, timedelta):
        msg = f"{name} is of type {type(given).__name__}; give a datetime.timedelta, such as timedelta(days=90)"
        raise InvalidRequestError(msg)
    if not timedelta(0) <= given < now - datetime.min.replace(tzinfo=now.tzinfo):
        wrong = "is negative" if given < timedelta(0) else "is longer than there are years"
        msg = f"{name} {wrong}; give how long ago they have to have ended, such as timedelta(days=90)"
        raise InvalidRequestError(msg)
    return given


def checked(cls: type[ModelT], **fields: Any) -> ModelT:
    """Make an input.

    :raises InvalidRequestError: a field is none it can be made of; names it.
    """
    try:
        return cls(**fields)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(_FIELDS.get(str(part), str(part)) for part in problem["loc"])
        msg = f"{where} cannot be taken: {problem['msg']}"
        raise InvalidRequestError(msg) from None  # its input is somebody's words
