"""The first schema.

Written out, event log included, so that it stays what it was whatever becomes of the tables' definitions.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from hitl_core.database import UtcDateTime

revision: Final = "0001"
down_revision: Final[str | None] = None
branch_labels: Final[str | None] = None
depends_on: Final[str | None] = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the desk's tables and its event log's."""
    _desk()
    _log()


def _desk() -> None:
    op.create_table(
        "desk_agents",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("avatar_url", sa.Text(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="desk_agents_pkey"),
        sa.UniqueConstraint("email", name="desk_agents_email_key"),
    )
    op.create_table(
        "desk_bots",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_seen_at", UtcDateTime(), nullable=True),
        sa.Column("reached", BIG, server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name="desk_bots_pkey"),
        sa.UniqueConstraint("token_hash", name="desk_bots_token_hash_key"),
    )
    op.create_table(
        "desk_customers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("bot_id", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("avatar_url", sa.Text(), nullable=True),
        sa.Column("locale", sa.Text(), nullable=True),
        sa.Column("data", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["bot_id"], ["desk_bots.id"], name="desk_customers_bot_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="desk_customers_pkey"),
        sa.UniqueConstraint("bot_id", "external_id", name="desk_customers_bot_id_external_id_key"),
    )
    op.create_table(
        "desk_idempotency",
        sa.Column("bot_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["bot_id"], ["desk_bots.id"], name="desk_idempotency_bot_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("bot_id", "key", name="desk_idempotency_pkey"),
    )
    op.create_index("desk_idempotency_age", "desk_idempotency", ["created_at"], unique=False)
    op.create_table(
        "desk_login_links",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["desk_agents.id"], name="desk_login_links_agent_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="desk_login_links_pkey"),
    )
    op.create_table(
        "desk_sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("csrf", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["desk_agents.id"], name="desk_sessions_agent_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="desk_sessions_pkey"),
    )
    op.create_index("desk_sessions_agent_id_idx", "desk_sessions", ["agent_id"], unique=False)
    op.create_table(
        "desk_tickets",
        sa.Column("number", BIG, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("bot_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("created_with_key", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("tags", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("metadata", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("assignee_id", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("waiting_since", UtcDateTime(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("close_reason", sa.Text(), nullable=True),
        sa.Column("message_seq", sa.Integer(), nullable=False),
        sa.Column("last_text", sa.Text(), nullable=True),
        sa.Column("last_role", sa.Text(), nullable=True),
        sa.Column("last_kind", sa.Text(), nullable=True),
        sa.Column("last_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["assignee_id"], ["desk_agents.id"], name="desk_tickets_assignee_id_fkey", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["bot_id"], ["desk_bots.id"], name="desk_tickets_bot_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["desk_customers.id"], name="desk_tickets_customer_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name="desk_tickets_pkey"),
        sa.UniqueConstraint("id", name="desk_tickets_id_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("desk_tickets_bot_external", "desk_tickets", ["bot_id", "external_id"], unique=False)
    op.create_index("desk_tickets_closed", "desk_tickets", ["closed_at"], unique=False)
    op.create_index("desk_tickets_customer_id_idx", "desk_tickets", ["customer_id"], unique=False)
    op.create_index("desk_tickets_view", "desk_tickets", ["category", "assignee_id", "waiting_since"], unique=False)
    op.create_table(
        "desk_messages",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("visibility", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("author_id", sa.Text(), nullable=True),
        sa.Column("author_name", sa.Text(), nullable=True),
        sa.Column("author_avatar_url", sa.Text(), nullable=True),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("client_ref", sa.Text(), nullable=True),
        sa.Column("dedupe_key", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("edited_at", UtcDateTime(), nullable=True),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=True),
        sa.Column("event_position", BIG, nullable=True),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["desk_tickets.id"], name="desk_messages_ticket_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="desk_messages_pkey"),
        sa.UniqueConstraint("ticket_id", "dedupe_key", name="desk_messages_ticket_id_dedupe_key_key"),
        sa.UniqueConstraint("ticket_id", "seq", name="desk_messages_ticket_id_seq_key"),
    )
    op.create_index("desk_messages_client_ref", "desk_messages", ["ticket_id", "client_ref"], unique=False)
    op.create_index("desk_messages_event", "desk_messages", ["event_id"], unique=False)
    op.create_table(
        "desk_read_marks",
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["desk_agents.id"], name="desk_read_marks_agent_id_fkey", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["desk_tickets.id"], name="desk_read_marks_ticket_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("agent_id", "ticket_id", name="desk_read_marks_pkey"),
    )
    op.create_table(
        "desk_transcripts",
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("entries", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["desk_tickets.id"], name="desk_transcripts_ticket_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ticket_id", name="desk_transcripts_pkey"),
    )
    op.create_table(
        "desk_attachments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("bot_id", sa.Text(), nullable=True),
        sa.Column("agent_id", sa.Text(), nullable=True),
        sa.Column("ticket_id", sa.Text(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("place", sa.Integer(), server_default="0", nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size", BIG, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["desk_agents.id"], name="desk_attachments_agent_id_fkey", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["bot_id"], ["desk_bots.id"], name="desk_attachments_bot_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["message_id"], ["desk_messages.id"], name="desk_attachments_message_id_fkey", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["desk_tickets.id"], name="desk_attachments_ticket_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="desk_attachments_pkey"),
    )
    op.create_index("desk_attachments_message_id_idx", "desk_attachments", ["message_id"], unique=False)
    op.create_index("desk_attachments_unused", "desk_attachments", ["ticket_id", "created_at"], unique=False)


def _log() -> None:
    op.create_table(
        "desk_log_endpoints",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", sa.Text(), nullable=True),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("resume_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "id", name="desk_log_endpoints_pkey"),
    )
    op.create_table(
        "desk_log_events",
        sa.Column("seq", BIG, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("position", BIG, nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("subject_seq", BIG, nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="desk_log_events_pkey"),
        sa.UniqueConstraint("id", name="desk_log_events_id_key"),
        sa.UniqueConstraint("stream", "position", name="desk_log_events_position_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "desk_log_streams",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("position", BIG, nullable=False),
        sa.Column("trimmed", BIG, server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("stream", name="desk_log_streams_pkey"),
    )
    op.create_table(
        "desk_log_subjects",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.PrimaryKeyConstraint("stream", "subject", name="desk_log_subjects_pkey"),
    )
    op.create_table(
        "desk_log_deliveries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("event_seq", BIG, nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("endpoint_id", sa.Text(), nullable=False),
        sa.Column("position", BIG, nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", UtcDateTime(), nullable=True),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["event_seq"], ["desk_log_events.seq"], name="desk_log_deliveries_event_seq_fkey", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["stream", "endpoint_id"],
            ["desk_log_endpoints.stream", "desk_log_endpoints.id"],
            name="desk_log_deliveries_stream_endpoint_id_fkey",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="desk_log_deliveries_pkey"),
        sa.UniqueConstraint("event_seq", "stream", "endpoint_id", name="desk_log_deliveries_event_endpoint_key"),
    )
    op.create_index(
        "desk_log_deliveries_due",
        "desk_log_deliveries",
        ["stream", "endpoint_id", "next_attempt_at"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "desk_log_deliveries_log", "desk_log_deliveries", ["stream", "endpoint_id", "position"], unique=False
    )
    op.create_index(
        "desk_log_deliveries_order",
        "desk_log_deliveries",
        ["stream", "endpoint_id", "subject", "position"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_table(
        "desk_log_attempts",
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["desk_log_deliveries.id"], name="desk_log_attempts_delivery_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("delivery_id", "n", name="desk_log_attempts_pkey"),
    )


def downgrade() -> None:
    """Drop everything."""
    for table in (
        "desk_attachments",
        "desk_transcripts",
        "desk_read_marks",
        "desk_messages",
        "desk_tickets",
        "desk_log_attempts",
        "desk_sessions",
        "desk_login_links",
        "desk_log_deliveries",
        "desk_idempotency",
        "desk_customers",
        "desk_log_subjects",
        "desk_log_streams",
        "desk_log_events",
        "desk_log_endpoints",
        "desk_bots",
        "desk_agents",
    ):
        op.drop_table(table)
