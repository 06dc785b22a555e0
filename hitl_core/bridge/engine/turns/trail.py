"""What a change of a hand-off is in the audit trail: who did what, without anybody's words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from hitl_core.bridge.handoff.records import EndReason, Handoff, Phase
from hitl_core.bridge.store.audit import AuditEntry

__all__ = ["entries"]

_ENDED_BY: Final = {
    EndReason.USER_CLOSED: "customer",
    EndReason.STOP_REQUESTED: "bot",
    EndReason.HANDED_BACK: "bot",
    EndReason.ASSIGNMENT_TIMEOUT: "timer",
    EndReason.FIRST_ANSWER_TIMEOUT: "timer",
    EndReason.AGENT_SILENT: "timer",
    EndReason.CUSTOMER_SILENT: "timer",
    EndReason.TOO_LONG: "timer",
}


def entries(before: Handoff | None, after: Handoff, now: datetime) -> Iterator[AuditEntry]:
    """Tell a change of a hand-off in words: begun, tried elsewhere, linked, assigned, paused, ended.

    :param before: ``None`` when it has just begun.
    """

    def entry(actor: str, action: str, detail: str | None = None) -> AuditEntry:
        return AuditEntry(
            at=now,
            actor=actor,
            action=action,
            conversation_id=after.conversation_id,
            handoff_id=after.id,
            detail=detail,
        )

    if before is None:
        reopened = after.phase is not Phase.STARTING and after.session is not None
        yield entry(_agent(after) if reopened else "bot", "reopened" if reopened else "begun", after.connection)
    else:
        yield from _changes(before, after, entry)
    if not after.open and (before is None or before.open):
        reason = after.end_reason
        by_agent = reason is EndReason.AGENT_CLOSED
        actor = _agent(after) if by_agent else _ENDED_BY.get(reason, "worker") if reason is not None else "worker"
        yield entry(actor, "ended", reason.value if reason is not None else None)


def _changes(before: Handoff, after: Handoff, entry: Callable[..., AuditEntry]) -> Iterator[AuditEntry]:
    if after.connection != before.connection:
        yield entry("worker", "tried_elsewhere", f"{before.connection} -> {after.connection}: {after.failed}")
    if after.session is not None and (before.session is None or before.session.ref != after.session.ref):
        yield entry("worker", "linked", f"{after.connection} {after.session.id}")
    if after.phase is Phase.ACTIVE and (before.phase is not Phase.ACTIVE or before.agent != after.agent):
        yield entry(_agent(after), "assigned")
    elif after.phase is Phase.WAITING and before.phase is Phase.ACTIVE:
        yield entry("worker", "unassigned")
    if after.paused != before.paused and after.open:
        yield entry("bot", "paused" if after.paused else "resumed")


def _agent(handoff: Handoff) -> str:
    return f"agent:{handoff.agent.id}" if handoff.agent is not None else "agent"
