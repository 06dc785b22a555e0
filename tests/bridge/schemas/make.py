"""Keep the newest schema, with rows in it, as the database of a release: ``python tests/bridge/schemas/make.py``.

Run it when a release brings a new schema, and never change what it wrote for an earlier one: tests bring each of them
to the newest schema.
"""

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from hitl_core.bridge.store.migrate import scripts, upgrade
from hitl_core.bridge.store.tables import metadata
from hitl_core.database import create_engine
from hitl_core.testing.postgres import throwaway_postgres

HERE = Path(__file__).parent
VALUES = {
    "boolean": lambda _column, row: row == 1,
    "large_binary": lambda column, row: f"{column.name} {row}".encode(),
    "float": lambda _column, row: row + 0.5,
    "integer": lambda _column, row: row,
    "big_integer": lambda _column, row: row,
    "type_decorator": lambda _column, row: datetime(2026, 3, row, 12, 30, 0, 250_000, tzinfo=UTC),
    "text": lambda column, row: f"{column.name}'s {row}. ä",
}


async def statements(url: str) -> list[str]:
    """Return what the migrations run on a new database, and the rows."""
    engine = create_engine(url)
    seen: list[str] = []

    @sa.event.listens_for(engine.sync_engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, *_more):
        if statement.strip().upper().startswith(("CREATE", "INSERT", "ALTER", "UPDATE")):
            seen.append(statement.strip())

    await upgrade(engine)
    for table in metadata.sorted_tables:
        for row in (1, 2):
            values = {column: VALUES[column.type.__visit_name__](column, row) for column in table.columns}
            statement = sa.insert(table).values(values)
            seen.append(str(statement.compile(engine, compile_kwargs={"literal_binds": True})))
    await engine.dispose()
    return seen


def write(name: str, url: str) -> None:
    """Write them down."""
    text = ";\n".join(asyncio.run(statements(url))) + ";\n"
    (HERE / f"{scripts().get_current_head()}.{name}.sql").write_text(text)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        write("sqlite", f"sqlite:///{directory}/hitl.db")
    with throwaway_postgres(required=True) as server:
        write("postgresql", server.url())
