"""What a hook is asked and what it answers: one frozen request and one result each.

The spec grows by optional fields here, so that an older provider keeps working with a newer core.
"""

from hitl_core.calls.account import (
    AccountProfile,
    Availability,
    CheckAccount,
    CheckResult,
    CloseConnection,
    GetAvailability,
    Identify,
    OpenConnection,
)
from hitl_core.calls.finding import Absent, Finding, FindMessage, FindSession, Found, Inconclusive
from hitl_core.calls.handoff import (
    CreateUser,
    SendMessage,
    SendTyping,
    SentMessage,
    StartedSession,
    StartHitl,
    StartPlan,
    StopHitl,
    Transfer,
    Visibility,
)
from hitl_core.calls.reading import AttachmentStream, ChangePage, EventPage, ListChanges, ListEvents, OpenAttachment
from hitl_core.calls.registration import RegisterWebhook, UnregisterWebhook, WebhookRegistration
from hitl_core.calls.state import SessionState

__all__ = [
    "Absent",
    "AccountProfile",
    "AttachmentStream",
    "Availability",
    "ChangePage",
    "CheckAccount",
    "CheckResult",
    "CloseConnection",
    "CreateUser",
    "EventPage",
    "FindMessage",
    "FindSession",
    "Finding",
    "Found",
    "GetAvailability",
    "Identify",
    "Inconclusive",
    "ListChanges",
    "ListEvents",
    "OpenAttachment",
    "OpenConnection",
    "RegisterWebhook",
    "SendMessage",
    "SendTyping",
    "SentMessage",
    "SessionState",
    "StartHitl",
    "StartPlan",
    "StartedSession",
    "StopHitl",
    "Transfer",
    "UnregisterWebhook",
    "Visibility",
    "WebhookRegistration",
]
