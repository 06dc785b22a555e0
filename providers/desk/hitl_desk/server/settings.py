"""What a desk is told at start: where its data lives, how it is reached, and its limits."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from shlex import quote
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from hitl_core.errors import ConfigurationError

__all__ = ["DEFAULT_TYPES", "MIB", "ServerSettings"]

MIB: Final = 1024 * 1024

DEFAULT_TYPES: Final = (
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/heic",
    "audio/*",
    "video/*",
    "text/plain",
    "text/csv",
    "text/markdown",
    "application/json",
    "application/pdf",
    "application/zip",
    "application/rtf",
    "application/msword",
    "application/vnd.ms-excel",
    "application/vnd.ms-powerpoint",
    "application/vnd.openxmlformats-officedocument.*",
    "application/vnd.oasis.opendocument.*",
)
"""Attachment types taken unless the settings say otherwise: pictures, sound, video, text and office documents."""


class ServerSettings(BaseModel):
    """Settings of a desk."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    data_dir: Path = Field(default=Path("desk-data"), description="Attachments, the secret, and the SQLite file.")
    database_url: str | None = Field(
        default=None,
        repr=False,
        description="sqlite:///file.db or postgresql://user@host/name; desk.db in data_dir when left out.",
    )
    public_url: str | None = Field(
        default=None, description="How browsers and bots reach the desk, such as https://desk.example.com."
    )
    secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Signs session cookies; made once and kept in data_dir when left out.",
    )
    max_attachment_bytes: int = Field(default=20 * MIB, ge=1, le=1024 * MIB)
    allowed_types: tuple[str, ...] = Field(
        default=DEFAULT_TYPES, description="Media types of attachments; a final * stands for anything."
    )
    allow_private_webhooks: tuple[str, ...] = Field(
        default=(), description="Hosts, host:port or networks of your own that webhooks may reach, also over http."
    )
    login_attempts_per_email: int = Field(default=5, ge=1, description="Within login_window.")
    login_attempts_per_address: int = Field(default=30, ge=1, description="Within login_window.")
    login_window: float = Field(default=900.0, gt=0, description="Seconds.")
    session_lifetime: float = Field(
        default=7 * 86_400.0, gt=0, description="Seconds after which an agent logs in anew."
    )
    session_idle: float = Field(default=86_400.0, gt=0, description="Seconds without a request that end a session.")
    event_retention: float = Field(default=30 * 86_400.0, gt=0, description="Seconds events can be pulled for.")
    key_wait: float = Field(
        default=10.0, gt=0, description="Seconds a repeat waits for the first request of its Idempotency-Key."
    )
    max_wait: float = Field(default=30.0, ge=0, description="Longest long poll, in seconds.")

    @field_validator("public_url")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.startswith(("http://", "https://")):
            msg = "begins with https:// or http://, such as https://desk.example.com"
            raise ValueError(msg)
        return value.rstrip("/")

    @property
    def database(self) -> str:
        """URL of the database in force."""
        return self.database_url or f"sqlite:///{self.data_dir / 'desk.db'}"

    @property
    def url(self) -> str:
        """Where the desk is reached, without a final slash."""
        return self.public_url or "http://127.0.0.1:8765"

    @property
    def attachments_dir(self) -> Path:
        """Where files lie."""
        return self.data_dir / "attachments"

    def require_desk(self) -> None:
        """Check that a desk has been here before, for whoever must not make a new one by a slip of the pen.

        On PostgreSQL there is nothing to check: a database without a desk is refused when it is opened, and so is a
        URL that cannot be read.

        :raises ConfigurationError: when there is no SQLite file.
        """
        try:
            url = make_url(self.database)
        except ArgumentError:
            return
        if url.get_backend_name() == "sqlite" and url.database and not os.path.isfile(url.database):
            place = self.data_dir if self.database_url is None else Path(url.database)
            msg = (
                f"there is no desk in {place}; name the directory of an existing one by --data, "
                f"or make one: `hitl desk serve --data {quote(str(self.data_dir))}`"
            )
            raise ConfigurationError(msg)

    def prepare(self) -> str:
        """Make the data directory, for its owner only, and return the secret that signs cookies.

        :raises ConfigurationError: when the directory or the secret's file cannot be used.
        """
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.attachments_dir.mkdir(mode=0o700, exist_ok=True)
            if self.secret is not None:
                return self.secret.get_secret_value()
            return _kept_secret(self.data_dir / "secret")
        except OSError as error:
            msg = f"the desk cannot keep its data in {self.data_dir} ({error.strerror}); name another directory"
            raise ConfigurationError(msg) from error


def _kept_secret(path: Path) -> str:
    """Return the secret in a file, made on first use; a link makes it whole at once for whoever comes second."""
    if not path.exists():
        draft = path.with_name(f".secret-{secrets.token_hex(8)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was faster; its secret is the one
        finally:
            draft.unlink()
    secret = path.read_text().strip()
    if len(secret) < 32:
        msg = f"the secret in {path} is damaged; delete the file, and agents log in anew"
        raise ConfigurationError(msg)
    return secret
