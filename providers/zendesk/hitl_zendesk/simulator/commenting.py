"""Comments: whose they are, what becomes of their text, and the files on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hitl_zendesk.simulator.account import Account
from hitl_zendesk.simulator.placeholders import placeholder_value
from hitl_zendesk.simulator.records import Attachment, Comment, Ticket, Upload, Via
from hitl_zendesk.simulator.refusals import invalid
from hitl_zendesk.simulator.texts import cut, expanded, html_of_body, plain_of

__all__ = ["Draft", "drafted"]

_FLAG_STRANGER: Final = 2
_FLAG_TOO_BIG: Final = 5
_FLAG_ON_BEHALF: Final = 11


@dataclass(slots=True)
class Draft:
    """A comment that was checked and is not written yet.

    :param is_html: ``text`` is HTML; otherwise it is the ``body``, which is treated worse.
    """

    author_id: int
    actor_id: int
    public: bool
    text: str
    is_html: bool
    uploads: list[Upload] = field(default_factory=list)
    files: list[Attachment] = field(default_factory=list)

    def write(self, account: Account, ticket: Ticket, audit_id: int, via: Via, metadata: Mapping[str, Any]) -> Comment:
        """Write it at the end of a ticket."""
        html = self._html(account, ticket)
        flags: list[int] = []
        files = list(self.files)
        for upload in self.uploads:
            account.uploads.pop(upload.token, None)
            files += upload.attachments
        if any(len(file.content) > account.file_bytes for file in files):
            flags.append(_FLAG_TOO_BIG)
            files = [file for file in files if len(file.content) <= account.file_bytes]
        for file in files:
            file.inline = f"/attachments/token/{file.token}/" in html
        flags += self._flags_of_author(account, ticket)
        marks: dict[str, Any] = {}
        if flags:
            flags.sort()
            options = {str(flag): {"trusted": False} for flag in flags}
            marks = {"flags": flags, "flags_options": options, "trusted": False, "suspension_type_id": None}
        comment = Comment(
            id=account.ids.record(),
            author_id=self.author_id,
            audit_id=audit_id,
            html=html,
            plain=plain_of(html),
            public=self.public,
            via=via,
            created_at=account.now(),
            metadata={**metadata, **marks},
            attachments=files,
        )
        ticket.comments.append(comment)
        return comment

    def _html(self, account: Account, ticket: Ticket) -> str:
        author = account.users.get(self.author_id)
        staff = author is None or author.is_staff
        text = cut(self.text, account.body_bytes)
        html = text if self.is_html else html_of_body(text, markdown=staff)
        if not staff:
            return html  # an end user's words are taken as they are
        return expanded(html, lambda name: placeholder_value(account, ticket, self.actor_id, name))

    def _flags_of_author(self, account: Account, ticket: Ticket) -> list[int]:
        author, actor = account.users.get(self.author_id), account.users.get(self.actor_id)
        if author is None:
            return []
        if author.is_staff:
            return [_FLAG_ON_BEHALF] if actor is not None and actor.id != author.id else []
        part = {ticket.requester_id, *ticket.collaborator_ids, *ticket.email_cc_ids, *ticket.follower_ids}
        return [] if author.id in part else [_FLAG_STRANGER]


def drafted(
    account: Account,
    given: Mapping[str, Any] | None,
    *,
    author_id: int,
    actor_id: int,
    public: bool,
    may_name_author: bool = True,
) -> Draft | None:
    """Check what was given as a comment; ``None`` when it says nothing and carries nothing.

    :param author_id: whose it is unless it says so itself.
    :param public: whether it is unless it says so itself.
    :raises RefusedError: the author or an upload is not known.
    """
    if not given:
        return None
    uploads = _uploads(account, given.get("uploads") or ())
    is_html = bool(given.get("html_body"))
    text = given.get("html_body") or given.get("body") or ""
    if not text.strip() and not uploads:
        return None
    named = given.get("author_id")
    if may_name_author and named is not None:
        if named not in account.users:
            raise invalid("author", "Author: is invalid", "InvalidValue")
        author_id = named
    shown = given.get("public")
    return Draft(author_id, actor_id, public if shown is None else bool(shown), text, is_html, uploads)


def _uploads(account: Account, tokens: Sequence[str]) -> list[Upload]:
    uploads = []
    for token in tokens:
        upload = account.uploads.get(token)
        if upload is None or upload.expires_at <= account.now():
            raise invalid("uploads", "Uploads: token is invalid or has expired", "InvalidValue")
        uploads.append(upload)
    return uploads
