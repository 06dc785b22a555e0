"""What a dead letter means and what to do about it, in words for the person who operates the bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hitl_core.bridge.handoff.inputs import Failure
from hitl_core.bridge.store.tables import LetterState

if TYPE_CHECKING:
    from hitl_core.bridge.store.letters import Letter

__all__ = ["explain"]

# What was to be done, and what it means that it was not.
_EFFECTS: Final = {
    "start_session": ("Opening the ticket", "the customer did not reach anybody this way and is back with the bot"),
    "send_to_desk": ("Adding a message to the ticket", "the agent does not see it"),
    "stop_session": ("Closing the ticket", "it may still be open in the helpdesk; for the customer it is over"),
    "watch_start": ("Finding out whether a ticket was opened after all", "there may be one nobody knows of"),
    "tell_customer": ("Showing a message to the customer", "the customer has not seen it"),
    "notify_bot": ("Telling the bot of an event", "the bot does not know of it"),
    "resume": ("Giving the conversation back to the bot", "the bot may still think that a human has it"),
}
_INPUTS: Final = {
    "start_requested": ("Starting a hand-off", "the conversation is still the bot's"),
    "user_message": ("Taking in what the customer wrote", "the agent does not see it"),
    "agent_event": ("Taking in what happened in the helpdesk", "the customer has not heard of it"),
    "session_read": ("Taking in how the ticket stands", "the next reading tells the same again"),
    "stop_requested": ("Ending the hand-off", "it goes on"),
    "pause_requested": ("Letting the bot take over for a while", "the human still has the conversation"),
    "resume_requested": ("Ending the bot's turn", "the bot still has the conversation"),
    "timer_fired": ("Acting on a timer", "what it was to bring about has not happened"),
}
# Why, and what to do next.
_FAILURES: Final[dict[str, tuple[str, str]]] = {
    Failure.UNAVAILABLE: (
        "the other side could not be reached for too long, and nothing was done",
        "once it can be reached, replay it",
    ),
    Failure.NOT_ALLOWED: (
        "the account does not let us: credentials, a right, or the plan",
        "mend the account (`hitl check` says what is missing), then replay it",
    ),
    Failure.REFUSED: (
        "its content was refused, and as it is a repeat cannot help",
        "mend what the reason names, then replay it; drop it if it is not wanted any more",
    ),
    Failure.CLOSED: ("the ticket has ended or is gone", "drop it, or start a new hand-off"),
    Failure.UNRESOLVED: (
        "it may or may not have taken place, and the helpdesk cannot be asked",
        "look into the ticket: drop it if it is there, replay it if it is not",
    ),
}
_UNKNOWN_FAILURE: Final = ("it failed in a way this version does not know", "upgrade hitl-core, then replay it")
# It is not tried again once the hand-off knows: the customer is somewhere else by then.
_AFTER_START: Final = "mend what the reason names, so that the next hand-off succeeds, then drop this"
_DECIDING: Final = "the bridge itself failed over it, or does not know its kind"
_MEND_US: Final = "upgrade hitl-core and see the log for the error, then replay it"


def explain(letter: Letter) -> str:
    """Return what was to be done, why it was not, what that means, and what to do next; no customer's words."""
    what, meaning, (why, then) = _told(letter)
    reason = f" ({letter.detail.rstrip('.')})" if letter.detail else ""
    where = ", ".join(
        f"{name} {value}"
        for name, value in (
            ("hand-off", letter.handoff_id),
            ("conversation", letter.conversation_id),
            ("connection", letter.connection),
        )
        if value
    )
    text = f"{what} came to nothing: {why}{reason}. So {meaning}."
    if where:
        text += f" It is about {where}."
    match letter.state:
        case LetterState.REPLAYED:
            return f"{text} It was replayed at {letter.settled_at:%Y-%m-%d %H:%M:%S} UTC."
        case LetterState.DROPPED:
            return f"{text} It was dropped at {letter.settled_at:%Y-%m-%d %H:%M:%S} UTC."
        case _:
            return f"{text} Next: {then}."


def _told(letter: Letter) -> tuple[str, str, tuple[str, str]]:
    match letter.source:
        case "effect":
            what, meaning = _EFFECTS.get(letter.kind, (f"An effect of kind {letter.kind}", "it did not take place"))
            why, then = _FAILURES.get(letter.failure, _UNKNOWN_FAILURE)
            return what, meaning, (why, _AFTER_START if letter.kind == "start_session" else then)
        case "input":
            what, meaning = _INPUTS.get(letter.kind, (f"An input of kind {letter.kind}", "it changed nothing"))
            return what, meaning, (_DECIDING, _MEND_US)
        case "delivery":
            meaning = "what it told is not known from it, though reading the ticket may tell the same"
            return "Reading a webhook of the helpdesk", meaning, _FAILURES.get(letter.failure, _UNKNOWN_FAILURE)
        case _:
            # There is nothing to repeat: what was done is done, only the hand-off does not know.
            then = "upgrade hitl-core and see the log for the error, run `hitl reconcile`, then drop this"
            return "Noting what came of an effect", "the hand-off may not show it", (_DECIDING, then)
