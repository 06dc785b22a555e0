"""Keeping a bot's conversation and a helpdesk's session in step, whatever happens.

:func:`decide` is the hand-off itself, as a pure function; :class:`Bridge` carries its effects out and keeps everything
in a database: SQLite without any set-up, or PostgreSQL for many machines. Needs ``pip install 'hitl-core[bridge]'``.

    async with Bridge(connection, host, "sqlite:///hitl.db") as bridge:
        await bridge.start_hitl("conv-42", user, "Refund", history=history)
        handled = await bridge.handle_user_message("conv-42", "Any news?", message_id="m-7")
        if not handled.silence: ...                                    # the bot answers
        receipt = await bridge.receive_webhook("desk", headers=headers, body=body)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hitl_core.bridge.handoff import (
    AgentEvent,
    Decision,
    Effect,
    EffectDone,
    EffectFailed,
    EndReason,
    Failure,
    HandBack,
    Handoff,
    Input,
    NotifyBot,
    Owner,
    PauseRequested,
    PendingMessage,
    Phase,
    Resume,
    ResumeRequested,
    SendToDesk,
    SessionRead,
    StartRequested,
    StartSession,
    StopRequested,
    StopSession,
    TellCustomer,
    TimerFired,
    UserMessage,
    decide,
)
from hitl_core.bridge.host import Handled, Host, Notice, Receipt, StartResult
from hitl_core.bridge.hosts import CallbackHost, HandedBack, Noticed, QueueHost, SeenKeys, ToCustomer
from hitl_core.bridge.policy import NOTHING, BusinessHours, LocaleTexts, Policy, Route, Routing
from hitl_core.bridge.talking import Turn, answering

if TYPE_CHECKING:
    from hitl_core.bridge.bridge import Bridge
    from hitl_core.bridge.store.base import Store

__all__ = [
    "NOTHING",
    "AgentEvent",
    "Bridge",
    "BusinessHours",
    "CallbackHost",
    "Decision",
    "Effect",
    "EffectDone",
    "EffectFailed",
    "EndReason",
    "Failure",
    "HandBack",
    "HandedBack",
    "Handled",
    "Handoff",
    "Host",
    "Input",
    "LocaleTexts",
    "Notice",
    "Noticed",
    "NotifyBot",
    "Owner",
    "PauseRequested",
    "PendingMessage",
    "Phase",
    "Policy",
    "QueueHost",
    "Receipt",
    "Resume",
    "ResumeRequested",
    "Route",
    "Routing",
    "SeenKeys",
    "SendToDesk",
    "SessionRead",
    "StartRequested",
    "StartResult",
    "StartSession",
    "StopRequested",
    "StopSession",
    "Store",
    "TellCustomer",
    "TimerFired",
    "ToCustomer",
    "Turn",
    "UserMessage",
    "answering",
    "decide",
]

# The database comes with an extra: what decides and what a bot is written against works without it.
_WITH_A_DATABASE = {"Bridge": "hitl_core.bridge.bridge", "Store": "hitl_core.bridge.store.base"}


def __getattr__(name: str) -> Any:
    if name not in _WITH_A_DATABASE:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    try:
        return getattr(import_module(_WITH_A_DATABASE[name]), name)
    except ModuleNotFoundError as error:
        from hitl_core.errors import ConfigurationError

        if (error.name or "").partition(".")[0] not in {"sqlalchemy", "alembic", "cryptography"}:
            raise
        msg = f"{name} needs a package that is not installed ({error.name}); run: pip install 'hitl-core[bridge]'"
        raise ConfigurationError(msg) from error
