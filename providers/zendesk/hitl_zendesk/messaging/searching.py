"""Did a write whose answer was lost take effect? Found by the key in its metadata; without one it cannot be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import hitl_core as hitl
from hitl_zendesk.messaging.api import SunshineApi
from hitl_zendesk.messaging.incoming import moment
from hitl_zendesk.messaging.marks import Marks, metadata_of
from hitl_zendesk.messaging.opening import Opening, next_post
from hitl_zendesk.messaging.record import newest_first

__all__ = ["Searcher"]

_PAGES: Final = 10
_SKEW: Final = timedelta(minutes=5)
"""By how much the vendor's clock may be behind ours."""
_SINGLES: Final = 20
"""How many conversations are looked at one by one."""


@dataclass(frozen=True, slots=True)
class _Sought:
    """A message of ours."""

    key: str
    message: hitl.Message

    def may_be(self, found: Mapping[str, Any]) -> bool:
        """Whether a message that shows no metadata may be this one."""
        content = found.get("content") or {}
        return not isinstance(self.message, hitl.Text) or content.get("text") in {None, self.message.text}


class Searcher:
    """Looks writes up."""

    def __init__(self, api: SunshineApi, opening: Opening, marks: Marks) -> None:
        self._api = api
        self._opening = opening
        self._marks = marks

    async def session(self, request: hitl.FindSession) -> hitl.Finding:
        """Look for the conversation a start made, or for what a later step of it wrote."""
        start = request.request
        if start.resume is None:
            return await self._conversation(request)
        if start.resume["do"] != "post":
            return hitl.Absent()  # transfers of control may be repeated
        conversation, (_, message) = str(start.resume["conversation"]), next_post(start)
        sought = _Sought(start.key, message)
        found = await self._message("find_session", conversation, sought, request.sent_after)
        if isinstance(found, str):
            return hitl.Found(started=self._opening.posted(start, start.resume, (found,)))
        return found

    async def message(self, request: hitl.FindMessage) -> hitl.Finding:
        """Look for a message by its key."""
        part = request.request
        sought = _Sought(part.key, part.message)
        found = await self._message("find_message", part.session.id, sought, request.sent_after)
        return hitl.Found(sent=hitl.SentMessage(ids=(found,))) if isinstance(found, str) else found

    async def _conversation(self, request: hitl.FindSession) -> hitl.Finding:
        """Look through the customer's conversations; where the list shows no metadata, at each recent one."""
        start = request.request
        listed, complete = await self._api.conversations("find_session", start.user.id, pages=_PAGES)
        unclear = [] if complete else [""]
        looked = 0
        for conversation in listed:
            id_ = str(conversation["id"])
            if _is_before(conversation, "createdAt", request.sent_after) or id_ in request.known_ids:
                continue
            metadata = metadata_of(conversation)
            if not metadata and looked < _SINGLES:
                looked += 1
                metadata = metadata_of(await self._api.conversation("find_session", id_))
            if self._marks.made_by(metadata, start.key):
                return hitl.Found(started=self._opening.created(start, id_))
            if not metadata:
                unclear.append(id_)
        return hitl.Inconclusive() if unclear else hitl.Absent()

    async def _message(
        self, operation: str, conversation: str, sought: _Sought, sent_after: datetime
    ) -> str | hitl.Absent | hitl.Inconclusive:
        """Return the id of the message with that key, or whether that there is none is certain."""
        unclear = False
        async for message in newest_first(self._api, operation, conversation, pages=_PAGES):
            if message is None:
                return hitl.Inconclusive()  # there is more than can be looked through
            if _is_before(message, "received", sent_after):
                break
            metadata = metadata_of(message)
            if self._marks.made_by(metadata, sought.key):
                return str(message["id"])
            unclear = unclear or (not metadata and sought.may_be(message))
        return hitl.Inconclusive() if unclear else hitl.Absent()


def _is_before(thing: Mapping[str, Any], name: str, sent_after: datetime) -> bool:
    at = moment(thing.get(name))
    return at is not None and at < sent_after - _SKEW
