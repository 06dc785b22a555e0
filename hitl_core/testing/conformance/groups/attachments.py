"""Files in ``send_message``: with name, type and bytes where the vendor takes files, as links elsewhere."""

from __future__ import annotations

from base64 import b64encode
from typing import Final

from hitl_core.errors import InvalidRequestError
from hitl_core.messages import AnyMessage, Bloc, File, Image, Text, parse_message
from hitl_core.testing.conformance import words
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.claims import promised, refused, unsent
from hitl_core.testing.conformance.tools.reading import everything, within
from hitl_core.testing.simulator import SimFile, SimSession

__all__ = ["AttachmentTests"]

_NOTES: Final = "kit-file: “Grüße” 🧡\n".encode()
_LARGEST_TRIED: Final = 32 * 1024 * 1024
"""Where the vendor takes larger files still, files without a size are not tried."""


def _data_url(content: bytes, content_type: str) -> str:
    return f"data:{content_type};base64,{b64encode(content).decode()}"


def _picture(name: str) -> Image:
    return Image(url=words.PNG, name=name, content_type="image/png", size=len(words.PNG_BYTES))


def _notes(name: str) -> File:
    return File(url=_data_url(_NOTES, "text/plain"), name=name, content_type="text/plain")


class AttachmentTests(ConformanceBase):
    """Files."""

    @rule("send_message", needs=("attachments",))
    async def test_files_arrive_with_name_type_and_bytes(self, room: Room) -> None:
        """A picture and a file are uploaded: agents get the very bytes, under their name and type (F17)."""
        session = await room.session()
        for message in (_picture("kit-picture.png"), _notes("kit-notes.txt")):
            with promised(f"a message of the kind {message.type!r} must work"):
                await room.send(session, message)
        files = _files(await room.agent.session(session.id))
        _compare(files, {"kit-picture.png": ("image/png", words.PNG_BYTES), "kit-notes.txt": ("text/plain", _NOTES)})

    @rule("send_message", needs=("attachments",))
    async def test_all_files_of_one_message_arrive_in_order(self, room: Room) -> None:
        """A bloc of text and several files arrives whole: the text and each file, once and in order (S020, F17)."""
        session = await room.session()
        names = ["kit-picture.png", "kit-image.png", "kit.png"]
        first, second, third = (_picture(name) for name in names)
        items = (Text(text="kit-look at these"), first, second, Text(text="kit-and this"), third)
        with promised("a bloc of text and files must work: send several messages where one cannot carry it"):
            await room.send(session, Bloc(items=items))
        seen = await room.agent.session(session.id)
        found = [file.name for file in _files(seen) if file.name.startswith("kit")]
        assert found == names, f"the files {', '.join(names)} were sent, agents have {', '.join(found) or 'none'}"
        for text in ("kit-look at these", "kit-and this"):
            assert within(seen, text), "the text beside files must arrive"

    @rule("send_message", needs=("!attachments",))
    async def test_files_arrive_as_links(self, room: Room) -> None:
        """Where the vendor takes no files, agents get the address of each, and its title (S201, S204)."""
        session = await room.session()
        kinds = ("image", "audio", "video", "file")
        for kind in kinds:
            fields = {"url": f"https://example.com/kit-{kind}?a=1&b=2", "title": f"kit-title-{kind}"}
            with promised(f"a message of the kind {kind!r} must work, as text"):
                await room.send(session, parse_message({"type": kind, **fields}))
        seen = await room.agent.session(session.id)
        wrong = [
            kind
            for kind in kinds
            if not within(seen, f"https://example.com/kit-{kind}?a=1&b=2") or not within(seen, f"kit-title-{kind}")
        ]
        assert not wrong, f"agents lack address or title of: {', '.join(wrong)}"

    @rule("send_message")
    async def test_a_caption_is_not_lost(self, room: Room) -> None:
        """The title of a picture is the customer's words too: agents can read it."""
        session = await room.session()
        captioned = _picture("kit-picture.png").model_copy(update={"title": "kit-caption <1>"})
        with promised("a picture with a title must work"):
            await room.send(session, captioned)
        assert within(await room.agent.session(session.id), "kit-caption <1>"), "send the title as text with the file"

    @rule("send_message")
    async def test_a_file_at_an_address_arrives_as_file_or_link(self, room: Room) -> None:
        """A file at an address arrives as that file or as its address (F17)."""
        session = await room.session()
        url = "https://files.example.com/kit-notes.txt?signature=abc"
        room.shelf.put(url, _NOTES, content_type="text/plain", name="kit-notes.txt")
        with promised("a file at an address must work"):
            await room.send(session, File(url=url))
        seen = await room.agent.session(session.id)
        uploaded = [file for file in _files(seen) if file.content]
        assert any(file.content == _NOTES for file in uploaded) or within(seen, url), (
            "agents have neither the file nor its address: load it by load_media(message, ctx.fetch, max_bytes=…)"
        )

    @rule("send_message")
    async def test_a_file_that_cannot_be_had_does_not_cost_the_message(self, room: Room) -> None:
        """Of a file that cannot be downloaded agents get the address, and the words beside it."""
        session = await room.session()
        url = "https://files.example.com/kit-gone.png"
        with promised("a file that cannot be downloaded must not fail the message: send its address instead"):
            await room.send(session, Bloc(items=(Text(text="kit-beside a lost file"), Image(url=url))))
        seen = await room.agent.session(session.id)
        assert within(seen, "kit-beside a lost file"), "the words beside a file that cannot be had must arrive"
        assert within(seen, url), "agents must get the address of a file that cannot be had"

    @rule("send_message", needs=("attachments",))
    async def test_a_file_that_is_too_large_is_refused_unsent(self, room: Room) -> None:
        """A file beyond ``limits.attachment_bytes`` is refused before anything is sent, with a size or without."""
        session = await room.session()
        limit = room.connection.limits.attachment_bytes
        if limit is None:
            return
        tried: dict[str, AnyMessage] = {
            "of a given size": File(url="https://files.example.com/kit-large.bin", size=limit + 1),
        }
        if limit < _LARGEST_TRIED:
            large = _data_url(bytes(limit + 1), "application/octet-stream")
            tried["without a size"] = File(url=large, name="kit-large.bin")
        for what, message in tried.items():
            with unsent(room), refused(InvalidRequestError, f"a file that is too large, {what}, must be refused"):
                await room.send(session, message)
        assert "kit-large" not in everything(await room.agent.session(session.id)), "nothing of it may arrive"


def _files(session: SimSession) -> list[SimFile]:
    return [file for message in session.messages for file in message.files]


def _compare(files: list[SimFile], wanted: dict[str, tuple[str, bytes]]) -> None:
    found = {file.name: file for file in files}
    missing = [name for name in wanted if name not in found]
    assert not missing, f"agents lack the file {', '.join(missing)}; they have {', '.join(found) or 'none'}"
    for name, (content_type, content) in wanted.items():
        kind = found[name].content_type.partition(";")[0]
        assert kind == content_type, f"{name} is {content_type}, and arrived as {kind}"
        assert found[name].content == content, f"{name} arrived with other bytes than it was sent with"
