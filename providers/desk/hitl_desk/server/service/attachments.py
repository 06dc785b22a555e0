"""Files: kept on disk under their id, described in the database, and put to one message or ticket."""

from __future__ import annotations

import asyncio
import mimetypes
import os
import re
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_desk.server import answers, tables
from hitl_desk.server.bodies import MAX_ATTACHMENTS
from hitl_desk.server.ids import new_id
from hitl_desk.server.problems import Problem, not_found, too_large
from hitl_desk.server.settings import ServerSettings
from hitl_desk.server.unit import Unit

__all__ = [
    "INLINE_TYPES",
    "Upload",
    "answer",
    "discard",
    "for_agent",
    "for_bot",
    "keep",
    "link",
    "of_messages",
    "record",
]

INLINE_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"})
"""Pictures no browser runs anything in; everything else is handed over as a download."""

_MAGIC: Final = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "image/avif": re.compile(rb"....ftyp(avif|avis|mif1|miaf)", re.DOTALL),
}
_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,127}", re.ASCII)
_GENERIC: Final = "application/octet-stream"
_PIECE: Final = 1024 * 1024

_t = tables.attachments


class Upload:
    """A file as it comes in.

    :param filename: what the sender calls it; only its last part is kept.
    :param declared: the media type the sender claims.
    """

    def __init__(self, filename: str | None, declared: str | None, file: BinaryIO) -> None:
        self.name = _safe_name(filename)
        self.content_type = _media_type(declared, self.name)
        self.file = file


def _safe_name(filename: str | None) -> str:
    name = re.split(r"[/\\]", filename or "")[-1].encode("utf-8", "replace").decode()
    name = "".join(char for char in name if char.isprintable()).strip(". ")
    return name[-255:] or "file"


def _media_type(declared: str | None, name: str) -> str:
    kind = (declared or "").partition(";")[0].strip().lower()
    if kind in {"", _GENERIC}:
        kind = mimetypes.guess_type(name)[0] or _GENERIC
    return kind if _TYPE.fullmatch(kind) else _GENERIC


def _allowed(kind: str, allowed: Collection[str]) -> bool:
    return any(kind.startswith(each[:-1]) if each.endswith("*") else kind == each for each in allowed)


async def keep(settings: ServerSettings, upload: Upload) -> tuple[str, int, str]:
    """Write a file to disk, durably; it belongs to nobody until :func:`record` says so.

    :returns: its new id, its size in bytes, and the SHA-256 of its content.
    :raises Problem: 413 when it is too large; 415 when its type is not taken, or not what it claims to be.
    """
    if not _allowed(upload.content_type, settings.allowed_types):
        raise Problem(
            415,
            "unsupported_attachment",
            f"The desk takes no files of type {upload.content_type}; GET /v1/bot lists those it takes.",
        )
    attachment_id = new_id("att")
    size, checksum = await asyncio.to_thread(
        _write, upload, settings.attachments_dir / attachment_id, settings.max_attachment_bytes
    )
    return attachment_id, size, checksum


