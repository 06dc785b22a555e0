"""``/_sim/agent``: a page for people who act as the agent. Everything it does is a request of the control API."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

__all__ = ["page", "page_part"]

_STATIC: Final = Path(__file__).with_name("static")
_PAGE: Final = "agent.html"
_TYPES: Final = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
# By name, and from a listing: a request's path never becomes one of ours.
_PARTS: Final = {path.name: path for path in _STATIC.iterdir() if path.suffix in _TYPES and path.name != _PAGE}
_HEADERS: Final[Mapping[str, str]] = {
    # Customers' words are on this page. Pictures are shown from memory (blob:); nothing comes from elsewhere.
    "content-security-policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


async def page(_: Request) -> Response:
    """Serve the page."""
    return _file(_STATIC / _PAGE)


async def page_part(request: Request) -> Response:
    """Serve what the page loads.

    :raises HTTPException: there is no such file.
    """
    part = _PARTS.get(request.path_params["name"])
    if part is None:
        raise HTTPException(404, "the page has no such part")
    return _file(part)


def _file(path: Path) -> Response:
    return FileResponse(path, media_type=_TYPES[path.suffix], headers=dict(_HEADERS))
