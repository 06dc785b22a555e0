"""Reading the account: one ticket's comments and changes, and which tickets moved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import hitl_core as hitl
from hitl_core.http import segment
from hitl_zendesk.api import Api
from hitl_zendesk.facts import Facts, customers_of, moment, number
from hitl_zendesk.tickets import state_of

__all__ = ["Record"]

_PAGE: Final = 100
_MOST_PAGES: Final = 50
"""Of one ticket: Zendesk takes 5000 comments."""

_YOUNG: Final = timedelta(seconds=2)
_FIRST_LOOK: Final = timedelta(minutes=5)
_BETWEEN_READS: Final = timedelta(minutes=5)
"""Most that several requests take together, and that our clock may be ahead of Zendesk's."""
_RANKS: Final = {"session_reopened": 0, "agent_assigned": 1, "agent_unassigned": 1, "session_stopped": 3}
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Cursor(NamedTuple):
    """Where reading a ticket ended: in its comments, and in its audits."""

    comments: str | None = None
    audits: str | None = None

    @classmethod
    def read(cls, text: str | None) -> _Cursor:
        try:
            comments, audits = json.loads(text) if text else (None, None)
        except (ValueError, TypeError):
            return cls()
        return cls(comments if isinstance(comments, str) else None, audits if isinstance(audits, str) else None)

    def __str__(self) -> str:
        return json.dumps([self.comments, self.audits], separators=(",", ":"))


class _Page(NamedTuple):
    items: Sequence[Mapping[str, Any]]
    after: str | None
    more: bool


