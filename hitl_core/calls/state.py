"""How a session stands."""

from __future__ import annotations

from pydantic import AwareDatetime

from hitl_core._model import Model
from hitl_core.people import Agent
from hitl_core.sessions import SessionRef

__all__ = [
    "SessionState",
]


class SessionState(Model):
    """How a session stands now.

    :param final: ended for good; what comes next needs a new session.
    :param status: the vendor's own word for it.
    :param moved_to: the session it was merged into.
    """

    open: bool
    final: bool = False
    agent: Agent | None = None
    status: str | None = None
    updated_at: AwareDatetime | None = None
    moved_to: SessionRef | None = None
