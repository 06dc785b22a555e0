"""What one transaction does: load conversations, take their inputs in, decide, save, and begin what is next."""

from hitl_core.bridge.engine.turns.attempts import Attempts
from hitl_core.bridge.engine.turns.conversation import Conversation, Outcome
from hitl_core.bridge.engine.turns.lanes import OpenEffect
from hitl_core.bridge.engine.turns.saving import Committed
from hitl_core.bridge.engine.turns.turns import Turns
from hitl_core.bridge.engine.turns.underway import Came, UnderWay

__all__ = ["Attempts", "Came", "Committed", "Conversation", "OpenEffect", "Outcome", "Turns", "UnderWay"]
