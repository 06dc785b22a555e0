"""What the customer says (behaviour parts 8 and 10), and what becomes of it on its way to the agent."""

from __future__ import annotations

from hitl_core.bridge.handoff import timing
from hitl_core.bridge.handoff.effects import SendToDesk
from hitl_core.bridge.handoff.ending import end, give_back
from hitl_core.bridge.handoff.inputs import EffectDone, EffectFailed, Failure, UserMessage
from hitl_core.bridge.handoff.records import EndReason, PendingMessage
from hitl_core.bridge.handoff.step import Step
from hitl_core.messages import UnknownMessage
from hitl_core.people import Author, EndUser, Role

__all__ = ["relay", "relay_done", "relay_failed", "user_message"]


def user_message(step: Step, said: UserMessage) -> None:
    """Take in a message of the customer's: a command, one to relay, or one for the bot, which owns again by now."""
    handoff = step.handoff
    if not handoff.open or handoff.paused:
        give_back(step, _pending(step, said))
        return
    locale = (said.user.locale if said.user is not None else None) or handoff.user.locale
    if handoff.policy.is_close_command(said.message, locale=locale):
        end(step, EndReason.USER_CLOSED)
        return
    known = not isinstance(said.message, UnknownMessage)
    timers = timing.after_customer_message(handoff, step.now, relayed=known)
    if not known:
        if timers != handoff.timers:
            step.change(timers=timers)
        step.ignore("unsupported")
        step.tell("unsupported", "on_unsupported_user_message", id=said.message_id)
        return
    pending = _pending(step, said)
    step.change(unrelayed=(*handoff.unrelayed, pending), timers=timers)
    relay(step, pending)


def _pending(step: Step, said: UserMessage) -> PendingMessage:
    message = said.message
    if message.additional_data is not None:
        message = message.model_copy(update={"additional_data": None})  # it is the bot's own (S088)
    return PendingMessage(
        message_id=said.message_id,
        message=message,
        author=said.author,
        user=said.user if said.user is not None and not _same(said.user, step.handoff.user) else None,
        received_at=step.now,
        effect_key=_relay_key(step, said.message_id),
    )


def _same(one: EndUser, other: EndUser) -> bool:
    """Whether two are one person, as far as can be told: by the bot's id, else by an address both have."""
    for field in ("external_id", "email", "phone"):
        mine, theirs = getattr(one, field), getattr(other, field)
        if mine is not None and theirs is not None:
            return bool(mine == theirs)
    return True


def _relay_key(step: Step, message_id: str) -> str:
    """Return the key of a relay to the session there is now: after a merge, another than before."""
    moves = len(step.handoff.moved_from)
    return step.key(f"relay{moves}" if moves else "relay", message_id)


def relay(step: Step, pending: PendingMessage) -> None:
    """Pass a message on in the name of its writer (S087, F08); before there is a session it waits (F04)."""
    session, customer, author = step.handoff.session, step.handoff.external_user, pending.author
    if session is None:
        return
    if pending.user is None and customer is not None and author.role is Role.USER:
        author = Author.user(customer, name=author.name)
    step.add(
        SendToDesk(
            key=pending.effect_key,
            session=session,
            message=pending.message,
            author=author,
            user=pending.user,
            mergeable=True,
        )
    )


def relay_done(step: Step, done: EffectDone) -> None:
    """Take in that a message has arrived."""
    if _settle(step, done.key) is None:
        step.ignore("settled")


def relay_failed(step: Step, failed: EffectFailed) -> None:
    """Take in that something was not sent; its class decides what is done (guarantee 5).

    A closed session ends the hand-off and gives the message back. Anything else costs that message alone, and the
    customer is told. Of our own texts nobody is told.
    """
    handoff = step.handoff
    if handoff.open and failed.failure is Failure.CLOSED and _is_for_the_session(step, failed.key):
        _closed(step, failed)
        return
    pending = _settle(step, failed.key)
    if pending is None:
        step.ignore("settled")
    else:
        step.tell("failed", "on_message_failed_message", id=pending.message_id)


def _is_for_the_session(step: Step, key: str) -> bool:
    """Whether an effect was a message into the session, rather than one to the customer or the closing of an orphan."""
    what = key.removeprefix(f"{step.handoff.id}:").partition(":")[0]
    return key.startswith(f"{step.handoff.id}:") and (what.startswith("relay") or what in {"incompatible", "late"})


def _closed(step: Step, failed: EffectFailed) -> None:
    """Take in that the session is closed: the one there is now, or one merged into it, which the message missed."""
    handoff = step.handoff
    pending = next((one for one in handoff.unrelayed if one.effect_key == failed.key), None)
    if pending is not None and pending.effect_key != _relay_key(step, pending.message_id):
        again = pending.model_copy(update={"effect_key": _relay_key(step, pending.message_id)})
        step.change(unrelayed=tuple(again if one is pending else one for one in handoff.unrelayed))
        relay(step, again)
    elif pending is None and handoff.moved_from and handoff.session is not None:
        step.read(handoff.session.ref, id=failed.key)
    else:
        end(step, EndReason.SESSION_GONE)


def _settle(step: Step, key: str) -> PendingMessage | None:
    unrelayed = step.handoff.unrelayed
    for place, pending in enumerate(unrelayed):
        if pending.effect_key == key:
            step.change(unrelayed=unrelayed[:place] + unrelayed[place + 1 :])
            return pending
    return None
