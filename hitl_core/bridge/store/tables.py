"""The bridge's tables; the same on SQLite and PostgreSQL.

Every name begins with ``hitl_``, so that the bridge can share a database with its host. Every key begins with the
tenant, and where a vendor's id is in it the connection is too (behaviour F32, R13); nothing needs a transaction
across tenants. ``connection`` columns hold the whole key, ``"tenant/alias"``.

What has no column of its own is JSON text, written by pydantic: the database only ever looks for it by key.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from hitl_core.bridge.store.states import DeliveryState, EffectState, InputState, LetterState
from hitl_core.database import UtcDateTime

__all__ = [
    "PREFIX",
    "DeliveryState",
    "EffectState",
    "InputState",
    "LetterState",
    "audit",
    "blobs",
    "budgets",
    "connection_state",
    "connections",
    "conversations",
    "dead_letters",
    "deliveries",
    "handoffs",
    "inputs",
    "links",
    "locks",
    "message_links",
    "metadata",
    "outbox",
    "slots",
    "storable",
    "timers",
    "user_links",
    "workers",
]

PREFIX: Final = "hitl_"

metadata = sa.MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, *, null: bool = False, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null, primary_key=key)


def _time(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, UtcDateTime, nullable=null)


def _number(name: str, *, default: int | None = 0, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, default=default, primary_key=key, autoincrement=False)


def _position() -> sa.Column[int]:
    return sa.Column("position", _BIG, primary_key=True, autoincrement=True)


def _open_only(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


workers = sa.Table(
    f"{PREFIX}workers",
    metadata,
    _text("id", key=True),
    _time("started_at"),
    _time("seen_at"),  # by the database's clock: it judges leases
)

conversations = sa.Table(
    f"{PREFIX}conversations",
    metadata,
    _text("tenant", key=True),
    _text("id", key=True),
    _text("handoff_id", null=True),  # the latest
    _text("speaker"),  # who answers the customer: bot, queue or human
    _text("worker", null=True),  # whose turn it is
    _number("fence"),  # grows whenever the turn changes hands
    _time("wake_at", null=True),  # there are open effects; when they want to be looked at
)
sa.Index(
    f"{PREFIX}conversations_wake_idx",
    conversations.c.tenant,
    conversations.c.wake_at,
    **_open_only("wake_at IS NOT NULL"),
)

handoffs = sa.Table(
    f"{PREFIX}handoffs",
    metadata,
    _text("tenant", key=True),
    _text("id", key=True),
    _text("conversation_id"),
    _text("connection"),
    _text("key"),
    _text("phase"),
    _text("end_reason", null=True),
    _text("session_id", null=True),
    _text("user_key", null=True),  # the bot's stable id of the customer
    _time("started_at"),
    _time("ended_at", null=True),
    sa.Column("open", sa.Boolean, nullable=False),
    _number("version"),
    _text("record"),
    _text("policy"),
    sa.UniqueConstraint("tenant", "conversation_id", "key"),
)
sa.Index(f"{PREFIX}handoffs_open_idx", handoffs.c.tenant, handoffs.c.connection, **_open_only("open"))
sa.Index(
    f"{PREFIX}handoffs_one_open_idx", handoffs.c.tenant, handoffs.c.conversation_id, unique=True, **_open_only("open")
)
sa.Index(f"{PREFIX}handoffs_user_idx", handoffs.c.tenant, handoffs.c.user_key)
sa.Index(f"{PREFIX}handoffs_ended_idx", handoffs.c.tenant, handoffs.c.ended_at)

inputs = sa.Table(
    f"{PREFIX}inputs",
    metadata,
    _position(),
    _text("tenant"),
    _text("conversation_id"),
    _text("key"),  # what it is known by: a message, an event, a start
    _text("kind"),
    _text("handoff_id", null=True),  # which took it in
    _number("state"),
    _text("outcome", null=True),  # what became of it, or why it was ignored
    _time("accepted_at"),
    _time("done_at", null=True),
    _text("payload"),
    sa.UniqueConstraint("tenant", "key"),
    sqlite_autoincrement=True,
)
sa.Index(
    f"{PREFIX}inputs_open_idx", inputs.c.tenant, inputs.c.conversation_id, inputs.c.position, **_open_only("state = 0")
)
sa.Index(f"{PREFIX}inputs_handoff_idx", inputs.c.tenant, inputs.c.handoff_id, inputs.c.position)

deliveries = sa.Table(
    f"{PREFIX}deliveries",
    metadata,
    _position(),
    _text("tenant"),
    _text("connection"),
    _text("id"),
    _number("state"),
    _number("attempts"),
    _time("not_before", null=True),
    _time("received_at"),
    _time("done_at", null=True),
    _text("detail", null=True),
    _text("payload"),
    sa.UniqueConstraint("tenant", "connection", "id"),
    sqlite_autoincrement=True,
)
sa.Index(
    f"{PREFIX}deliveries_open_idx",
    deliveries.c.tenant,
    deliveries.c.connection,
    deliveries.c.position,
    **_open_only("state = 0"),
)
sa.Index(f"{PREFIX}deliveries_parked_idx", deliveries.c.tenant, deliveries.c.connection, **_open_only("state = 3"))

outbox = sa.Table(
    f"{PREFIX}outbox",
    metadata,
    _position(),
    _text("tenant"),
    _text("conversation_id"),
    _text("handoff_id"),
    _text("connection", null=True),  # of desk effects
    _text("key"),
    _text("lane"),
    _text("kind"),
    _text("after", null=True),  # JSON list of keys
    _text("merged_into", null=True),  # key of the effect this one is sent with
    _number("state"),
    _number("attempts"),
    _time("attempting_at", null=True),
    _time("not_before", null=True),
    _time("created_at"),
    _time("done_at", null=True),
    _text("failure", null=True),
    _text("detail", null=True),
    _text("progress", null=True),  # JSON: how far it has come
    _text("payload"),
    sa.UniqueConstraint("tenant", "key"),
    sqlite_autoincrement=True,
)
sa.Index(
    f"{PREFIX}outbox_open_idx", outbox.c.tenant, outbox.c.conversation_id, outbox.c.position, **_open_only("state < 2")
)
sa.Index(f"{PREFIX}outbox_handoff_idx", outbox.c.tenant, outbox.c.handoff_id, outbox.c.position)

timers = sa.Table(
    f"{PREFIX}timers",
    metadata,
    _text("tenant", key=True),
    _text("handoff_id", key=True),
    _text("name", key=True),
    _text("conversation_id"),
    _time("due_at"),
)
sa.Index(f"{PREFIX}timers_due_idx", timers.c.tenant, timers.c.due_at)

links = sa.Table(
    f"{PREFIX}links",
    metadata,
    _text("tenant", key=True),
    _text("connection", key=True),
    _text("session_id", key=True),
    _text("conversation_id"),
    _text("session"),  # JSON
    _text("cursor", null=True),  # where reading it goes on
    _time("wanted_at", null=True),  # a reading is wanted
    _time("linked_at"),
    sa.Column("open", sa.Boolean, nullable=False),  # a hand-off is open on it: reconciled
)
sa.Index(f"{PREFIX}links_wanted_idx", links.c.tenant, links.c.connection, **_open_only("wanted_at IS NOT NULL"))
sa.Index(f"{PREFIX}links_open_idx", links.c.tenant, links.c.connection, **_open_only("open"))
sa.Index(f"{PREFIX}links_conversation_idx", links.c.tenant, links.c.conversation_id)

message_links = sa.Table(
    f"{PREFIX}message_links",
    metadata,
    _text("tenant", key=True),
    _text("connection", key=True),
    _text("session_id", key=True),
    _text("direction", key=True),  # "out": ours, in the helpdesk; "in": an agent's, shown to the customer
    _text("vendor_id", key=True),
    _text("key", key=True),  # of the effect that made it, or showed it
    _text("message_id", null=True),  # the host's id of a customer's message
    _time("linked_at"),
)

user_links = sa.Table(
    f"{PREFIX}user_links",
    metadata,
    _text("tenant", key=True),
    _text("connection", key=True),
    _text("user_key", key=True),  # the bot's stable id of the customer
    _text("external", null=True),  # JSON of the ExternalUser; null while it is being made
    _text("fingerprint", null=True),  # of what the bot knew of them: another one updates the helpdesk (F05)
    _text("claimed_by", null=True),
    _time("claimed_at", null=True),
    _time("updated_at"),
)

connections = sa.Table(
    f"{PREFIX}connections",
    metadata,
    _text("tenant", key=True),
    _text("connection", key=True),
    _text("worker", null=True),  # who reads its deliveries and sessions
    _number("fence"),
    _time("paused_at", null=True),
    _text("paused_detail", null=True),
    _time("retry_at", null=True),
    _text("changes_cursor", null=True),
    _time("reconciled_at", null=True),
)

connection_state = sa.Table(
    f"{PREFIX}connection_state",
    metadata,
    _text("tenant", key=True),
    _text("connection", key=True),
    _text("key", key=True),
    _number("version"),
    sa.Column("value", sa.LargeBinary, nullable=False),  # encrypted
)

locks = sa.Table(
    f"{PREFIX}locks",
    metadata,
    _text("tenant", key=True),
    _text("connection", key=True),
    _text("name", key=True),
    _text("holder"),
    _time("until"),  # by the database's clock; renewed while it is held
)

budgets = sa.Table(
    f"{PREFIX}budgets",
    metadata,
    _text("tenant", key=True),
    _text("connection", key=True),
    _text("scope", key=True),
    sa.Column("limit_count", sa.Float, nullable=True),
    sa.Column("remaining", sa.Float, nullable=True),
    _time("resets_at", null=True),
    _time("rolled_at", null=True),  # end of the last window, until an answer tells the end of this one
    _time("next_at", null=True),
    _time("blocked_until", null=True),
    _time("updated_at"),
)

slots = sa.Table(
    f"{PREFIX}slots",
    metadata,
    _text("tenant", key=True),
    _text("connection", key=True),
    _number("number", default=None, key=True),
    _text("worker", null=True),
    _time("taken_at", null=True),
    _text("wanted_by", null=True),  # a worker that has none: the next to get this one
    _time("wanted_at", null=True),
)

blobs = sa.Table(
    f"{PREFIX}blobs",
    metadata,
    _text("tenant", key=True),
    _text("id", key=True),
    _number("part", default=None, key=True),  # 0 carries the facts, every part a piece of the content
    _text("conversation_id", null=True),  # in every part
    _text("name", null=True),
    _text("content_type", null=True),
    sa.Column("size", _BIG, nullable=True),  # once all of it is there
    _time("stored_at"),
    sa.Column("content", sa.LargeBinary, nullable=False),
)
sa.Index(f"{PREFIX}blobs_conversation_idx", blobs.c.tenant, blobs.c.conversation_id)
sa.Index(f"{PREFIX}blobs_stored_idx", blobs.c.tenant, blobs.c.stored_at, **_open_only("part = 0"))

dead_letters = sa.Table(
    f"{PREFIX}dead_letters",
    metadata,
    _position(),
    _text("tenant"),
    _text("source"),  # input, effect or delivery
    sa.Column("source_position", _BIG, nullable=False),
    _text("conversation_id", null=True),
    _text("handoff_id", null=True),
    _text("connection", null=True),
    _text("key"),
    _text("kind"),
    _text("failure"),
    _text("detail"),  # no secret, no customer's words
    _time("at"),
    _number("state"),
    _time("settled_at", null=True),
    sqlite_autoincrement=True,
)
sa.Index(f"{PREFIX}dead_letters_open_idx", dead_letters.c.tenant, dead_letters.c.position, **_open_only("state = 0"))
sa.Index(f"{PREFIX}dead_letters_handoff_idx", dead_letters.c.tenant, dead_letters.c.handoff_id)

audit = sa.Table(
    f"{PREFIX}audit",
    metadata,
    _position(),
    _text("tenant"),
    _time("at"),
    _text("actor"),  # bot, customer, agent:ID, timer, worker, operator
    _text("action"),
    _text("conversation_id", null=True),
    _text("handoff_id", null=True),
    _text("detail", null=True),  # no secret, no customer's words
    sqlite_autoincrement=True,
)
sa.Index(f"{PREFIX}audit_handoff_idx", audit.c.tenant, audit.c.handoff_id)
sa.Index(f"{PREFIX}audit_at_idx", audit.c.tenant, audit.c.at)


def storable(text: str) -> bool:
    """Whether a database can hold, or look for, a text that comes from elsewhere."""
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can hold
        return False
    return "\0" not in text
