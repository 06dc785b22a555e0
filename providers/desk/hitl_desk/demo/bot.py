"""The bot: a table of answers, and the sense to call a human when the table is not enough."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

__all__ = ["GREETING", "Reply", "ShopBot"]

GREETING: Final = (
    "Hello! I am the shop's bot. Ask me about opening hours, shipping, refunds or payment, "
    "or write /human to talk to a person."
)
_HELP: Final = (
    "I can tell you about our opening hours, shipping, refunds and payment. "
    "Write /human to talk to a person; while you do, /end brings you back to me."
)
_NOT_UNDERSTOOD: Final = (
    "I am not sure I understand. Could you put it another way, or write /human to talk to a person?"
)
_NOTHING_TO_READ: Final = "Thank you. I cannot look at files myself; write /human and I will show it to a person."

_ANSWERS: Final[tuple[tuple[str, str], ...]] = (
    (
        r"open|opening|hours|closed|when are you",
        "We are open Monday to Friday, 9:00 to 18:00, and Saturday until 14:00.",
    ),
    (
        r"refund|money back|return(s|ed|ing)?\b|exchange",
        "You can return anything within 30 days, and have your money back about five days after it has arrived.",
    ),
    (
        r"ship|deliver|parcel|track|arrive",
        "We ship within one working day, and most parcels arrive after two or three. You have a link to follow yours.",
    ),
    (r"pay|invoice|card|bank", "You can pay by card, bank transfer or on invoice. The invoice comes with the parcel."),
    (r"who are you|are you (a )?(bot|robot|human)|your name", "I am a small bot with a short list of answers."),
    (r"\bhelp\b|what can you|commands", _HELP),
    (r"thank|thanks|cheers", "You are welcome!"),
    (r"^(hi|hey|hello|good (morning|afternoon|evening)|moin|hallo)\b", "Hello! What can I do for you?"),
    (r"\b(bye|goodbye|see you)\b", "Goodbye, and thank you for dropping by!"),
)
_RULES: Final = tuple((re.compile(pattern), answer) for pattern, answer in _ANSWERS)
_WANTS_HUMAN: Final = re.compile(
    r"\b(talk|speak|chat|connect|transfer|get|want|need|give)\b.{0,40}"
    r"\b(human|person|agent|someone|somebody|representative|colleague)\b"
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the bot does about a message.

    :param text: says this, or
    :param escalate: hands over, for this reason; it then says nothing more (behaviour S130).
    """

    text: str | None = None
    escalate: str | None = None


@dataclass(slots=True)
class ShopBot:
    """One conversation's bot; all it remembers is how often in a row it was at a loss."""

    misses: int = field(default=0)

    def answer(self, text: str | None) -> Reply:
        """Answer a customer's message.

        :param text: what they wrote; ``None`` for a file without words.
        """
        if text is None:
            return Reply(text=_NOTHING_TO_READ)
        said = " ".join(text.lower().split())
        if said == "/human" or _WANTS_HUMAN.search(said):
            self.misses = 0
            return Reply(escalate="The customer asked for a human.")
        if said == "/end":
            return Reply(text="You are talking to the bot already. What can I do for you?")
        for pattern, answer in _RULES:
            if pattern.search(said):
                self.misses = 0
                return Reply(text=answer)
        self.misses += 1
        if self.misses >= 2:
            self.misses = 0
            return Reply(escalate="The bot did not understand twice in a row.")
        return Reply(text=_NOT_UNDERSTOOD)
