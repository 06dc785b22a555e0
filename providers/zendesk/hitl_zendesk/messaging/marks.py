"""What we write on conversations and messages, so that they are known again: whose they are, and by which write.

Metadata is flat and 4 KB at most, and comes back in webhooks and, as far as is known, in reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import hitl_core as hitl
from hitl_zendesk.messaging.settings import Plain

__all__ = ["EXTERNAL", "KEY", "MAX_METADATA", "OWNER", "Marks", "metadata_of", "size_of"]

OWNER: Final = "hitlOwner"
"""Which connection started it."""
KEY: Final = "hitlKey"
"""Which write made it."""
EXTERNAL: Final = "hitlExternalId"
"""Our id of the conversation."""

MAX_METADATA: Final = 4096
_LONGEST: Final = 512


class Marks:
    """The marks of one connection.

    :param owner: key of the connection; several bots may share one app.
    """

    def __init__(self, owner: str) -> None:
        self.owner = owner

    def of(self, key: str) -> dict[str, Plain]:
        """Return the metadata of a message, or of a transfer of control."""
        return {OWNER: short(self.owner), KEY: short(key)}

    def of_start(self, request: hitl.StartHitl) -> dict[str, Plain]:
        """Return the metadata of a conversation."""
        external = {EXTERNAL: request.external_id} if request.external_id and fits(request.external_id) else {}
        return {**self.of(request.key), **external}

    def ours(self, metadata: Mapping[str, Any]) -> bool:
        """Whether we wrote it."""
        return metadata.get(OWNER) == short(self.owner)

    def made_by(self, metadata: Mapping[str, Any], key: str) -> bool:
        """Whether the write with this key made it."""
        return self.ours(metadata) and metadata.get(KEY) == short(key)

    def is_anothers(self, metadata: Mapping[str, Any]) -> bool:
        """Whether somebody else started the conversation: another installation, or nobody (behaviour S258).

        Without any metadata it cannot be told.
        """
        return bool(metadata) and not self.ours(metadata)


def metadata_of(thing: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the metadata of a conversation, message or event; empty when there is none."""
    found = thing.get("metadata")
    return found if isinstance(found, dict) else {}


def short(text: str) -> str:
    """Return a text as it is, or the digest of one that is too long for metadata."""
    return text if fits(text) else sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def fits(text: str) -> bool:
    """Whether a text leaves room for others in metadata."""
    return len(text.encode("utf-8", "surrogatepass")) <= _LONGEST


def size_of(metadata: Mapping[str, Plain]) -> int:
    """Return how many bytes metadata takes as JSON."""
    return len(json.dumps(metadata, ensure_ascii=False).encode("utf-8", "surrogatepass"))
