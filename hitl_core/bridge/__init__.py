"""Keeping a bot's conversation and a helpdesk's session in step.

:func:`decide` is the hand-off itself, as a pure function; :class:`MemoryBridge` carries its effects out, with
everything in memory: what it knows ends with the process.

    bridge = MemoryBridge({"desk": connection}, host, Policy())
    await bridge.start_hitl("conv-42", user, "Refund", history=history)
    handled = await bridge.handle_user_message("conv-42", "Any news?", message_id="m-7")
    if not handled.silence: ...                                    # the bot answers
    receipt = await bridge.receive_webhook("desk", headers=headers, body=body)
"""

from hitl_core.bridge.effects import (
    Effect,
    NotifyBot,
    Resume,
    SendToDesk,
    StartSession,
    StopSession,
    TellCustomer,
)
from hitl_core.bridge.host import Handled, Host, Notice, Receipt, StartResult
from hitl_core.bridge.inputs import (
    AgentEvent,
    EffectDone,
    EffectFailed,
    Failure,
    Input,
    StartRequested,
    StopRequested,
    TimerFired,
    UserMessage,
)
from hitl_core.bridge.machine import Decision, decide, state_events
from hitl_core.bridge.memory import MemoryBridge
from hitl_core.bridge.policy import NOTHING, Policy
from hitl_core.bridge.records import EndReason, HandBack, Handoff, Owner, PendingMessage, Phase

__all__ = [
    "NOTHING",
    "AgentEvent",
    "Decision",
    "Effect",
    "EffectDone",
    "EffectFailed",
    "EndReason",
    "Failure",
    "HandBack",
    "Handled",
    "Handoff",
    "Host",
    "Input",
    "MemoryBridge",
    "Notice",
    "NotifyBot",
    "Owner",
    "PendingMessage",
    "Phase",
    "Policy",
    "Receipt",
    "Resume",
    "SendToDesk",
    "StartRequested",
    "StartResult",
    "StartSession",
    "StopRequested",
    "StopSession",
    "TellCustomer",
    "TimerFired",
    "UserMessage",
    "decide",
    "state_events",
]
