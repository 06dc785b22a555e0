"""Attachments that have to be kept for a while, in the bridge's own database.

In parts, so that neither side holds a whole file in memory and no writer is blocked for longer than one part takes.
Ids are random and not made of the content: each file belongs to one conversation and goes with it, its address cannot
be guessed, and nobody can find out by trying whether somebody else has sent the same file.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.tables import blobs
from hitl_core.calls import AttachmentStream
from hitl_core.errors import InvalidRequestError, NotFoundError, StoreError

__all__ = ["PART_BYTES", "Blob", "Blobs"]

PART_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Blob:
    """What is known of a stored file.

    :param size: bytes.
    """

    id: str
    conversation_id: str | None
    name: str | None
    content_type: str | None
    size: int
    stored_at: datetime


class Blobs:
    """The stored files of one tenant."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    async def put(
        self,
        content: bytes | AsyncIterable[bytes],
        *,
        max_bytes: int,
        conversation_id: str | None = None,
        name: str | None = None,
        content_type: str | None = None,
    ) -> Blob:
        """Keep a file; it is there once this returns, and nothing of it is if it does not.

        :param max_bytes: refuse a longer one.
        :raises InvalidRequestError: it is longer; nothing is kept.
        :raises StoreError: the database is lost, or full.
        """
        id_ = secrets.token_urlsafe(24)
        whose = {"conversation_id": conversation_id}
        facts = {**whose, "name": name, "content_type": content_type}
        held = b""
        number = size = 0
        try:
            async for chunk in _chunks(content):
                size += len(chunk)
                if size > max_bytes:
                    msg = f"the attachment is longer than {max_bytes} bytes; it was not kept"
                    raise InvalidRequestError(msg)
                held += chunk
                while len(held) > PART_BYTES:
                    await self._add(id_, number, held[:PART_BYTES], facts if number == 0 else whose)
                    held, number = held[PART_BYTES:], number + 1
            stored_at = await self._add(id_, number, held, facts if number == 0 else whose, size=size)
        except BaseException:
            if number:
                # What is left of it nobody can open; what cannot be removed now goes with the next purge.
                await asyncio.shield(self._forget(id_))
            raise
        return Blob(id_, conversation_id, name, content_type, size, stored_at)

    async def get(self, id: str) -> Blob | None:
        """Return what is known of a file, or ``None``.

        :raises StoreError: the database is lost.
        """
        b = blobs.c
        columns = (b.id, b.conversation_id, b.name, b.content_type, b.size, b.stored_at)
        async with self._store.read() as conn:
            query = sa.select(*columns).where(self._of(id), b.part == 0, b.size.is_not(None))
            row = (await conn.execute(query)).one_or_none()
        return None if row is None else Blob(*row)

    async def open(self, id: str) -> AttachmentStream:
        """Open a file; its parts are read one by one as they are asked for.

        :raises NotFoundError: there is none of that id, or no longer.
        :raises StoreError: the database is lost, also while reading.
        """
        blob = await self.get(id)
        if blob is None:
            msg = "the attachment is not kept here, or no longer"
            raise NotFoundError(msg)
        chunks = self._read(blob)
        return AttachmentStream(
            chunks=chunks, close=chunks.aclose, content_type=blob.content_type, name=blob.name, size=blob.size
        )

    async def delete(self, id: str) -> bool:
        """Delete a file; returns whether there was one.

        :raises StoreError: the database is lost.
        """
        async with self._store.write() as conn:
            return bool((await conn.execute(sa.delete(blobs).where(self._of(id)))).rowcount)

    async def _add(
        self, id_: str, number: int, content: bytes, facts: dict[str, str | None], *, size: int | None = None
    ) -> datetime:
        """Add a part; the last one brings the size, without which the file is not there."""
        async with self._store.write() as conn:
            now = await self._store.now(conn)
            part = {"tenant": self._tenant, "id": id_, "part": number, "stored_at": now, "content": content}
            await conn.execute(sa.insert(blobs).values({**part, **facts, "size": size if number == 0 else None}))
            if size is not None and number:
                await conn.execute(sa.update(blobs).where(self._of(id_), blobs.c.part == 0).values(size=size))
        return now

    async def _forget(self, id_: str) -> None:
        try:
            await self.delete(id_)
        except StoreError:
            return

    async def _read(self, blob: Blob) -> AsyncGenerator[bytes, None]:
        read = number = 0
        while read < blob.size:
            query = sa.select(blobs.c.content).where(self._of(blob.id), blobs.c.part == number)
            async with self._store.read() as conn:
                content = (await conn.execute(query)).scalar_one_or_none()
            if content is None:
                msg = "the attachment was deleted while it was read"
                raise StoreError(msg)
            yield content
            read += len(content)
            number += 1

    def _of(self, id_: str) -> sa.ColumnElement[bool]:
        return sa.and_(blobs.c.tenant == self._tenant, blobs.c.id == id_)


async def _chunks(content: bytes | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(content, bytes):
        for start in range(0, len(content), PART_BYTES):
            yield content[start : start + PART_BYTES]
        return
    async for chunk in content:
        yield chunk