def _write(upload: Upload, path: Path, limit: int) -> tuple[int, str]:
    size, checksum = 0, sha256()
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            while piece := upload.file.read(_PIECE):
                magic = _MAGIC.get(upload.content_type)
                if not size and magic and not magic.match(piece):
                    raise Problem(
                        415, "unsupported_attachment", f"The file claims to be {upload.content_type} and is not."
                    )
                size += len(piece)
                if size > limit:
                    raise too_large(limit, "The file")
                checksum.update(piece)
                target.write(piece)
            target.flush()
            os.fsync(target.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return size, checksum.hexdigest()


async def discard(settings: ServerSettings, attachment_id: str) -> None:
    """Delete a kept file that was not recorded."""
    await asyncio.to_thread((settings.attachments_dir / attachment_id).unlink, missing_ok=True)


async def record(
    unit: Unit, attachment_id: str, upload: Upload, size: int, *, bot_id: str | None = None, agent_id: str | None = None
) -> sa.Row[Any]:
    """Note a kept file and whose it is."""
    inserted: sa.CursorResult[Any] = await unit.conn.execute(
        sa.insert(_t)
        .values(
            id=attachment_id,
            bot_id=bot_id,
            agent_id=agent_id,
            name=upload.name,
            content_type=upload.content_type,
            size=size,
            created_at=unit.now,
        )
        .returning(_t)
    )
    return inserted.one()


async def link(
    unit: Unit,
    ids: Sequence[str],
    *,
    ticket_id: str,
    message_id: str | None,
    bot_id: str | None = None,
    agent_id: str | None = None,
) -> list[Mapping[str, Any]]:
    """Put files to a message, in order; without a message, to a ticket's transcript.

    :param bot_id: owner, or
    :param agent_id: owner; nobody can put to use what somebody else uploaded.
    :raises Problem: 422 when a file is unknown, somebody else's, or part of another message.
    """
    wanted = list(dict.fromkeys(ids))
    if len(wanted) > MAX_ATTACHMENTS and message_id is not None:
        raise _unusable(f"are more than {MAX_ATTACHMENTS}")
    mine = _t.c.bot_id == bot_id if bot_id is not None else _t.c.agent_id == agent_id
    query = sa.select(_t).where(_t.c.id.in_(wanted), mine, _t.c.message_id.is_(None)).with_for_update(key_share=True)
    found = {row.id: row for row in await unit.conn.execute(query)} if wanted else {}
    if message_id is not None and len(found) < len(wanted):
        raise _unusable("name a file that is unknown, not yours, or part of another message")
    linked = [attachment_id for attachment_id in wanted if attachment_id in found]
    for place, attachment_id in enumerate(linked):
        await unit.conn.execute(
            sa.update(_t)
            .where(_t.c.id == attachment_id)
            .values(ticket_id=ticket_id, message_id=message_id, place=place)
        )
    return [found[attachment_id]._asdict() for attachment_id in linked]


def _unusable(why: str) -> Problem:
    errors = [{"location": "body.attachments", "message": why}]
    return Problem(422, "unknown_attachment", f"The attachments {why}.", errors=errors)


async def of_messages(conn: AsyncConnection, message_ids: Collection[str]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the files of several messages, by message, in order."""
    found: dict[str, list[Mapping[str, Any]]] = {message_id: [] for message_id in message_ids}
    if found:
        query = sa.select(_t).where(_t.c.message_id.in_(found)).order_by(_t.c.message_id, _t.c.place)
        for row in await conn.execute(query):
            found[row.message_id].append(row._asdict())
    return found


async def for_bot(conn: AsyncConnection, bot_id: str, attachment_id: str) -> sa.Row[Any]:
    """Return a file a bot may open: its own, or one in an agent's public message to it.

    :raises Problem: 404 for any other.
    """
    m, k = tables.messages, tables.tickets
    handed = (
        sa.exists()
        .where(m.c.id == _t.c.message_id, m.c.visibility == "public", ~m.c.deleted)
        .where(k.c.id == m.c.ticket_id, k.c.bot_id == bot_id)
    )
    query = sa.select(_t).where(_t.c.id == attachment_id, sa.or_(_t.c.bot_id == bot_id, handed))
    row = (await conn.execute(query)).one_or_none()
    if row is None:
        raise not_found("attachment")
    return row


async def for_agent(conn: AsyncConnection, agent_id: str, attachment_id: str) -> sa.Row[Any]:
    """Return a file an agent may open: of any ticket, or one they uploaded.

    :raises Problem: 404 for any other.
    """
    query = sa.select(_t).where(
        _t.c.id == attachment_id, sa.or_(_t.c.ticket_id.is_not(None), _t.c.agent_id == agent_id)
    )
    row = (await conn.execute(query)).one_or_none()
    if row is None:
        raise not_found("attachment")
    return row


def answer(settings: ServerSettings, row: Mapping[str, Any]) -> answers.Attachment:
    """Return a file as bots see it."""
    return answers.Attachment(
        id=row["id"],
        name=row["name"],
        content_type=row["content_type"],
        size=row["size"],
        url=f"{settings.url}/v1/attachments/{row['id']}",
    )
