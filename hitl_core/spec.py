"""The hook spec: what a provider implements.

A provider is a class with ``info``, an ``__init__`` taking a :class:`~hitl_core.context.ProviderContext`, and methods
marked with :data:`hookimpl`. A method may carry the vendor's own word for what it does and name the hook it stands
for: ``@hookimpl(specname="start_hitl") async def create_ticket(self, request): ...``. Each hook takes one frozen
``request`` (which an implementation may leave out when it needs nothing of it) and gives one result; all are
coroutines but ``verify_webhook``.
"""

from __future__ import annotations

from typing import Final, Protocol

import pluggy

from hitl_core import calls, people, webhooks

__all__ = ["CAPABILITY_HOOKS", "OPTIONAL_HOOKS", "PROJECT", "REQUIRED_HOOKS", "ProviderHooks", "hookimpl", "hookspec"]

PROJECT: Final = "hitl"
"""pluggy's project name."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a provider's method as the implementation of a hook."""


class ProviderHooks(Protocol):
    """Every hook a provider may implement."""

    # Life of the instance -------------------------------------------------------------------------------------

    @hookspec(firstresult=True)
    async def open(self, request: calls.OpenConnection) -> calls.AccountProfile | None:
        """Set the instance up; say what the account really allows. Called once, before anything else."""

    @hookspec(firstresult=True)
    async def close(self, request: calls.CloseConnection) -> None:
        """Tear the instance down. Called once, last; must not raise for what is already gone."""

    @hookspec(firstresult=True)
    async def check(self, request: calls.CheckAccount) -> list[calls.CheckResult]:
        """Find out whether credentials, permissions, webhooks and limits are in place, and how to mend each.

        What is wrong with the account is a result, not an exception.
        """

    @hookspec(firstresult=True)
    async def identify(self, request: calls.Identify) -> people.BotIdentity:
        """Say who the credentials act as: the basis of echo suppression (behaviour F24)."""

    # Towards the helpdesk -------------------------------------------------------------------------------------

    @hookspec(firstresult=True)
    async def create_user(self, request: calls.CreateUser) -> people.ExternalUser:
        """Find or create the customer, keyed by ``external_id``; an upsert, safe to repeat (behaviour F05, F35)."""

    @hookspec(firstresult=True)
    async def start_hitl(self, request: calls.StartHitl) -> calls.StartedSession:
        """Open a session with title, description and as much of the history as fits."""

    @hookspec(firstresult=True)
    async def send_message(self, request: calls.SendMessage) -> calls.SentMessage:
        """Add one message, already lowered and split to what the account can show.

        :raises SessionClosedError: the session has ended and ``reopen`` was not asked for.
        """

    @hookspec(firstresult=True)
    async def stop_hitl(self, request: calls.StopHitl) -> None:
        """End the session; one that has ended already is fine, one that is gone raises ``NotFoundError``."""

    @hookspec(firstresult=True)
    async def send_typing(self, request: calls.SendTyping) -> None:
        """Show agents that the customer is typing."""

    @hookspec(firstresult=True)
    async def transfer(self, request: calls.Transfer) -> None:
        """Move the session to another team or agent."""

    @hookspec(firstresult=True)
    async def get_availability(self, request: calls.GetAvailability) -> calls.Availability:
        """Say whether somebody is there."""

    # From the helpdesk ----------------------------------------------------------------------------------------

    @hookspec(firstresult=True)
    def verify_webhook(self, request: webhooks.WebhookRequest) -> webhooks.WebhookDelivery:
        """Prove that the delivery is from the helpdesk, and which sessions it may concern.

        Plain function, no I/O, fast; only ``WebhookVerificationError`` may escape, whatever arrives.
        """

    @hookspec(firstresult=True)
    async def parse_webhook(self, request: webhooks.ParseWebhook) -> webhooks.Parsed:
        """Read a verified delivery into events; may read from the vendor.

        :raises WebhookParseError: the body is not in a form the provider understands.
        """

    @hookspec(firstresult=True)
    async def register_webhook(self, request: calls.RegisterWebhook) -> calls.WebhookRegistration:
        """Make the vendor call our URL; idempotent, mends drift."""

    @hookspec(firstresult=True)
    async def unregister_webhook(self, request: calls.UnregisterWebhook) -> None:
        """Remove everything registering made; what is gone already is fine."""

    # The vendor's record is the truth -------------------------------------------------------------------------

    @hookspec(firstresult=True)
    async def find_session(self, request: calls.FindSession) -> calls.Finding:
        """Tell whether an ambiguous start took effect."""

    @hookspec(firstresult=True)
    async def find_message(self, request: calls.FindMessage) -> calls.Finding:
        """Tell whether an ambiguous send took effect."""

    @hookspec(firstresult=True)
    async def list_events(self, request: calls.ListEvents) -> calls.EventPage:
        """Read one session: its events with the ids a webhook would give them, and its state."""

    @hookspec(firstresult=True)
    async def list_changes(self, request: calls.ListChanges) -> calls.ChangePage:
        """Say which sessions moved in the account."""

    @hookspec(firstresult=True)
    async def open_attachment(self, request: calls.OpenAttachment) -> calls.AttachmentStream:
        """Open a file the helpdesk holds."""


REQUIRED_HOOKS: Final = (
    "create_user",
    "start_hitl",
    "send_message",
    "stop_hitl",
    "verify_webhook",
    "parse_webhook",
    "check",
    "identify",
)
"""Hooks every provider implements."""

CAPABILITY_HOOKS: Final[dict[str, tuple[str, ...]]] = {
    "webhook_registration": ("register_webhook", "unregister_webhook"),
    "find_session": ("find_session",),
    "find_message": ("find_message",),
    "pull": ("list_events",),
    "changes": ("list_changes",),
    "open_attachment": ("open_attachment",),
    "typing": ("send_typing",),
    "availability": ("get_availability",),
    "transfer": ("transfer",),
}
"""Field of :class:`~hitl_core.info.Capabilities` and the hooks it stands for; either without the other is an error."""

OPTIONAL_HOOKS: Final = ("open", "close")
"""Hooks a provider implements when it needs them."""
