"""``uploads`` and ``attachments``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hitl_zendesk.simulator.account import Account
from hitl_zendesk.simulator.answering import Answer, Call, Row
from hitl_zendesk.simulator.records import Upload, stamp
from hitl_zendesk.simulator.refusals import RefusedError
from hitl_zendesk.simulator.shown import Shown

__all__ = ["upload_rows"]


def upload_rows(account: Account, shown: Shown) -> list[Row]:
    """Return what is answered here."""
    api = _Uploads(account, shown)
    return [
        ("POST", "uploads", api.create),
        ("DELETE", "uploads/{token}", api.delete),
        ("GET", "attachments/{id}", api.show),
    ]


class _Uploads:
    def __init__(self, account: Account, shown: Shown) -> None:
        self._account, self._shown = account, shown

    def create(self, call: Call) -> Any:
        """Keep a file under a new token, or under the one that is named; answered as text."""
        account = self._account
        name = call.query.get("filename")
        if not name:
            raise RefusedError(400, {"error": "AttachmentUnprocessable", "description": "filename is required"})
        if len(call.raw) > account.file_bytes:
            raise RefusedError(422, {"error": "AttachmentTooBig", "description": "The file is too big"})
        content_type = call.request.headers.get("content-type", "application/octet-stream")
        token = call.query.get("token")
        upload = account.uploads.get(token) if token else None
        if token and upload is None:
            raise RefusedError(422, {"error": "InvalidToken", "description": "The upload token is not valid"})
        file = account.add_file(name, content_type, call.raw)
        if upload is None:
            ends_at = account.now() + timedelta(seconds=account.upload_seconds)
            upload = Upload(account.ids.token("upload"), ends_at)
            account.uploads[upload.token] = upload
        upload.attachments.append(file)
        shown = self._shown.attachment(file)
        body = {
            "upload": {
                "token": upload.token,
                "expires_at": stamp(upload.expires_at),
                "attachments": [self._shown.attachment(each) for each in upload.attachments],
                "attachment": shown,
            }
        }
        headers = {"content-type": "text/plain; charset=utf-8", "location": shown["url"]}
        return Answer(body, 201, headers)

    def delete(self, call: Call) -> Any:
        upload = self._account.uploads.pop(call.request.path_params["token"])
        for file in upload.attachments:
            self._account.attachments.pop(file.id, None)
        return Answer(status=204)

    def show(self, call: Call) -> Any:
        return {"attachment": self._shown.attachment(self._account.attachments[call.id()])}
