"""Quick messages of one customer sent as one, where the helpdesk counts updates (behaviour F38)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeGuard

from hitl_core.bridge.handoff.effects import SendToDesk
from hitl_core.info import Limits
from hitl_core.messages import Bloc, BlocItem, Location, Markdown, Media, Text

__all__ = ["may_join", "merge_count", "mergeable", "merged_key", "merged_message"]

_MOST: Final = 20
_BETWEEN: Final = 2
"""Characters between two texts that are put together."""


def mergeable(effect: SendToDesk) -> bool:
    """Whether a message may be sent as one with its neighbours.

    Texts, Markdown, media and locations may. Other kinds have an answer of their own and stay alone, and so does what
    is for agents only.
    """
    return effect.mergeable and not effect.internal and _is_item(effect.message)


def may_join(first: SendToDesk, other: SendToDesk) -> bool:
    """Whether a message may be sent as one with ``first``: they are of one writer in one session."""
    return (
        mergeable(other)
        and first.session.ref == other.session.ref
        and first.author == other.author
        and first.user == other.user
    )


def merge_count(effects: Sequence[SendToDesk], limits: Limits) -> int:
    """Return how many of these, from the first one on, can be sent as one message: at least 1.

    They are of one writer in one session, the texts together are within the longest message of the account, the files
    within the most it takes on one message; 20 at most.

    :raises ValueError: there is none.
    """
    if not effects:
        msg = "there is no message to merge"
        raise ValueError(msg)
    first = effects[0]
    if not mergeable(first):
        return 1
    used = files = 0
    for number, effect in enumerate(effects[:_MOST]):
        used += _size(effect, limits) + (_BETWEEN if number else 0)
        files += isinstance(effect.message, Media)
        too_long = limits.text is not None and used > limits.text.max
        too_many = limits.attachments_per_message is not None and files > limits.attachments_per_message
        if number and (too_long or too_many or not may_join(first, effect)):
            return number
    return min(len(effects), _MOST)


def merged_message(effects: Sequence[SendToDesk]) -> Bloc:
    """Put messages into one, in order.

    :raises ValueError: one of them cannot be merged, or they are not of one writer in one session.
    """
    items: list[BlocItem] = []
    for effect in effects:
        if not (_is_item(effect.message) and may_join(effects[0], effect)):
            msg = f"effect {effect.key} cannot be sent as one with {effects[0].key}"
            raise ValueError(msg)
        items.append(effect.message)
    return Bloc(items=tuple(items))


def merged_key(effects: Sequence[SendToDesk]) -> str:
    """Return the key several messages are sent under: the first one's, and how many follow it.

    It is as stable as the membership, which is to be committed before the first attempt and not changed afterwards.
    """
    return f"{effects[0].key}+{len(effects) - 1}"


def _is_item(message: object) -> TypeGuard[BlocItem]:
    return isinstance(message, Text | Markdown | Media | Location)


def _size(effect: SendToDesk, limits: Limits) -> int:
    match effect.message:
        case Text(text=words) | Markdown(markdown=words) if limits.text is not None:
            return limits.text.measure(words)
        case _:
            return 0
