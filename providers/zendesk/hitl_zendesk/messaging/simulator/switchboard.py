"""Who has control of a conversation, and what follows from it: the switchboard, as its documentation has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from hitl_zendesk.messaging.simulator.bodies import RefusedError, checked, metadata_in
from hitl_zendesk.messaging.simulator.records import BOT, OURS, WORKSPACE, Conversation

if TYPE_CHECKING:
    from hitl_zendesk.messaging.simulator.messaging import ZendeskMessagingSimulator

__all__ = ["Switchboard", "ticket_of"]

_FIELD, _SYSTEM = "dataCapture.ticketField.", "dataCapture.systemField."
_REASONS: Final = frozenset({"ticketClosed", "transferToEmail"})


class Switchboard:
    """The actions on control.

    A key of an integration acts as that integration, and may accept and release only what is its own.
    """

    def __init__(self, helpdesk: ZendeskMessagingSimulator) -> None:
        self._helpdesk = helpdesk

    def act(self, action: str, conversation: Conversation, given: Mapping[str, Any], *, as_integration: bool) -> None:
        """Carry out what a request asks for."""
        metadata = metadata_in(given)
        if given.get("reason") not in {None, *_REASONS}:
            raise RefusedError(400, "bad_request", "reason should be equal to one of the allowed values")
        match action:
            case "passControl":
                checked(given, {"switchboardIntegration", "reason", "metadata"}, {"switchboardIntegration"})
                self.pass_to(conversation, self._target(given), metadata)
            case "offerControl":
                checked(given, {"switchboardIntegration", "metadata"}, {"switchboardIntegration"})
                target = self._target(given)
                if target == conversation.active:
                    raise RefusedError(400, "switchboard_invalid_target", "Target is active already")
                conversation.pending = target
                self._tell("offerControl", conversation, metadata)
            case "acceptControl":
                checked(given, {"metadata"})
                if conversation.pending is None or (as_integration and conversation.pending != OURS):
                    raise RefusedError(403, "forbidden", "Forbidden")
                self.pass_to(conversation, conversation.pending, metadata, kind="acceptControl")
            case _:
                checked(given, {"reason", "metadata"})
                if as_integration and conversation.active != OURS:
                    raise RefusedError(403, "forbidden", "Forbidden")
                self.release(conversation, metadata, reason=given.get("reason"))

    def pass_to(
        self, conversation: Conversation, target: str, metadata: Mapping[str, Any], *, kind: str = "passControl"
    ) -> None:
        """Give control: agents get a ticket with what comes along, unless they have one already."""
        if target == conversation.active:
            return  # it may be asked for twice
        told = self._helpdesk.hears(conversation)
        conversation.active, conversation.pending = target, None
        if target == WORKSPACE:
            self.open_ticket(conversation, metadata)
        self._tell(kind, conversation, metadata, told=told)

    def release(self, conversation: Conversation, metadata: Mapping[str, Any], *, reason: str | None = None) -> None:
        """Let nobody have control."""
        told = self._helpdesk.hears(conversation)
        conversation.active = conversation.pending = None
        more = {"reason": reason} if reason else {}
        self._tell("releaseControl", conversation, metadata, told=told, **more)

    def open_ticket(self, conversation: Conversation, metadata: Mapping[str, Any]) -> None:
        """Make the ticket; what comes later changes nothing about it."""
        if conversation.ticket is None:
            conversation.ticket = ticket_of(metadata)

    def written(self, conversation: Conversation) -> None:
        """Note that somebody wrote: where nobody has control, the first in the switchboard gets it."""
        if conversation.active is None:
            conversation.active = BOT
        elif conversation.active == WORKSPACE:
            self.open_ticket(conversation, {})

    def _target(self, given: Mapping[str, Any]) -> str:
        found = self._helpdesk.records.integration(given["switchboardIntegration"])
        if found is None:
            raise RefusedError(404, "switchboard_integration_not_found", "SwitchboardIntegration not found")
        return str(found["name"])

    def _tell(
        self, action: str, conversation: Conversation, metadata: Mapping[str, Any], *, told: bool = False, **more: Any
    ) -> None:
        payload = {**({"metadata": dict(metadata)} if metadata else {}), **more}
        self._helpdesk.happened(f"switchboard:{action}", conversation, payload, told=told)


def ticket_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a ticket from what came with control."""
    ticket: dict[str, Any] = {}
    for name, value in metadata.items():
        if name.startswith(_SYSTEM):
            ticket[name.removeprefix(_SYSTEM)] = value
        elif name.startswith(_FIELD):
            ticket.setdefault("custom_fields", {})[name.removeprefix(_FIELD)] = value
        elif not name.startswith("hitl"):
            ticket[name] = value
    if isinstance(ticket.get("tags"), str):
        ticket["tags"] = ticket["tags"].split(",")
    return ticket
