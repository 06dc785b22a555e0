"""How a hand-off ends: here first, then for the customer, then for the bot, and in the helpdesk at leisure.

The record says "ended" before the helpdesk is told, so its own "closed" ends nothing twice (R01), and ending never
waits for the helpdesk (F12). The customer's text comes before the conversation is the bot's again (S126).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hitl_core.bridge.handoff.effects import Resume, StopSession
from hitl_core.bridge.handoff.inputs import EffectFailed, StopRequested
from hitl_core.bridge.handoff.records import EndReason, HandBack, PendingMessage, Phase
from hitl_core.bridge.handoff.step import Step, policy_text
from hitl_core.bridge.policy import TextName
from hitl_core.events import StopReason
from hitl_core.sessions import HitlSession

__all__ = ["abort", "end", "give_back", "stop_orphan", "stop_requested"]


class _Ending(NamedTuple):
    """What an end comes with.

    :param text: to the customer.
    :param stop: why the session is closed; ``None`` where nobody has to close it.
    :param note: last text to the agent.
    :param flow: whether the bot may go on by itself (behaviour S127).
    """

    text: TextName
    stop: StopReason | None = None
    note: TextName | None = None
    flow: bool = True


_ENDINGS: Final[dict[EndReason, _Ending]] = {
    EndReason.AGENT_CLOSED: _Ending("on_hitl_stopped_message"),
    EndReason.SESSION_GONE: _Ending("on_hitl_stopped_message"),
    EndReason.USER_CLOSED: _Ending(
        "on_user_hitl_close_message", StopReason.USER_LEFT, "on_user_hitl_cancelled_message"
    ),
    EndReason.STOP_REQUESTED: _Ending(
        "on_stopped_by_operator_message", StopReason.BOT_RESOLVED, "on_user_hitl_cancelled_message"
    ),
    EndReason.HANDED_BACK: _Ending("on_stopped_by_operator_message"),
    EndReason.ASSIGNMENT_TIMEOUT: _Ending(
        "on_agent_assigned_timeout_message", StopReason.TIMEOUT, "on_user_hitl_cancelled_message"
    ),
    EndReason.FIRST_ANSWER_TIMEOUT: _Ending(
        "on_first_answer_timeout_message", StopReason.TIMEOUT, "on_user_hitl_cancelled_message"
    ),
    EndReason.AGENT_SILENT: _Ending("on_agent_silence_message", StopReason.TIMEOUT, "on_user_hitl_cancelled_message"),
    EndReason.CUSTOMER_SILENT: _Ending("on_customer_silence_message", StopReason.TIMEOUT, "on_customer_left_note"),
    EndReason.TOO_LONG: _Ending("on_maximum_duration_message", StopReason.TIMEOUT, "on_user_hitl_cancelled_message"),
    EndReason.START_FAILED: _Ending("on_start_failed_message"),
    EndReason.MESSAGE_LEFT: _Ending("on_off_hours_message"),
    EndReason.INTERNAL_ERROR: _Ending("on_internal_error_message", StopReason.ERROR, flow=False),
}


def end(
    step: Step,
    reason: EndReason,
    *,
    stop: StopReason | None = None,
    stopped: StopReason | None = None,
    tell: bool = True,
    flow: bool = True,
    failed: EffectFailed | None = None,
) -> None:
    """End it here and now; the helpdesk is told afterwards, for as long as that takes (F12, R01).

    What the customer said and no agent is known to have got is taken out of the queue and given back. Where a message
    was left for the team it stays there instead: that is what it is for. What an agent said in a session that is not
    linked yet is kept, in case that session still shows up.

    :param stop: why the session is closed, where another reason than the usual one is known.
    :param stopped: why the helpdesk's side closed it.
    :param tell: tell the customer.
    :param flow: let the bot go on by itself, where the reason and the policy allow it (S127, S128).
    :param failed: why the start failed.
    """
    handoff, how = step.handoff, _ENDINGS[reason]
    pending = () if reason is EndReason.MESSAGE_LEFT else handoff.unrelayed
    step.cancelled.extend(entry.effect_key for entry in pending)
    if handoff.phase is Phase.STARTING:
        step.cancelled.append(handoff.start_effect)
    step.change(
        phase=Phase.ENDED,
        paused=False,
        content=None,
        unrelayed=() if pending else handoff.unrelayed,
        ended_at=step.now,
        end_reason=reason,
        failure=failed.failure if failed is not None else handoff.failure,
        failed=(failed.detail or failed.failure.value) if failed is not None else handoff.failed,
        timers={},
    )
    if tell:
        step.tell("ended", how.text)
    flow = flow and how.flow and step.policy.flow_on_hitl_stopped
    _resume(step, "resume", "", reason, pending, stopped=stopped, flow=flow)
    if how.stop is not None and handoff.session is not None:
        note = policy_text(step.handoff, how.note) if how.note else None
        _stop(step, step.key("stop"), handoff.session, stop or how.stop, note)


def abort(step: Step) -> None:
    """Give up a hand-off whose record cannot be: on both sides, and only the customer is told of it (S150, F15)."""
    end(step, EndReason.INTERNAL_ERROR)


def stop_requested(step: Step, stop: StopRequested) -> None:
    """End it for the bot or an operator; that there is no session yet is no obstacle (S101-S104, F13)."""
    if not step.handoff.open:
        step.ignore("ended")
        return
    reason = EndReason.STOP_REQUESTED if stop.close else EndReason.HANDED_BACK
    end(step, reason, stop=stop.reason, tell=stop.tell, flow=stop.flow)


def give_back(step: Step, pending: PendingMessage) -> None:
    """Give one message back that came to a hand-off while the bot owns: nobody else would answer it.

    In a pause, which is no end, the reason is that of a conversation handed back.
    """
    reason = step.handoff.end_reason or EndReason.HANDED_BACK
    flow = step.policy.flow_on_hitl_stopped
    _resume(step, "given_back", pending.message_id, reason, (pending,), stopped=None, flow=flow)


_LEAVING: Final = frozenset({EndReason.USER_CLOSED, EndReason.STOP_REQUESTED, EndReason.HANDED_BACK})
"""Ends after which the agents are told the same of a late session as they would have been of one in time."""


def stop_orphan(step: Step, session: HitlSession) -> None:
    """Close a session that came to be after nobody wanted it any more (F03)."""
    reason, note = StopReason.ERROR, None
    ended = step.handoff.end_reason
    if ended in _LEAVING:
        reason = StopReason.USER_LEFT if ended is EndReason.USER_CLOSED else StopReason.BOT_RESOLVED
        note = policy_text(step.handoff, "on_user_hitl_cancelled_message")
    _stop(step, step.key("orphan", session.ref.id), session, reason, note)


def _stop(step: Step, key: str, session: HitlSession, reason: StopReason, note: str | None) -> None:
    step.add(StopSession(key=key, session=session, reason=reason, message=note or None))


def _resume(
    step: Step,
    what: str,
    id: str,
    reason: EndReason,
    pending: tuple[PendingMessage, ...],
    *,
    stopped: StopReason | None,
    flow: bool,
) -> None:
    handoff = step.handoff
    back = HandBack(
        handoff_id=handoff.id,
        conversation_id=handoff.conversation_id,
        reason=reason,
        stop_reason=stopped,
        session=handoff.session,
        agent=handoff.agent,
        pending=pending,
        marker=policy_text(handoff, "hand_back_marker") or "",
        continue_flow=flow,
    )
    step.add(Resume(key=step.key(what, id), hand_back=back, began_at=handoff.started_at))
