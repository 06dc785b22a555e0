"""How Alembic runs the desk's migrations: on the connection it is handed, touching the desk's own tables only."""

from __future__ import annotations

from alembic import context

from hitl_desk.server.migrate import VERSION_TABLE
from hitl_desk.server.tables import PREFIX, metadata


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or (name or "").startswith(PREFIX)


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    include_name=_ours,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
