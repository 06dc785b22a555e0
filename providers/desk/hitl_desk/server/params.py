"""Parameters the protocol's operations share, each with its bounds."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Depends, Header, Path, Query
from fastapi.security import HTTPBearer

from hitl_desk.server.auth import Caller, caller_of

__all__ = [
    "After",
    "AttachmentId",
    "Bot",
    "EndpointId",
    "Key",
    "TicketId",
]

_token = HTTPBearer(
    auto_error=False,
    scheme_name="botToken",
    bearerFormat="dbk_...",
    description="The token of a connected bot, from `hitl desk create-bot`. A bot that is unknown or switched off "
    "gets 403 with the code `bot_not_connected`.",
)


def _caller(caller: Annotated[Caller, Depends(caller_of)], _: Annotated[object, Depends(_token)]) -> Caller:
    return caller


# The route has let the bot in before; this names the scheme in the OpenAPI document and hands the bot over.
Bot: TypeAlias = Annotated[Caller, Depends(_caller)]

Key: TypeAlias = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern="^[!-~]([ -~]*[!-~])?$",
        description="Repeats of the request under the same key within 24 hours get the first answer again.",
        examples=["conv-42:17"],
    ),
]
TicketId: TypeAlias = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{1,64}$", examples=["tkt_0123456789abcdef"])]
AttachmentId: TypeAlias = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{1,64}$", examples=["att_0123456789abcdef"])]
EndpointId: TypeAlias = Annotated[
    str, Path(pattern="^[A-Za-z0-9_.-]{1,64}$", description="Chosen by the bot.", examples=["main"])
]
After: TypeAlias = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=64,
        pattern="^[0-9a-f.]+$",
        description="Cursor of a page or of a ticket; without it, from the oldest event kept.",
    ),
]