class Record:
    """What Zendesk has kept."""

    def __init__(self, api: Api) -> None:
        self._api = api

    # One ticket -----------------------------------------------------------------------------------------------

    async def events(self, request: hitl.ListEvents) -> hitl.EventPage:
        """Read what is new on a ticket, and how it stands.

        The state is read first and the comments last: whatever the state or an audit tells of, such as its end, the
        words that came before it have been read too (behaviour S236).
        """
        id_, cursor = request.session.id, _Cursor.read(request.cursor)
        ticket = await self._api.ticket("list_events", id_)
        size = min(request.limit, _PAGE)
        audits = await self._audits(id_, cursor.audits, size)
        comments = await self.comments(id_, cursor.comments, size=size)
        me = await self._api.my_id()
        changes = [] if comments.more else list(_changes(audits.items))
        wanted = {id_ for change in changes for id_ in (change.person, change.author) if id_ and id_ != me}
        wanted |= {found for comment in comments.items if (found := number(comment.get("author_id")))}
        wanted |= {found for found in (number(ticket.get("assignee_id")),) if found}
        people = await self._api.people("list_events", wanted - {me})
        customers = customers_of(ticket, request.session)
        facts = Facts(self._api.ctx.key, id_, me, request.own_message_ids, people, customers)
        events = [*self._told(facts, comments.items), *(change.told(facts) for change in changes)]
        events.sort(key=lambda event: (event.occurred_at or _FIRST, _RANKS.get(event.kind, 2)))
        after = _Cursor(comments.after, cursor.audits if comments.more else audits.after)
        return hitl.EventPage(
            events=tuple(events),
            state=state_of(ticket, me=me, people=people),
            cursor=str(after),
            more=comments.more or audits.more,
        )

    async def told_until_now(self, facts: Facts, cursor: str | None) -> list[Any]:
        """Return the facts of a ticket's comments since a cursor, for an end that must not overtake them."""
        found: list[Mapping[str, Any]] = []
        after: str | None = _Cursor.read(cursor).comments
        for _ in range(_MOST_PAGES):
            page = await self.comments(facts.ticket, after)
            found += page.items
            if not page.more or page.after == after:
                break
            after = page.after
        authors = {author for comment in found if (author := number(comment.get("author_id")))} - {facts.me}
        people = await self._api.people("parse_webhook", authors)
        return list(self._told(replace(facts, users=people), found))

    async def comment(self, id_: str, comment_id: str) -> Mapping[str, Any] | None:
        """Return one of a ticket's comments as it is now; newest first, since the newest are changed most."""
        params: dict[str, Any] = {"sort": "-created_at", "page[size]": _PAGE}
        path = f"tickets/{segment(id_)}/comments"
        for _ in range(_MOST_PAGES):
            answer = await self._api.call("parse_webhook", "GET", path, params=params)
            found = next((comment for comment in answer["comments"] if str(comment["id"]) == comment_id), None)
            meta = answer.get("meta") or {}
            if found is not None or not meta.get("has_more") or not meta.get("after_cursor"):
                return found
            params["page[after]"] = meta["after_cursor"]
        return None

    async def comments(self, id_: str, after: str | None, *, size: int = _PAGE) -> _Page:
        """Read a page of comments; the people in it are met on the way."""
        params = {"include": "users", "include_inline_images": "true"}
        return await self._page(f"tickets/{segment(id_)}/comments", "comments", after, size, params)

    async def _audits(self, id_: str, after: str | None, size: int) -> _Page:
        try:
            return await self._page(f"tickets/{segment(id_)}/audits", "audits", after, size, {})
        except hitl.PermissionDeniedError:
            return _Page((), after, more=False)  # audits need a wider scope; the state tells the same, if less finely

    async def _page(self, path: str, name: str, after: str | None, size: int, params: Mapping[str, Any]) -> _Page:
        paging = {**params, "page[size]": size}
        try:
            place = {"page[after]": after} if after else {}
            answer = await self._api.call("list_events", "GET", path, params=paging | place)
        except hitl.InvalidRequestError:
            if not after:
                raise
            # A place may be kept for days, and Zendesk promises nothing for it. What is read twice has the same ids.
            after = None
            answer = await self._api.call("list_events", "GET", path, params=paging)
        self._api.meet(answer.get("users") or ())
        meta = answer.get("meta") or {}
        return _Page(answer[name], meta.get("after_cursor") or after, bool(meta.get("has_more")))

    def _told(self, facts: Facts, comments: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
        for comment in comments:
            author_id = number(comment.get("author_id"))
            author = facts.users.get(author_id or "", {"id": author_id})
            yield from facts.comment(comment, author=author, at=moment(comment.get("created_at")))

    # The account ----------------------------------------------------------------------------------------------

    async def changes(self, request: hitl.ListChanges) -> hitl.ChangePage:
        """Say which tickets moved: those of interest by asking about them, or all by the incremental export."""
        if request.sessions:
            return await self._moved(request)
        return await self._exported(request)

    async def _moved(self, request: hitl.ListChanges) -> hitl.ChangePage:
        since, settled = _since(request.cursor)
        asked_at = self._api.ctx.clock.now()
        ids = list(request.sessions)
        newest, moved = since, []
        for start in range(0, len(ids), _PAGE):
            params = {"ids": ",".join(ids[start : start + _PAGE])}
            answer = await self._api.call("list_changes", "GET", "tickets/show_many", params=params)
            found = {str(ticket["id"]): moment(ticket.get("updated_at")) or asked_at for ticket in answer["tickets"]}
            for id_ in ids[start : start + _PAGE]:
                at = found.get(id_)  # none: deleted, which reading it tells
                if at is None or since is None or at > since or (at == since and not settled):
                    moved.append(hitl.SessionRef(connection=self._api.ctx.key, id=id_))
                if at is not None and (newest is None or at > newest):
                    newest = at
        if newest is not None and len(ids) > _PAGE:
            # A ticket that was read first may have moved before another that was read last: go back behind both.
            behind = min(newest, asked_at - _BETWEEN_READS)
            newest = behind if since is None else max(behind, since)
        # Times are of whole seconds: in the one that is running, more may happen yet.
        settled = newest is not None and asked_at - newest > _YOUNG
        cursor = None if newest is None else f"{newest.isoformat()}{'' if settled else '+'}"
        return hitl.ChangePage(sessions=tuple(moved), cursor=cursor or request.cursor)

    async def _exported(self, request: hitl.ListChanges) -> hitl.ChangePage:
        cursor = request.cursor
        params: dict[str, Any] = {"per_page": min(max(request.limit, 1), 1000)}
        if cursor is not None and cursor.startswith("export:"):
            params["cursor"] = cursor.removeprefix("export:")
        else:
            since = _since(cursor)[0] or self._api.ctx.clock.now() - _FIRST_LOOK
            params["start_time"] = int(since.timestamp())
        answer = await self._api.call("list_changes", "GET", "incremental/tickets/cursor", params=params)
        moved = dict.fromkeys(str(ticket["id"]) for ticket in answer["tickets"])
        after = answer.get("after_cursor")
        return hitl.ChangePage(
            sessions=tuple(hitl.SessionRef(connection=self._api.ctx.key, id=id_) for id_ in moved),
            cursor=f"export:{after}" if after else cursor,
            more=not answer.get("end_of_stream", True),
        )


def _since(cursor: str | None) -> tuple[datetime | None, bool]:
    if cursor is None or cursor.startswith("export:"):
        return None, True
    settled = not cursor.endswith("+")
    return moment(cursor.removesuffix("+")), settled


class _Change(NamedTuple):
    """A new status or assignee, from an audit."""

    field: str
    value: str | None
    before: str | None
    author: str | None
    at: datetime | None
    raw: Any

    @property
    def person(self) -> str | None:
        """Who has the ticket now."""
        return self.value if self.field == "assignee_id" else None

    def told(self, facts: Facts) -> Any:
        """Return it as an event."""
        if self.field == "assignee_id":
            user = None if self.value is None else facts.users.get(self.value, {"id": self.value})
            return facts.assigned(user, updated=self.at, raw=self.raw)
        return facts.status(self.value or "", before=self.before, actor=self.author, updated=self.at, raw=self.raw)


def _changes(audits: Sequence[Mapping[str, Any]]) -> Iterator[_Change]:
    for audit in audits:
        at, author = moment(audit.get("created_at")), number(audit.get("author_id"))
        for event in audit.get("events") or ():
            name, kind = event.get("field_name"), event.get("type")
            if kind == "Change" and name == "status":
                yield _Change(name, event.get("value"), event.get("previous_value"), author, at, event)
            elif name == "assignee_id" and (kind == "Change" or (kind == "Create" and number(event.get("value")))):
                yield _Change(name, number(event.get("value")), None, author, at, event)
