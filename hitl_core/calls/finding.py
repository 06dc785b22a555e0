"""Did a write whose answer was lost take effect?"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from hitl_core._model import Model
from hitl_core.calls.handoff import SendMessage, SentMessage, StartedSession, StartHitl

__all__ = [
    "Absent",
    "FindMessage",
    "FindSession",
    "Finding",
    "Found",
    "Inconclusive",
]


class FindSession(Model):
    """Did this start take effect?

    :param request: the start whose outcome is in doubt, as it was asked.
    :param sent_after: nothing of it can be older.
    :param known_ids: sessions that are accounted for.
    """

    request: StartHitl
    sent_after: AwareDatetime
    known_ids: frozenset[str] = frozenset()


class FindMessage(Model):
    """Did this send take effect?

    :param request: the message whose outcome is in doubt, as it was asked.
    :param sent_after: nothing of it can be older.
    :param known_ids: messages that are accounted for, though their text may be the same.
    """

    request: SendMessage
    sent_after: AwareDatetime
    known_ids: frozenset[str] = frozenset()


class Finding(Model):
    """What a search for an ambiguous write came to: :class:`Found`, :class:`Absent` or :class:`Inconclusive`."""


class Found(Finding):
    """It took effect, and this is it."""

    outcome: Literal["found"] = "found"
    started: StartedSession | None = None
    sent: SentMessage | None = None


class Absent(Finding):
    """It did not take effect; a repeat is safe."""

    outcome: Literal["absent"] = "absent"


class Inconclusive(Finding):
    """It cannot be told, or not yet.

    :param retry_after: seconds after which asking again may help.
    """

    outcome: Literal["inconclusive"] = "inconclusive"
    retry_after: float | None = None
