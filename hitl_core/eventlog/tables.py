"""The log's tables, defined in the host's metadata so that its migrations and its transactions include them."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from hitl_core.database import UtcDateTime

__all__ = ["EventTables", "define_tables"]


@dataclass(frozen=True, slots=True)
class EventTables:
    """The tables :func:`define_tables` made."""

    streams: sa.Table
    subjects: sa.Table
    events: sa.Table
    endpoints: sa.Table
    deliveries: sa.Table
    attempts: sa.Table


def define_tables(metadata: sa.MetaData, prefix: str = "") -> EventTables:
    """Add the log's tables to the host's metadata.

    Create them with the host's migrations or ``metadata.create_all``. Names of tables and indexes start with
    ``prefix``, so two logs fit into one database.
    """
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    streams = sa.Table(
        f"{prefix}streams",
        metadata,
        sa.Column("stream", sa.Text, primary_key=True),
        # Position of the newest event: 0 before the first.
        sa.Column("position", big, nullable=False),
        # Events up to here were trimmed away.
        sa.Column("trimmed", big, nullable=False, server_default="0"),
    )
    subjects = sa.Table(
        f"{prefix}subjects",
        metadata,
        sa.Column("stream", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("seq", big, nullable=False),
    )
    events = sa.Table(
        f"{prefix}events",
        metadata,
        # Identity only. Readers go by (stream, position): concurrent writers commit this number out of order.
        sa.Column("seq", big, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("position", big, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("subject_seq", big),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("stream", "position", name=f"{prefix}events_position_key"),
        sqlite_autoincrement=True,
    )
    endpoints = sa.Table(
        f"{prefix}endpoints",
        metadata,
        sa.Column("stream", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        # JSON list of type names; null means all.
        sa.Column("types", sa.Text),
        # JSON list of {secret, expires_at}, the current one first and without an end.
        sa.Column("secrets", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False, server_default=""),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("disabled_reason", sa.Text),
        sa.Column("resume_at", UtcDateTime),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )
    deliveries = sa.Table(
        f"{prefix}deliveries",
        metadata,
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("event_seq", big, sa.ForeignKey(events.c.seq, ondelete="CASCADE"), nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("endpoint_id", sa.Text, nullable=False),
        # Copies of the event's, so that finding work reads one table.
        sa.Column("position", big, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_attempt_at", UtcDateTime),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_until", UtcDateTime),
        sa.Column("last_status", sa.Integer),
        sa.Column("last_error", sa.Text),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("finished_at", UtcDateTime),
        sa.ForeignKeyConstraint(["stream", "endpoint_id"], [endpoints.c.stream, endpoints.c.id], ondelete="CASCADE"),
        sa.UniqueConstraint("event_seq", "stream", "endpoint_id", name=f"{prefix}deliveries_event_endpoint_key"),
    )
    pending = sa.text("status = 'pending'")
    sa.Index(
        f"{prefix}deliveries_due",
        deliveries.c.stream,
        deliveries.c.endpoint_id,
        deliveries.c.next_attempt_at,
        sqlite_where=pending,
        postgresql_where=pending,
    )
    sa.Index(
        f"{prefix}deliveries_order",
        deliveries.c.stream,
        deliveries.c.endpoint_id,
        deliveries.c.subject,
        deliveries.c.position,
        sqlite_where=pending,
        postgresql_where=pending,
    )
    sa.Index(f"{prefix}deliveries_log", deliveries.c.stream, deliveries.c.endpoint_id, deliveries.c.position)
    attempts = sa.Table(
        f"{prefix}attempts",
        metadata,
        sa.Column("delivery_id", sa.Text, sa.ForeignKey(deliveries.c.id, ondelete="CASCADE"), primary_key=True),
        sa.Column("n", sa.Integer, primary_key=True),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("duration_ms", sa.Integer),
        sa.Column("status", sa.Integer),
        sa.Column("error", sa.Text),
    )
    return EventTables(streams, subjects, events, endpoints, deliveries, attempts)
