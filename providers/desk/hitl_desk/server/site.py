"""The pages agents open: the inbox, logging in and out, one-time links, and the files pages are made of."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import AfterValidator
from starlette.responses import HTMLResponse, RedirectResponse

from hitl_desk.server import auth
from hitl_desk.server.problems import Problem, not_found
from hitl_desk.server.reading import BoundedRoute, clean_text

__all__ = ["PAGE_POLICY", "STATIC", "router"]

STATIC: Final = Path(__file__).with_name("static")

PAGE_POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob: data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""Content-Security-Policy of everything the desk answers that says nothing stricter."""

router = APIRouter(route_class=BoundedRoute, include_in_schema=False)

_Word = Annotated[str, Form(max_length=1024), AfterValidator(clean_text)]


def _page(request: Request, name: str, **values: str) -> HTMLResponse:
    """Serve a page; ``{{name}}`` in it stands for a value."""
    folder: Path = request.app.state.static
    path = folder / name
    if not path.is_file():
        raise not_found("page")
    text = path.read_text("utf-8")
    for placeholder, value in values.items():
        text = text.replace("{{" + placeholder + "}}", html.escape(value))
    return HTMLResponse(text, headers={"Cache-Control": "no-store"})


def _to(request: Request, path: str) -> RedirectResponse:
    return RedirectResponse(f"{request.scope.get('root_path', '')}{path}", 303)


async def _shell(request: Request, name: str) -> Response:
    if await auth.session_of(request) is None:
        return _to(request, "/inbox/login")
    return _page(request, name)


@router.get("/")
async def root(request: Request) -> Response:
    """Lead people to the inbox."""
    return _to(request, "/inbox")


@router.get("/inbox")
async def inbox(request: Request) -> Response:
    """Show the inbox."""
    return await _shell(request, "inbox.html")


@router.get("/inbox/bots")
async def bots(request: Request) -> Response:
    """Show the connected bots."""
    return await _shell(request, "bots.html")


@router.get("/inbox/login")
async def login_page(request: Request) -> Response:
    """Show the login form; whoever is logged in goes on to the inbox."""
    if await auth.session_of(request) is not None:
        return _to(request, "/inbox")
    cookies = Response()
    page = _page(request, "login.html", csrf=auth.login_token(request, cookies))
    _carry_cookies(cookies, page)
    return page


@router.post("/inbox/login")
async def log_in(request: Request, email: _Word = "", password: _Word = "", csrf: _Word = "") -> Response:
    """Log in by e-mail address and password.

    A form that failed leads back to its page with `?error=credentials`, `attempts` or `expired`; a program gets the
    problem itself.
    """
    answer = _to(request, "/inbox")
    try:
        auth.check_login_token(request, csrf)
        agent_id = await auth.agent_by_password(request, email, password)
    except Problem as problem:
        if "text/html" not in request.headers.get("accept", ""):
            raise
        why = {"wrong_credentials": "credentials", "too_many_attempts": "attempts"}.get(problem.code, "expired")
        return _to(request, f"/inbox/login?error={why}")
    await auth.open_session(request, answer, agent_id)
    return answer


@router.get("/inbox/enter")
async def enter(request: Request, token: Annotated[str, Query(max_length=256)] = "") -> Response:
    """Log in by a one-time link."""
    agent_id = await auth.agent_by_link(auth.desk_of(request), token)
    if agent_id is None:
        return _to(request, "/inbox/login?error=link")
    answer = _to(request, "/inbox")
    await auth.open_session(request, answer, agent_id)
    return answer


@router.post("/inbox/logout")
async def log_out(request: Request, csrf: _Word = "") -> Response:
    """End the session."""
    session = await auth.session_of(request)
    answer = _to(request, "/inbox/login")
    if session is not None:
        auth.check_csrf(session, request.headers.get("x-csrf-token") or csrf)
        await auth.close_session(request, answer, session)
    return answer


def _carry_cookies(source: Response, target: Response) -> None:
    for name, value in source.raw_headers:
        if name == b"set-cookie":
            target.raw_headers.append((name, value))
