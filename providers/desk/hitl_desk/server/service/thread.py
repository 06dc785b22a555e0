"""One ticket while a transaction changes it: the rules of its life, and what its bot is told of them.

Where one change holds several facts, they are told in the order a customer should see them: reopened, assigned,
message, closed (behaviour S236). Each tells how the ticket stood at that moment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from hitl_desk.server import answers, tables
from hitl_desk.server.bodies import Priority
from hitl_desk.server.content import composed, preview, words
from hitl_desk.server.ids import new_id
from hitl_desk.server.problems import Problem, not_found, ticket_closed
from hitl_desk.server.service import attachments
from hitl_desk.server.service.people import agent_answer
from hitl_desk.server.settings import ServerSettings
from hitl_desk.server.unit import Unit

__all__ = ["Line", "Thread", "changing", "ticket_url"]

_t = tables.tickets
_m = tables.messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Something to add to a thread.

    :param source: through whom it comes; with ``visibility`` it decides who may see it.
    :param role: in whose name.
    :param attached: files, which must be the uploader's.
    """

    source: Literal["bot", "agent", "desk"]
    role: Literal["customer", "bot", "agent", "system"]
    content: Mapping[str, Any] | None
    kind: Literal["message", "note", "system"] = "message"
    visibility: Literal["public", "internal"] = "public"
    author: Mapping[str, Any] | None = None
    attached: Sequence[str] = ()
    client_ref: str | None = None


@asynccontextmanager
async def changing(
    unit: Unit, settings: ServerSettings, ticket_id: str, *, bot_id: str | None = None
) -> AsyncIterator[Thread]:
    """Lock a ticket, hand it out for changes, and write them down.

    :param bot_id: whose ticket it must be.
    :raises Problem: 404 when there is none.
    """
    # Key share: who refers to the ticket, such as a read mark, need not wait for it, nor we for them.
    query = sa.select(_t).where(_t.c.id == ticket_id).with_for_update(key_share=True)
    if bot_id is not None:
        query = query.where(_t.c.bot_id == bot_id)
    row = (await unit.conn.execute(query)).one_or_none()
    if row is None:
        raise not_found("ticket")
    assignee = None
    if row.assignee_id is not None:
        found = await unit.conn.execute(sa.select(tables.agents).where(tables.agents.c.id == row.assignee_id))
        assignee = agent_answer(found.one()._asdict())
    thread = Thread(unit, settings, row._asdict(), assignee)
    yield thread
    await thread.save()


