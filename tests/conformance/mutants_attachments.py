"""Mutants for the group ``attachments``."""

import re

import hitl_core as hitl
from hitl_core.http import FilePart
from hitl_core.media import load_media
from hitl_core.testing.reference import ReferenceProvider

from .mutation import kills
from .variants import NoFiles, changed, declaring

_FILES = "test_files_arrive_with_name_type_and_bytes"
_BLOC = "test_all_files_of_one_message_arrive_in_order"
_FILE = hitl.Image | hitl.File


class _Uploading(ReferenceProvider):
    """Changes files on their way up."""

    def part(self, loaded):
        raise NotImplementedError

    async def _content(self, message):
        content = await super()._content(message)
        if "files" not in content:
            return content
        loaded = await load_media(message, self._ctx.fetch, max_bytes=None)
        files = {"file": self.part(loaded)}
        stored = await self._call("send_message", "POST", "files", files=files, repeatable=True)
        return {**content, "files": [stored["id"]]}


@kills(_FILES)
class LosesTheName(_Uploading):
    """Uploads every file under one name."""

    def part(self, loaded):
        return FilePart("upload", loaded.content, loaded.content_type)


@kills(_FILES)
class LosesTheType(_Uploading):
    """Uploads every file as bytes of no type."""

    def part(self, loaded):
        return FilePart(loaded.name, loaded.content, "application/octet-stream")


@kills(_FILES)
class ReadsFilesAsText(_Uploading):
    """Decodes and encodes what it uploads."""

    def part(self, loaded):
        return FilePart(loaded.name, loaded.content.decode("utf-8", "replace").encode(), loaded.content_type)


class _OneMessageABloc(ReferenceProvider):
    """Writes a bloc as one message."""

    info = declaring(message_types=frozenset({"text", "image", "file", "bloc"}))

    def pick(self, files):
        raise NotImplementedError

    async def _content(self, message):
        if not isinstance(message, hitl.Bloc):
            return await super()._content(message)
        contents = [await super(_OneMessageABloc, self)._content(item) for item in message.items]
        files = [file for content in contents for file in content.get("files", ())]
        return {"text": "\n".join(content["text"] for content in contents), "files": self.pick(files)}


@kills(_BLOC)
class TakesTheFirstFile(_OneMessageABloc):
    """Attaches the first file of several."""

    def pick(self, files):
        return files[:1]


@kills(_BLOC)
class TurnsFilesAround(_OneMessageABloc):
    """Attaches the last file first."""

    def pick(self, files):
        return files[::-1]


@kills("test_files_arrive_as_links")
class ShortensAddresses(NoFiles):
    """Leaves out the query of an address, and with it what gives access."""

    async def _content(self, message):
        content = await super()._content(message)
        return {"text": re.sub(r"\?\S*", "", content["text"])}


@kills("test_a_caption_is_not_lost")
class DropsCaptions(ReferenceProvider):
    """Sends files without a word."""

    async def _content(self, message):
        if isinstance(message, _FILE):
            message = changed(message, title=None)
        return await super()._content(message)


@kills("test_a_file_at_an_address_arrives_as_file_or_link")
class NamesFilesAtAddresses(ReferenceProvider):
    """Names a file that is not in the message itself, and leaves its address out."""

    async def _content(self, message):
        if isinstance(message, _FILE) and not message.url.startswith("data:"):
            return {"text": f"[ {message.name or 'file'} ]"}
        return await super()._content(message)


@kills("test_a_file_that_cannot_be_had_does_not_cost_the_message")
class FailsWithTheFile(ReferenceProvider):
    """Lets a download that failed fail the message."""

    async def _content(self, message):
        if isinstance(message, _FILE):
            await load_media(message, self._ctx.fetch, max_bytes=None)
        return await super()._content(message)


@kills("test_a_file_that_cannot_be_had_does_not_cost_the_message")
class SaysThatItFailed(ReferenceProvider):
    """Tells agents that there was a file, and not where."""

    async def _content(self, message):
        content = await super()._content(message)
        return content if "files" in content else {"text": re.sub(r"https?://\S*", "(lost)", content["text"])}


@kills("test_a_file_that_is_too_large_is_refused_unsent")
class LeavesTheSizeToTheHelpdesk(ReferenceProvider):
    """Uploads whatever it is given."""

    async def _content(self, message):
        if isinstance(message, _FILE):
            loaded = await load_media(message, self._ctx.fetch, max_bytes=None)
            part = FilePart(loaded.name, loaded.content, loaded.content_type)
            await self._call("send_message", "POST", "files", files={"file": part}, repeatable=True)
        return await super()._content(message)


@kills("test_a_file_that_is_too_large_is_refused_unsent")
class SendsALabelInstead(ReferenceProvider):
    """Sends a label in place of a file that is too large."""

    async def _content(self, message):
        try:
            return await super()._content(message)
        except hitl.InvalidRequestError:
            return {"text": message.name}
