"""What a test lets a provider download: files on a shelf and what the helpdesk holds, and nothing of the internet."""

from __future__ import annotations

from hitl_core._http.messages import HttpRequest
from hitl_core._http.transport import AnswerRefused, Transport, TransportFailure
from hitl_core.download import Download, DownloadError, filename_of

__all__ = ["Shelf"]

_LARGEST = 25 * 1024 * 1024


class Shelf:
    """Downloads from a table, within the bounds a provider names; where nothing is, the answer is 404.

    :param wire: to the helpdesk, for the files it holds.
    :param base_url: where the helpdesk is.
    """

    def __init__(self, wire: Transport, base_url: str) -> None:
        self._wire = wire
        self._inside = f"{base_url}/"
        self._files: dict[str, Download] = {}

    def put(self, url: str, content: bytes, *, content_type: str, name: str | None = None) -> str:
        """Let ``url`` be downloaded, and return it."""
        self._files[url] = Download(content, content_type, name)
        return url

    async def fetch(self, url: str, *, max_bytes: int | None = None) -> Download:
        """Download without credentials, as ``ctx.fetch`` does.

        :raises DownloadError: nothing is there, or it is too large.
        """
        if url.startswith(self._inside):
            return await self._from_helpdesk(url, _LARGEST if max_bytes is None else max_bytes)
        found = self._files.get(url)
        if found is None:
            msg = "there is nothing at that address in this test"
            raise DownloadError(msg, reason="status", status=404)
        if max_bytes is not None and found.size > max_bytes:
            msg = f"the file has more than {max_bytes} bytes"
            raise DownloadError(msg, reason="too_large")
        return found

    async def _from_helpdesk(self, url: str, max_bytes: int) -> Download:
        try:
            answer = await self._wire.send(HttpRequest("GET", url, {}, b""), timeout=30, max_bytes=max_bytes)
        except TransportFailure as failure:
            raise DownloadError(failure.reason, reason="connection", retryable=True) from failure
        except AnswerRefused as refused:
            raise DownloadError(refused.reason, reason="too_large") from refused
        if answer.status != 200:
            msg = f"the helpdesk answered {answer.status}; the link may have expired or need credentials"
            raise DownloadError(msg, reason="status", status=answer.status)
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        name = filename_of(answer.headers.get("content-disposition"))
        return Download(answer.body, media_type or "application/octet-stream", name)
