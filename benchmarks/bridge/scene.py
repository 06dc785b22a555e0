"""Databases to measure on, and bridges between nothing and nothing."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import sqlalchemy as sa

from benchmarks.bridge.nothing import Counter, NullHost, connect_null
from hitl_core.bridge.bridge import Bridge
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.tables import deliveries, inputs, outbox
from hitl_core.database import create_engine
from hitl_core.people import EndUser
from hitl_core.testing.postgres import throwaway_postgres

__all__ = ["ENGINES", "Engine", "begin", "bridged", "databases", "settled", "talk"]

Engine = Literal["sqlite", "postgresql"]
ENGINES: Final[tuple[Engine, ...]] = ("sqlite", "postgresql")

_STARTS_AT_ONCE: Final = 50
_LOOK_EVERY: Final = 0.02  # seconds
_PATIENCE: Final = 300.0


@contextmanager
def databases(engine: Engine) -> Iterator[Callable[[], str]]:
    """Give a function that makes a fresh database at the newest schema and returns its URL.

    SQLite and PostgreSQL both wait for the disk at each commit.

    :raises unittest.SkipTest: there is no PostgreSQL to be had.
    """
    numbers = itertools.count(1)
    if engine == "sqlite":
        with tempfile.TemporaryDirectory(prefix="hitl-benchmark-") as home:

            def file() -> str:
                return _upgraded(f"sqlite:///{Path(home) / f'{next(numbers)}.db'}")

            yield file
    else:
        with throwaway_postgres(durable=True) as server:

            def database() -> str:
                name = f"benchmark{next(numbers)}"
                asyncio.run(_create(server.url(), name))
                return _upgraded(server.url(name))

            yield database


async def _create(url: str, name: str) -> None:
    engine = create_engine(url)
    async with engine.connect() as plain:
        conn = await plain.execution_options(isolation_level="AUTOCOMMIT")
        await conn.execute(sa.text(f"CREATE DATABASE {name}"))
    await engine.dispose()


def _upgraded(url: str) -> str:
    async def run() -> None:
        store = Store(url)
        await store.open(migrate=True)
        await store.close()

    asyncio.run(run())
    return url


@asynccontextmanager
async def bridged(
    url: str, counter: Counter | None = None, *, alias: str | None = None, **more: Any
) -> AsyncIterator[Bridge]:
    """Open a bridge between nothing and nothing.

    :param alias: what the helpdesk's account is called.
    """
    more.setdefault("reconcile_seconds", None)
    async with (
        connect_null(counter or Counter(), alias=alias) as connection,
        Bridge(connection, NullHost(), url, **more) as bridge,
    ):
        yield bridge


async def begin(bridge: Bridge, conversations: int, prefix: str = "c") -> list[str]:
    """Hand so many conversations over, and return their ids once their tickets exist."""
    names = [f"{prefix}{number}" for number in range(conversations)]

    async def start(name: str) -> str:
        user = EndUser(external_id=f"u-{name}", name="Ada")
        return (await bridge.start_hitl(name, user, "Refund", wait=_PATIENCE)).status

    for first in range(0, conversations, _STARTS_AT_ONCE):
        statuses = await asyncio.gather(*map(start, names[first : first + _STARTS_AT_ONCE]))
        assert set(statuses) == {"started"}, statuses
    return names


async def talk(bridge: Bridge, conversations: Sequence[str], messages: int, prefix: str = "m") -> None:
    """Let each customer say so many things, one after the other, all customers at the same time."""

    async def customer(conversation: str) -> None:
        for number in range(messages):
            handled = await bridge.handle_user_message(
                conversation, f"I ordered a lamp two weeks ago and it is still not here ({number}).",
                message_id=f"{prefix}{number}",
            )  # fmt: skip
            assert handled.silence

    await asyncio.gather(*map(customer, conversations))


async def settled(bridge: Bridge) -> None:
    """Return once nothing is open: deliveries are read, inputs decided, effects carried out, all of it written."""
    async with asyncio.timeout(_PATIENCE):
        while await _open(bridge.store):  # noqa: ASYNC110 - another process may be the one to settle it
            await asyncio.sleep(_LOOK_EVERY)


async def _open(store: Store) -> bool:
    # As the partial indexes say it, so that looking costs nothing that would count.
    open_inputs = sa.select(sa.literal(1)).select_from(inputs).where(sa.text("hitl_inputs.state = 0"))
    open_effects = sa.select(sa.literal(1)).select_from(outbox).where(sa.text("hitl_outbox.state < 2"))
    unread = sa.select(sa.literal(1)).select_from(deliveries).where(sa.text("hitl_deliveries.state = 0"))
    async with store.read() as conn:
        return bool((await conn.execute(sa.union_all(open_inputs, open_effects, unread).limit(1))).first())