class Thread:
    """A locked ticket. Its methods change it and tell the facts; :meth:`save` writes it."""

    def __init__(
        self, unit: Unit, settings: ServerSettings, row: Mapping[str, Any], assignee: answers.Agent | None
    ) -> None:
        self._unit = unit
        self._settings = settings
        self._row = dict(row)
        self._before = dict(row)
        self._assignee = assignee
        self._told: answers.Category = row["category"]

    @property
    def id(self) -> str:
        """Id of the ticket."""
        return str(self._row["id"])

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return bool(self._row["category"] == "closed")

    async def post(self, line: Line, *, reopen: bool = False) -> str:
        """Add what the bot's side says; a customer's words make the ticket wait for an agent.

        :param reopen: reopen a closed ticket.
        :returns: id of the message.
        :raises Problem: 409 when it is closed and is not to be reopened.
        """
        if self.closed:
            if not reopen:
                raise ticket_closed()
            await self.reopen(None)
        message_id, _ = await self._add(line)
        if line.role == "customer" and line.visibility == "public":
            self._row["waiting_since"] = self._row["waiting_since"] or self._unit.now
            if self._row["category"] == "waiting":
                self._row["category"] = "open"
        return message_id

    async def note(self, line: Line) -> str:
        """Add an agent's note, which only agents ever see, whether the ticket is open or closed."""
        message_id, _ = await self._add(line)
        return message_id

    async def reply(self, agent: answers.Agent, line: Line, *, reopen: bool = False) -> str:
        """Send the customer an agent's message; an unassigned ticket becomes the agent's (behaviour R17).

        :raises Problem: 409 when it is closed and is not to be reopened.
        """
        if self.closed:
            if not reopen:
                raise ticket_closed()
            await self.reopen(agent)
        if self._assignee is None:
            await self.assign(agent, by=agent)
        message_id, attached = await self._add(line)
        self._row |= {"waiting_since": None, "category": "waiting"}
        message = answers.EventMessage.model_validate(
            {
                "id": message_id,
                "seq": self._row["message_seq"],
                "message": composed(line.content, attached),
                "attachments": [attachments.answer(self._settings, each) for each in attached],
                "created_at": self._unit.now,
                "edited_at": None,
            }
        )
        self._tell("message.created", {"message": answers.dump(message), "agent": answers.dump(agent)}, message_id)
        return message_id

    async def edit(self, agent: answers.Agent, message_id: str, text: str | None) -> None:
        """Change an agent's own message, or with None take it back; the bot is told of public ones.

        :raises Problem: 403 when it is somebody else's; 404 when it is not there or was deleted.
        """
        found = await self._unit.conn.execute(sa.select(_m).where(_m.c.id == message_id, _m.c.ticket_id == self.id))
        row = found.one_or_none()
        if row is None or row.deleted:
            raise not_found("message")
        if row.source != "agent" or row.author_id != agent.id:
            raise Problem(403, "not_yours", "Only whoever wrote a message can change it or take it back.")
        content = None if text is None else {"type": "text", "text": text}
        values = {"content": content, "text": words(content), "edited_at": self._unit.now, "deleted": text is None}
        await self._unit.conn.execute(sa.update(_m).where(_m.c.id == message_id).values(values))
        if row.seq == self._row["message_seq"]:
            self._row["last_text"] = preview(words(content))
        self._unit.tell_inbox(self.id, message_id)
        if row.visibility != "public":
            return
        attached = (await attachments.of_messages(self._unit.conn, [message_id]))[message_id]
        shown = [] if text is None else [attachments.answer(self._settings, each) for each in attached]
        message = answers.EventMessage.model_validate(
            {
                "id": message_id,
                "seq": row.seq,
                "message": None if text is None else composed(content, attached),
                "attachments": shown,
                "created_at": row.created_at,
                "edited_at": self._unit.now,
            }
        )
        kind = "message.deleted" if text is None else "message.updated"
        self._tell(kind, {"message": answers.dump(message), "agent": answers.dump(agent)})

    async def assign(self, agent: answers.Agent | None, *, by: answers.Agent) -> None:
        """Give the ticket to an agent, or with None to nobody; nothing happens when they have it already.

        :raises Problem: 409 when it is closed.
        """
        if self.closed:
            raise ticket_closed()
        before = self._assignee
        if (agent and agent.id) == (before and before.id):
            return
        self._assignee = agent
        self._row["assignee_id"] = agent.id if agent else None
        if agent is None:
            await self._note_line(f"{by.name} gave the ticket back to the queue.")
            self._tell("ticket.unassigned", {"agent": answers.dump(before) if before else None})
            return
        # Told before the category moves on: a reply that assigns tells of the category once, at the end.
        self._tell("ticket.assigned", {"agent": answers.dump(agent)})
        if self._row["category"] == "triage":
            self._row["category"] = "open"
        whose = f"{by.name} took the ticket." if by.id == agent.id else f"{by.name} gave the ticket to {agent.name}."
        await self._note_line(whose)

    async def reopen(self, agent: answers.Agent | None) -> None:
        """Open a closed ticket again, by an agent or, with None, by the bot; nothing happens when it is open."""
        if not self.closed:
            return
        self._row |= {
            "category": "open",
            "closed_at": None,
            "closed_by": None,
            "close_reason": None,
            "waiting_since": self._unit.now,
        }
        who = agent.name if agent else "The bot"
        await self._note_line(f"{who} reopened the ticket.")
        self._told = "open"
        data: dict[str, Any] = {"by": "agent" if agent else "bot"}
        if agent:
            data["agent"] = answers.dump(agent)
        self._tell("ticket.reopened", data)

    async def close(self, agent: answers.Agent | None, reason: str) -> None:
        """Close the ticket, by an agent or, with None, by the bot; nothing happens when it is closed."""
        if self.closed:
            return
        by = "agent" if agent else "bot"
        self._row |= {
            "category": "closed",
            "closed_at": self._unit.now,
            "closed_by": by,
            "close_reason": reason,
            "waiting_since": None,
        }
        who = agent.name if agent else "The bot"
        why = "" if reason == "agent_closed" else f" ({reason.replace('_', ' ')})"
        await self._note_line(f"{who} closed the ticket{why}.")
        self._told = "closed"
        data: dict[str, Any] = {"by": by, "reason": reason}
        if agent:
            data["agent"] = answers.dump(agent)
        self._tell("ticket.closed", data)

    def prioritise(self, priority: Priority) -> None:
        """Set the priority."""
        self._row["priority"] = priority

    async def save(self) -> None:
        """Tell of a category nothing else told of, and write what changed."""
        category: answers.Category = self._row["category"]
        if category != self._told:
            previous, self._told = self._told, category
            self._tell("ticket.status_changed", {"category": category, "previous": previous})
        changed = {name: value for name, value in self._row.items() if value != self._before[name]}
        if changed:
            changed["updated_at"] = self._unit.now
            await self._unit.conn.execute(sa.update(_t).where(_t.c.id == self.id).values(changed))
            self._unit.tell_inbox(self.id)

    async def _add(self, line: Line) -> tuple[str, list[Mapping[str, Any]]]:
        author = line.author or {}
        message_id = new_id("msg")
        text = words(line.content)
        self._row["message_seq"] += 1
        await self._unit.conn.execute(
            sa.insert(_m).values(
                id=message_id,
                ticket_id=self.id,
                seq=self._row["message_seq"],
                kind=line.kind,
                visibility=line.visibility,
                source=line.source,
                role=line.role,
                author_id=author.get("id"),
                author_name=author.get("name"),
                author_avatar_url=author.get("avatar_url"),
                content=line.content,
                text=text,
                client_ref=line.client_ref,
                dedupe_key=f"{author.get('id')}:{line.client_ref}"
                if line.source == "agent" and line.client_ref
                else None,
                created_at=self._unit.now,
                deleted=False,
            )
        )
        attached: list[Mapping[str, Any]] = []
        if line.attached:
            owner = {"agent_id": author.get("id")} if line.source == "agent" else {"bot_id": self._row["bot_id"]}
            attached = await attachments.link(
                self._unit, line.attached, ticket_id=self.id, message_id=message_id, **owner
            )
        if line.kind != "system":
            shown = preview(text or ", ".join(each["name"] for each in attached))
            self._row |= {
                "last_text": shown,
                "last_role": line.role,
                "last_kind": line.kind,
                "last_at": self._unit.now,
            }
        self._unit.tell_inbox(self.id, message_id)
        return message_id, attached

    async def _note_line(self, text: str) -> None:
        content = {"type": "text", "text": text}
        await self._add(Line(source="desk", role="system", content=content, kind="system", visibility="internal"))

    def _tell(self, type: str, data: Mapping[str, Any], created: str | None = None) -> None:
        ticket = answers.EventTicket(
            id=self.id,
            number=self._row["number"],
            external_id=self._row["external_id"],
            category=self._row["category"],
            priority=self._row["priority"],
            assignee=self._assignee,
            url=ticket_url(self._settings, self.id),
        )
        whole = {"ticket": answers.dump(ticket), **data}
        self._unit.tell_bot(self._row["bot_id"], type, self.id, whole, message_id=created)


def ticket_url(settings: ServerSettings, ticket_id: str) -> str:
    """Return the page of a ticket in the inbox."""
    return f"{settings.url}/inbox#{ticket_id}"
