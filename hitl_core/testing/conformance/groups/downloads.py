"""``open_attachment``: what agents attach can be opened, within bounds."""

from __future__ import annotations

from collections.abc import Iterator

from hitl_core.calls import AttachmentStream
from hitl_core.errors import HitlError, NotFoundError
from hitl_core.events import AgentMessage, AnyEvent
from hitl_core.messages import AnyMessage, AttachmentRef, Bloc, Media
from hitl_core.testing.conformance import words
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.attempts import outcome, told
from hitl_core.testing.conformance.tools.claims import promised
from hitl_core.testing.conformance.wire import is_write
from hitl_core.testing.simulator import SimFile

__all__ = ["DownloadTests"]

_LARGE = b"kit-file " * 8_000


class DownloadTests(ConformanceBase):
    """Files of agents."""

    @rule("open_attachment", needs=("open_attachment",), abilities=("attach",))
    async def test_an_agents_file_is_opened_as_it_is(self, room: Room) -> None:
        """A file an agent attached is opened as it is, with its media type and, where told, its size (F28)."""
        ref = await _attached(room, SimFile(name="kit.png", content_type="image/png", content=words.PNG_BYTES))
        with promised("a file an agent attached can be opened"):
            stream = await room.connection.open_attachment(ref)
            content = await _all(stream)
        kind = (stream.content_type or "").partition(";")[0].strip().lower()
        assert content == words.PNG_BYTES, f"the file has {len(words.PNG_BYTES)} bytes; other {len(content)} were read"
        assert kind == "image/png", f"the file is image/png, and content_type is {stream.content_type!r}"
        assert stream.size in {None, len(content)}, f"size is {stream.size}, and {len(content)} bytes were read"

    @rule("open_attachment", needs=("open_attachment",), abilities=("attach",))
    async def test_a_file_larger_than_allowed_is_given_up(self, room: Room) -> None:
        """Beyond ``max_bytes`` an error is raised, on opening or while reading, and no more is handed out."""
        ref = await _attached(room, SimFile(name="kit.txt", content_type="text/plain", content=_LARGE))
        read = 0
        try:
            stream = await room.connection.open_attachment(ref, max_bytes=1000)
            try:
                async for piece in stream.chunks:
                    read += len(piece)
            finally:
                await stream.close()
        except HitlError:
            assert read <= 1000, f"1000 bytes were allowed, and {read} handed out before the error"
            return
        raise AssertionError(
            f"1000 bytes were allowed, and {read} handed out; pass request.max_bytes on to http.stream"
        )

    @rule("open_attachment", needs=("open_attachment",), abilities=("attach",))
    async def test_a_file_that_is_gone_is_not_found(self, room: Room) -> None:
        """A file the helpdesk does not have any more raises ``NotFoundError``."""
        ref = await _attached(room, SimFile(name="kit.txt", content_type="text/plain", content=b"kit"))
        headers, body = room.simulator.error(404)
        room.wire.cut(
            "answer", times=None, matches=lambda request: not is_write(request), status=404, headers=headers, body=body
        )
        ended = await outcome(room.connection.open_attachment(ref))
        room.wire.mend()
        if isinstance(ended, AttachmentStream):
            await ended.close()
        assert isinstance(ended, NotFoundError), f"a file that is gone is NotFoundError; {told(ended)}"

    @rule("open_attachment", needs=("open_attachment",), abilities=("attach",))
    async def test_a_file_can_be_closed_before_its_end(self, room: Room) -> None:
        """Closed after its first piece, a file lets its connection go, and can be opened again."""
        ref = await _attached(room, SimFile(name="kit.txt", content_type="text/plain", content=_LARGE))
        with promised("a file can be closed early"):
            stream = await room.connection.open_attachment(ref)
            async for _ in stream.chunks:
                break
            await stream.close()
        left = room.wire.streaming
        with promised("a file can be opened a second time"):
            content = await _all(await room.connection.open_attachment(ref))
        assert not left, "`close` must leave the transport's stream: pass the exit of its `async with` as `close`"
        assert content == _LARGE, "opened again, a file is read from its beginning"


async def _attached(room: Room, file: SimFile) -> AttachmentRef:
    """Let an agent attach a file; return the reference that was heard of."""
    session = await room.session()
    await room.agent.attach(session.id, "kit-attached", [file])

    def refs(heard: list[AnyEvent]) -> Iterator[AttachmentRef]:
        for event in heard:
            if isinstance(event, AgentMessage):
                yield from _refs(event.message)

    heard = await room.hear(session, until=lambda events: any(refs(list(events))))
    return next(refs(heard))


def _refs(message: AnyMessage) -> Iterator[AttachmentRef]:
    for item in message.items if isinstance(message, Bloc) else (message,):
        if isinstance(item, Media) and item.ref is not None:
            yield item.ref


async def _all(stream: AttachmentStream) -> bytes:
    try:
        return b"".join([piece async for piece in stream.chunks])
    finally:
        await stream.close()
