"""The desk's tables, with those of its event log; the same on SQLite and PostgreSQL.

Every name begins with ``desk_``, so that the desk can share a database with its host.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from hitl_core.database import UtcDateTime
from hitl_core.eventlog import define_tables

__all__ = [
    "PREFIX",
    "agents",
    "attachments",
    "bots",
    "customers",
    "events",
    "idempotency",
    "login_links",
    "messages",
    "metadata",
    "read_marks",
    "sessions",
    "tickets",
    "transcripts",
]

PREFIX: Final = "desk_"

metadata = sa.MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_JSON = sa.JSON(none_as_null=True)


def _text(name: str, *, null: bool = False, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null, **options)


def _time(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, UtcDateTime, nullable=null)


def _link(name: str, target: str, *, null: bool = False, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, sa.ForeignKey(target, ondelete="CASCADE"), nullable=null, **options)


bots = sa.Table(
    f"{PREFIX}bots",
    metadata,
    _text("id", primary_key=True),
    _text("name"),
    _text("token_hash", unique=True),
    sa.Column("enabled", sa.Boolean, nullable=False),
    _time("created_at"),
    _time("last_seen_at", null=True),
    # Position in the bot's event stream up to which it was handed events by pull or stream.
    sa.Column("reached", _BIG, nullable=False, server_default="0"),
)

agents = sa.Table(
    f"{PREFIX}agents",
    metadata,
    _text("id", primary_key=True),
    # In lower case: addresses that differ in case alone are one person's.
    _text("email", unique=True),
    _text("name"),
    _text("avatar_url", null=True),
    # Without one the agent enters by one-time links only.
    _text("password_hash", null=True),
    sa.Column("active", sa.Boolean, nullable=False),
    _time("created_at"),
    # Last sign of life of an open inbox; null once the last one closed.
    _time("seen_at", null=True),
)

sessions = sa.Table(
    f"{PREFIX}sessions",
    metadata,
    # Hash of the token in the cookie.
    _text("id", primary_key=True),
    _link("agent_id", f"{PREFIX}agents.id", index=True),
    _text("csrf"),
    _time("created_at"),
    _time("used_at"),
    _time("expires_at"),
)

login_links = sa.Table(
    f"{PREFIX}login_links",
    metadata,
    _text("id", primary_key=True),
    _link("agent_id", f"{PREFIX}agents.id"),
    _time("expires_at"),
)

customers = sa.Table(
    f"{PREFIX}customers",
    metadata,
    _text("id", primary_key=True),
    _link("bot_id", f"{PREFIX}bots.id"),
    _text("external_id"),
    _text("name", null=True),
    _text("email", null=True),
    _text("phone", null=True),
    _text("avatar_url", null=True),
    _text("locale", null=True),
    sa.Column("data", _JSON, nullable=False),
    _time("created_at"),
    _time("updated_at"),
    sa.UniqueConstraint("bot_id", "external_id"),
)

tickets = sa.Table(
    f"{PREFIX}tickets",
    metadata,
    # For people; counted over all bots.
    sa.Column("number", _BIG, primary_key=True, autoincrement=True),
    _text("id", unique=True),
    _link("bot_id", f"{PREFIX}bots.id"),
    _link("customer_id", f"{PREFIX}customers.id", index=True),
    _text("external_id", null=True),
    _text("created_with_key", null=True),
    _text("title"),
    _text("description"),
    _text("reason", null=True),
    _text("priority"),
    _text("category"),
    sa.Column("tags", _JSON, nullable=False),
    sa.Column("metadata", _JSON, nullable=False),
    sa.Column("assignee_id", sa.Text, sa.ForeignKey(f"{PREFIX}agents.id", ondelete="SET NULL")),
    _time("created_at"),
    _time("updated_at"),
    # Since when the customer waits for an answer.
    _time("waiting_since", null=True),
    _time("closed_at", null=True),
    _text("closed_by", null=True),
    _text("close_reason", null=True),
    # Number of the newest message.
    sa.Column("message_seq", sa.Integer, nullable=False),
    # The newest line, kept here so that the list reads one table.
    _text("last_text", null=True),
    _text("last_role", null=True),
    _text("last_kind", null=True),
    _time("last_at", null=True),
    sa.Index(f"{PREFIX}tickets_bot_external", "bot_id", "external_id"),
    sa.Index(f"{PREFIX}tickets_view", "category", "assignee_id", "waiting_since"),
    sa.Index(f"{PREFIX}tickets_closed", "closed_at"),
    sqlite_autoincrement=True,
)

transcripts = sa.Table(
    f"{PREFIX}transcripts",
    metadata,
    _link("ticket_id", f"{PREFIX}tickets.id", primary_key=True),
    sa.Column("entries", _JSON, nullable=False),
)

messages = sa.Table(
    f"{PREFIX}messages",
    metadata,
    _text("id", primary_key=True),
    _link("ticket_id", f"{PREFIX}tickets.id"),
    sa.Column("seq", sa.Integer, nullable=False),
    # message, note or system.
    _text("kind"),
    # public or internal; an agent's internal message never leaves the desk.
    _text("visibility"),
    # bot, agent or desk: through whom it came.
    _text("source"),
    # customer, bot, agent or system: in whose name.
    _text("role"),
    _text("author_id", null=True),
    _text("author_name", null=True),
    _text("author_avatar_url", null=True),
    # The vocabulary's message; null when there are attachments only, or when it was deleted.
    sa.Column("content", _JSON),
    # Its words, for the search and the list.
    _text("text"),
    _text("client_ref", null=True),
    # Agent and client_ref: a repeated send of the page finds the first one.
    _text("dedupe_key", null=True),
    _time("created_at"),
    _time("edited_at", null=True),
    sa.Column("deleted", sa.Boolean, nullable=False),
    # The event that told the bot.
    _text("event_id", null=True),
    sa.Column("event_position", _BIG),
    sa.UniqueConstraint("ticket_id", "seq"),
    sa.UniqueConstraint("ticket_id", "dedupe_key"),
    sa.Index(f"{PREFIX}messages_client_ref", "ticket_id", "client_ref"),
    sa.Index(f"{PREFIX}messages_event", "event_id"),
)

attachments = sa.Table(
    f"{PREFIX}attachments",
    metadata,
    _text("id", primary_key=True),
    # Who uploaded it: one of the two.
    _link("bot_id", f"{PREFIX}bots.id", null=True),
    sa.Column("agent_id", sa.Text, sa.ForeignKey(f"{PREFIX}agents.id", ondelete="SET NULL")),
    # What it was put to, null until then.
    _link("ticket_id", f"{PREFIX}tickets.id", null=True),
    _link("message_id", f"{PREFIX}messages.id", null=True, index=True),
    sa.Column("place", sa.Integer, nullable=False, server_default="0"),
    _text("name"),
    _text("content_type"),
    sa.Column("size", _BIG, nullable=False),
    _time("created_at"),
    sa.Index(f"{PREFIX}attachments_unused", "ticket_id", "created_at"),
)

read_marks = sa.Table(
    f"{PREFIX}read_marks",
    metadata,
    _link("agent_id", f"{PREFIX}agents.id", primary_key=True),
    _link("ticket_id", f"{PREFIX}tickets.id", primary_key=True),
    sa.Column("seq", sa.Integer, nullable=False),
)

idempotency = sa.Table(
    f"{PREFIX}idempotency",
    metadata,
    _link("bot_id", f"{PREFIX}bots.id", primary_key=True),
    _text("key", primary_key=True),
    # Hash of the request, to tell a repeat from a key used twice.
    _text("fingerprint"),
    # Null only inside the transaction that does the work.
    sa.Column("status", sa.Integer),
    sa.Column("body", sa.Text),
    _time("created_at"),
    sa.Index(f"{PREFIX}idempotency_age", "created_at"),
)

events = define_tables(metadata, prefix=f"{PREFIX}log_")
"""The event log's tables."""
