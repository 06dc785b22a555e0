"""The first schema.

Written out, so that it stays what it was whatever becomes of the tables' definitions.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

from hitl_core.database import UtcDateTime

revision: Final = "0001"
down_revision: Final[str | None] = None
branch_labels: Final[str | None] = None
depends_on: Final[str | None] = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the bridge's tables."""
    _handoffs()
    _queues()
    _links()
    _connections()


def _handoffs() -> None:
    op.create_table(
        "hitl_conversations",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("handoff_id", sa.Text(), nullable=True),
        sa.Column("speaker", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("wake_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name="hitl_conversations_pkey"),
    )
    op.create_index(
        "hitl_conversations_wake_idx", "hitl_conversations", ["tenant", "wake_at"], **_where("wake_at IS NOT NULL")
    )
    op.create_table(
        "hitl_handoffs",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("user_key", sa.Text(), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="hitl_handoffs_pkey"),
        sa.UniqueConstraint("tenant", "conversation_id", "key", name="hitl_handoffs_tenant_conversation_id_key_key"),
    )
    op.create_index("hitl_handoffs_ended_idx", "hitl_handoffs", ["tenant", "ended_at"])
    op.create_index(
        "hitl_handoffs_one_open_idx", "hitl_handoffs", ["tenant", "conversation_id"], unique=True, **_where("open")
    )
    op.create_index("hitl_handoffs_open_idx", "hitl_handoffs", ["tenant", "connection"], **_where("open"))
    op.create_index("hitl_handoffs_user_idx", "hitl_handoffs", ["tenant", "user_key"])
    op.create_table(
        "hitl_timers",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("handoff_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "handoff_id", "name", name="hitl_timers_pkey"),
    )
    op.create_index("hitl_timers_due_idx", "hitl_timers", ["tenant", "due_at"])


def _queues() -> None:
    op.create_table(
        "hitl_inputs",
        sa.Column("position", BIG, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("handoff_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("accepted_at", UtcDateTime(), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="hitl_inputs_pkey"),
        sa.UniqueConstraint("tenant", "key", name="hitl_inputs_tenant_key_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("hitl_inputs_handoff_idx", "hitl_inputs", ["tenant", "handoff_id", "position"])
    op.create_index(
        "hitl_inputs_open_idx", "hitl_inputs", ["tenant", "conversation_id", "position"], **_where("state = 0")
    )
    op.create_table(
        "hitl_deliveries",
        sa.Column("position", BIG, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=True),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="hitl_deliveries_pkey"),
        sa.UniqueConstraint("tenant", "connection", "id", name="hitl_deliveries_tenant_connection_id_key"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "hitl_deliveries_open_idx", "hitl_deliveries", ["tenant", "connection", "position"], **_where("state = 0")
    )
    op.create_index("hitl_deliveries_parked_idx", "hitl_deliveries", ["tenant", "connection"], **_where("state = 3"))
    op.create_table(
        "hitl_outbox",
        sa.Column("position", BIG, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("handoff_id", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("merged_into", sa.Text(), nullable=True),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("attempting_at", UtcDateTime(), nullable=True),
        sa.Column("not_before", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("progress", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="hitl_outbox_pkey"),
        sa.UniqueConstraint("tenant", "key", name="hitl_outbox_tenant_key_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("hitl_outbox_handoff_idx", "hitl_outbox", ["tenant", "handoff_id", "position"])
    op.create_index(
        "hitl_outbox_open_idx", "hitl_outbox", ["tenant", "conversation_id", "position"], **_where("state < 2")
    )
    op.create_table(
        "hitl_dead_letters",
        sa.Column("position", BIG, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_position", BIG, nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=True),
        sa.Column("handoff_id", sa.Text(), nullable=True),
        sa.Column("connection", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("position", name="hitl_dead_letters_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("hitl_dead_letters_handoff_idx", "hitl_dead_letters", ["tenant", "handoff_id"])
    op.create_index("hitl_dead_letters_open_idx", "hitl_dead_letters", ["tenant", "position"], **_where("state = 0"))
    op.create_table(
        "hitl_audit",
        sa.Column("position", BIG, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=True),
        sa.Column("handoff_id", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("position", name="hitl_audit_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("hitl_audit_at_idx", "hitl_audit", ["tenant", "at"])
    op.create_index("hitl_audit_handoff_idx", "hitl_audit", ["tenant", "handoff_id"])


def _links() -> None:
    op.create_table(
        "hitl_links",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("wanted_at", UtcDateTime(), nullable=True),
        sa.Column("linked_at", UtcDateTime(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "connection", "session_id", name="hitl_links_pkey"),
    )
    op.create_index("hitl_links_conversation_idx", "hitl_links", ["tenant", "conversation_id"])
    op.create_index("hitl_links_open_idx", "hitl_links", ["tenant", "connection"], **_where("open"))
    op.create_index("hitl_links_wanted_idx", "hitl_links", ["tenant", "connection"], **_where("wanted_at IS NOT NULL"))
    op.create_table(
        "hitl_message_links",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("vendor_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("linked_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant", "connection", "session_id", "direction", "vendor_id", "key", name="hitl_message_links_pkey"
        ),
    )
    op.create_table(
        "hitl_user_links",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("user_key", sa.Text(), nullable=False),
        sa.Column("external", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "connection", "user_key", name="hitl_user_links_pkey"),
    )
    op.create_table(
        "hitl_blobs",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("content_type", sa.Text(), nullable=True),
        sa.Column("size", BIG, nullable=True),
        sa.Column("stored_at", UtcDateTime(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", "part", name="hitl_blobs_pkey"),
    )
    op.create_index("hitl_blobs_conversation_idx", "hitl_blobs", ["tenant", "conversation_id"])
    op.create_index("hitl_blobs_stored_idx", "hitl_blobs", ["tenant", "stored_at"], **_where("part = 0"))


def _connections() -> None:
    op.create_table(
        "hitl_workers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="hitl_workers_pkey"),
    )
    op.create_table(
        "hitl_connections",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("paused_at", UtcDateTime(), nullable=True),
        sa.Column("paused_detail", sa.Text(), nullable=True),
        sa.Column("retry_at", UtcDateTime(), nullable=True),
        sa.Column("changes_cursor", sa.Text(), nullable=True),
        sa.Column("reconciled_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "connection", name="hitl_connections_pkey"),
    )
    op.create_table(
        "hitl_connection_state",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "connection", "key", name="hitl_connection_state_pkey"),
    )
    op.create_table(
        "hitl_locks",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "connection", "name", name="hitl_locks_pkey"),
    )
    op.create_table(
        "hitl_budgets",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("limit_count", sa.Float(), nullable=True),
        sa.Column("remaining", sa.Float(), nullable=True),
        sa.Column("resets_at", UtcDateTime(), nullable=True),
        sa.Column("rolled_at", UtcDateTime(), nullable=True),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("blocked_until", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "connection", "scope", name="hitl_budgets_pkey"),
    )
    op.create_table(
        "hitl_slots",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("taken_at", UtcDateTime(), nullable=True),
        sa.Column("wanted_by", sa.Text(), nullable=True),
        sa.Column("wanted_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "connection", "number", name="hitl_slots_pkey"),
    )


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def downgrade() -> None:
    """Drop everything."""
    for table in (
        "hitl_slots",
        "hitl_budgets",
        "hitl_locks",
        "hitl_connection_state",
        "hitl_connections",
        "hitl_workers",
        "hitl_blobs",
        "hitl_user_links",
        "hitl_message_links",
        "hitl_links",
        "hitl_audit",
        "hitl_dead_letters",
        "hitl_outbox",
        "hitl_deliveries",
        "hitl_inputs",
        "hitl_timers",
        "hitl_handoffs",
        "hitl_conversations",
    ):
        op.drop_table(table)
