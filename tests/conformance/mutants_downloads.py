"""Mutants for the group ``downloads``."""

from collections.abc import AsyncIterator

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider

from .mutation import kills
from .variants import changed


@kills("test_an_agents_file_is_opened_as_it_is")
class SaysTextOfEverything(ReferenceProvider):
    """Reads files as text."""

    @hitl.hookimpl
    async def open_attachment(self, request):
        stream = await super().open_attachment(request)

        async def as_text() -> AsyncIterator[bytes]:
            async for piece in stream.chunks:
                yield piece.decode("utf-8", "replace").encode()

        return hitl.AttachmentStream(chunks=as_text(), close=stream.close, content_type=stream.content_type)


@kills("test_an_agents_file_is_opened_as_it_is")
class ForgetsTheType(ReferenceProvider):
    """Does not say what kind of file it is."""

    @hitl.hookimpl
    async def open_attachment(self, request):
        stream = await super().open_attachment(request)
        return hitl.AttachmentStream(chunks=stream.chunks, close=stream.close)


@kills("test_a_file_larger_than_allowed_is_given_up")
class KnowsNoBounds(ReferenceProvider):
    """Does not look at max_bytes."""

    @hitl.hookimpl
    async def open_attachment(self, request):
        return await super().open_attachment(changed(request, max_bytes=25 * 1024 * 1024))


@kills("test_a_file_that_is_gone_is_not_found")
class HandsOutNothing(ReferenceProvider):
    """Hands out an empty file where there is none."""

    @hitl.hookimpl
    async def open_attachment(self, request):
        try:
            return await super().open_attachment(request)
        except hitl.NotFoundError:
            return hitl.AttachmentStream(chunks=_nothing(), close=_done)


@kills("test_a_file_can_be_closed_before_its_end")
class NeverCloses(ReferenceProvider):
    """Leaves the vendor's stream open."""

    @hitl.hookimpl
    async def open_attachment(self, request):
        stream = await super().open_attachment(request)
        self._open = [*getattr(self, "_open", ()), stream]
        return hitl.AttachmentStream(chunks=stream.chunks, close=_done, content_type=stream.content_type)

    @hitl.hookimpl
    async def close(self):
        for stream in getattr(self, "_open", ()):
            await stream.close()


async def _nothing() -> AsyncIterator[bytes]:
    for piece in ():
        yield piece


async def _done() -> None:
    pass
