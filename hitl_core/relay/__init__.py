"""Handing the history of a conversation over to the helpdesk.

A strategy plans items, the provider places as many as its opening can carry, and the connection sends the others.
"""

from hitl_core.relay.context import RelayContext, RelayStrategy
from hitl_core.relay.limited import Chain, Limited
from hitl_core.relay.packing import compose_opening
from hitl_core.relay.resolve import resolve_strategy
from hitl_core.relay.strategies import AttachmentFile, Last, Messages, Note, Nothing, Summary, Transcript

__all__ = [
    "AttachmentFile",
    "Chain",
    "Last",
    "Limited",
    "Messages",
    "Note",
    "Nothing",
    "RelayContext",
    "RelayStrategy",
    "Summary",
    "Transcript",
    "compose_opening",
    "resolve_strategy",
]
