"""A bot's events by pull, with the filters the protocol has."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final, get_args

from hitl_core.eventlog import Event
from hitl_desk.server.bodies import EventType
from hitl_desk.server.problems import Problem

if TYPE_CHECKING:
    from hitl_desk.server.desk import Desk

__all__ = ["EVENT_TYPES", "pull", "wanted_types"]

EVENT_TYPES: Final[tuple[str, ...]] = get_args(EventType)

_SCAN: Final = 1000
_MOST_SCANS: Final = 10


def wanted_types(given: str | None) -> list[str] | None:
    """Read a list of event types; None means all.

    :raises Problem: 422 for a type there is not.
    """
    if given is None:
        return None
    kinds = given.split(",")
    if unknown := sorted(set(kinds) - set(EVENT_TYPES)):
        message = f"there is no event type {unknown[0]}; there are {', '.join(EVENT_TYPES)}"
        raise Problem(
            422, "invalid_request", f"types: {message}", errors=[{"location": "query.types", "message": message}]
        )
    return kinds


async def pull(
    desk: Desk,
    bot_id: str,
    after: str | None,
    *,
    limit: int,
    types: Collection[str] | None,
    ticket: str | None,
    wait: float,
) -> str:
    """Return a page of events as JSON.

    :param ticket: only events about it; looking for them reads at most 10,000 events, then the page says ``more``.
    :param wait: seconds to wait for the first event.
    :raises InvalidCursorError: when the cursor cannot be honoured without skipping events.
    """
    deadline = desk.clock.monotonic() + wait
    found: list[Event] = []
    cursor, more = after, True
    for scan in range(_MOST_SCANS):
        left = max(deadline - desk.clock.monotonic(), 0.0)
        page = await desk.log.read(bot_id, cursor, limit if ticket is None else _SCAN, types, wait=left)
        mine = [event for event in page.events if ticket is None or event.subject == ticket]
        room = limit - len(found)
        found += mine[:room]
        if len(mine) > room:
            cursor, more = found[-1].cursor, True
            break
        cursor, more = page.cursor, page.more
        over = not page.events or desk.log.closed
        if over or len(found) == limit or (not page.more and (found or ticket is None)):
            break
        if scan == _MOST_SCANS - 1:
            more = True
    desk.receipts.handed(bot_id, found, whole=ticket is None and types is None)
    events = ",".join(event.to_json() for event in found)
    return f'{{"events":[{events}],"cursor":"{cursor}","more":{"true" if more else "false"}}}'
