"""Attachments are kept whole or not at all, in parts, and each for itself."""

import asyncio

import pytest
import sqlalchemy as sa

from hitl_core.bridge.store.blobs import PART_BYTES, Blobs
from hitl_core.bridge.store.tables import blobs
from hitl_core.errors import InvalidRequestError, NotFoundError, StoreError

from .store_rows import rows

pytestmark = pytest.mark.anyio

MANY = 10**9


@pytest.fixture
def kept(store):
    return Blobs(store, "acme")


async def read(kept, id):
    stream = await kept.open(id)
    return b"".join([chunk async for chunk in stream.chunks])


async def pieces(content, size):
    for start in range(0, len(content), size):
        yield content[start : start + size]


CONTENT = bytes(range(256)) * 4000  # just under four parts


@pytest.mark.parametrize("length", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, len(CONTENT)])
@pytest.mark.parametrize("size", [None, 1000, 700_000])
async def test_what_is_kept_is_what_was_given(store, kept, length, size):
    content = CONTENT[:length]
    given = content if size is None else pieces(content, size)
    blob = await kept.put(given, max_bytes=length, conversation_id="c1", name="a.png", content_type="image/png")
    assert await kept.get(blob.id) == blob
    assert (blob.size, blob.name, blob.content_type, blob.conversation_id) == (length, "a.png", "image/png", "c1")
    assert await read(kept, blob.id) == content
    assert max(len(row.content) for row in await rows(store, blobs)) <= PART_BYTES


async def test_a_file_is_opened_with_what_is_known_of_it(kept):
    blob = await kept.put(b"x", max_bytes=MANY, name="a.png", content_type="image/png")
    stream = await kept.open(blob.id)
    assert (stream.size, stream.name, stream.content_type) == (1, "a.png", "image/png")
    await stream.close()


async def test_the_same_content_twice_is_two_files(kept):
    one, two = [await kept.put(b"same", max_bytes=MANY) for _ in range(2)]
    assert one.id != two.id
    assert len(one.id) >= 32
    assert await kept.delete(one.id) is True
    assert await kept.delete(one.id) is False
    assert await read(kept, two.id) == b"same"


@pytest.mark.parametrize("size", [None, 1000])
async def test_one_that_is_too_long_is_refused_and_leaves_nothing(store, kept, size):
    given = CONTENT if size is None else pieces(CONTENT, size)
    with pytest.raises(InvalidRequestError, match="longer than 600000 bytes"):
        await kept.put(given, max_bytes=600_000)
    assert await rows(store, blobs) == []


async def test_a_source_that_fails_or_is_given_up_leaves_nothing(store, kept):
    async def broken():
        yield CONTENT
        raise ConnectionError("lost")

    with pytest.raises(ConnectionError):
        await kept.put(broken(), max_bytes=MANY)
    assert await rows(store, blobs) == []

    reached = asyncio.Event()

    async def endless():
        yield CONTENT
        reached.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(kept.put(endless(), max_bytes=MANY))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await rows(store, blobs) == []


async def test_half_a_file_is_no_file(store, kept):
    blob = await kept.put(CONTENT, max_bytes=MANY)
    async with store.write() as conn:
        await conn.execute(sa.update(blobs).values(size=None))  # as a crash before the last part leaves it
    assert await kept.get(blob.id) is None
    with pytest.raises(NotFoundError, match="not kept here"):
        await kept.open(blob.id)


async def test_one_that_is_deleted_while_it_is_read_is_not_taken_for_shorter(kept):
    blob = await kept.put(CONTENT, max_bytes=MANY)
    stream = await kept.open(blob.id)
    assert len(await anext(stream.chunks)) == PART_BYTES
    await kept.delete(blob.id)
    with pytest.raises(StoreError, match="deleted while it was read"):
        await anext(stream.chunks)


async def test_f32_a_tenant_opens_its_own_files_alone(store, kept):
    blob = await kept.put(b"x", max_bytes=MANY)
    other = Blobs(store, "rival")
    assert await other.get(blob.id) is None
    assert await other.delete(blob.id) is False
    assert await read(kept, blob.id) == b"x"
