"""Files of bots, and how a file is handed to a browser or a bot without becoming a danger to it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response, UploadFile
from starlette.responses import FileResponse

from hitl_desk.server import answers
from hitl_desk.server.auth import BotRoute, desk_of
from hitl_desk.server.idempotency import once
from hitl_desk.server.params import AttachmentId, Bot, Key
from hitl_desk.server.problems import declared, not_found
from hitl_desk.server.reading import body_limit
from hitl_desk.server.service import attachments
from hitl_desk.server.settings import MIB, ServerSettings
from hitl_desk.server.unit import Unit

__all__ = ["file_answer", "router", "upload_limit"]

router = APIRouter(prefix="/v1", route_class=BotRoute)


def upload_limit(request: Request) -> int:
    """Return how large the body of an upload may be: the file, and the form around it."""
    return desk_of(request).settings.max_attachment_bytes + MIB // 16


@router.post(
    "/attachments",
    tags=["attachments"],
    operation_id="uploadAttachment",
    status_code=201,
    response_model=answers.Attachment,
    responses={**declared(400, 401, 403, 409, 413, 415, 422, 503)},
)
@body_limit(upload_limit)
async def upload_attachment(bot: Bot, request: Request, file: UploadFile, key: Key = None) -> Response:
    """Upload a file, then post a message that names it, within 24 hours."""
    settings = bot.desk.settings
    upload = attachments.Upload(file.filename, file.content_type, file.file)
    attachment_id, size, checksum = await attachments.keep(settings, upload)
    recorded = False

    async def work(unit: Unit) -> answers.Attachment:
        nonlocal recorded
        row = await attachments.record(unit, attachment_id, upload, size, bot_id=bot.id)
        recorded = True
        return attachments.answer(settings, row._asdict())

    # The boundary of a form differs from one attempt to the next; the file does not.
    mark = hashlib.sha256(f"{upload.name}\n{upload.content_type}\n{checksum}".encode()).hexdigest()
    committed = False
    try:
        answer = await once(bot, request, key, work, status=201, fingerprint=mark)
        committed = recorded
    finally:
        if not committed:  # a repeat, or a failure: the first file is the one
            await attachments.discard(settings, attachment_id)
    return answer


_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get(
    "/attachments/{attachment_id}",
    tags=["attachments"],
    operation_id="openAttachment",
    response_class=Response,
    responses={**_FILE, **declared(401, 403, 404, 422, 503)},
)
async def open_attachment(bot: Bot, attachment_id: AttachmentId) -> Response:
    """Open a file: one the bot uploaded, or one an agent sent the customer."""
    async with bot.desk.read() as conn:
        row = await attachments.for_bot(conn, bot.id, attachment_id)
    return file_answer(bot.desk.settings, row._asdict())


def file_answer(settings: ServerSettings, attachment: Mapping[str, Any], *, download: bool = True) -> Response:
    """Hand a file over so that nothing in it can act: not guessed at, sandboxed, and only plain pictures in place.

    :param download: also plain pictures as a download.
    :raises Problem: 404 when the file is gone from disk.
    """
    path = settings.attachments_dir / attachment["id"]
    if not path.is_file():
        raise not_found("attachment")
    inline = attachment["content_type"] in attachments.INLINE_TYPES and not download
    return FileResponse(
        path,
        media_type=attachment["content_type"],
        filename=attachment["name"],
        content_disposition_type="inline" if inline else "attachment",
        headers={
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "private, max-age=86400, immutable",
        },
    )
