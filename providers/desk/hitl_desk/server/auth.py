"""Who is calling: bots by their token, agents by their session."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from hmac import compare_digest
from typing import Final

import sqlalchemy as sa
from fastapi import Request, Response
from itsdangerous import BadSignature
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_desk.server import tables
from hitl_desk.server.answers import Agent
from hitl_desk.server.desk import Desk
from hitl_desk.server.ids import BOT_TOKEN, digest, new_token
from hitl_desk.server.problems import Problem
from hitl_desk.server.reading import BoundedRoute
from hitl_desk.server.service.people import bot_by_token

__all__ = [
    "AgentRoute",
    "BotRoute",
    "Caller",
    "Session",
    "agent_by_link",
    "agent_by_password",
    "caller_of",
    "check_csrf",
    "check_login_token",
    "close_session",
    "desk_of",
    "login_token",
    "open_session",
    "session_of",
    "still_connected",
    "still_runs",
]

_COOKIE: Final = "hitl_desk_session"
_LOGIN_COOKIE: Final = "hitl_desk_login"
_TOUCH_EVERY: Final = timedelta(minutes=5)

_NOT_CONNECTED: Final = (
    "This bot is not connected to the desk. Enable it on the desk's Connected bots page, then retry."
)
_FORGED: Final = "The request does not carry this session's token; reload the page and try again."

_a = tables.agents
_s = tables.sessions
_l = tables.login_links


def desk_of(request: Request) -> Desk:
    """Return the desk of the application that serves a request."""
    desk: Desk = request.app.state.desk
    return desk


# Bots -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Caller:
    """The bot that calls."""

    desk: Desk = field(repr=False)
    id: str
    name: str


class BotRoute(BoundedRoute):
    """A route for bots with their token."""

    async def admit(self, request: Request) -> None:
        """Let connected bots in.

        :raises Problem: 401 without a token that could be one; 403 when it belongs to no bot, or the bot is off.
        """
        desk = desk_of(request)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not BOT_TOKEN.fullmatch(token):
            raise Problem(
                401,
                "invalid_token",
                "Send the bot's token: `Authorization: Bearer dbk_...`. `hitl desk create-bot` makes one.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        async with desk.read() as conn:
            bot = await bot_by_token(conn, token)
        if bot is None or not bot.enabled:
            raise Problem(403, "bot_not_connected", _NOT_CONNECTED)
        request.state.caller = Caller(desk, bot.id, bot.name)
        await desk.presence.saw_bot(bot.id)


async def still_connected(caller: Caller) -> bool:
    """Whether a bot that was let in has not been switched off since."""
    async with caller.desk.read() as conn:
        enabled = await conn.scalar(sa.select(tables.bots.c.enabled).where(tables.bots.c.id == caller.id))
    return bool(enabled)


def caller_of(request: Request) -> Caller:
    """Return the bot a :class:`BotRoute` let in."""
    caller: Caller = request.state.caller
    return caller


# Agents ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Session:
    """An agent's session.

    :param csrf: what every request that changes something must carry.
    """

    desk: Desk = field(repr=False)
    id: str = field(repr=False)
    csrf: str = field(repr=False)
    agent: Agent


class AgentRoute(BoundedRoute):
    """A route for agents with a session; one that changes something needs the session's token as well."""

    async def admit(self, request: Request) -> None:
        """Let agents in.

        :raises Problem: 401 without a session; 403 without its token.
        """
        session = await session_of(request)
        if session is None:
            raise Problem(401, "no_session", "Log in first.")
        if request.method not in {"GET", "HEAD", "OPTIONS"}:
            check_csrf(session, request.headers.get("x-csrf-token"))
        request.state.session = session


def check_csrf(session: Session, given: str | None) -> None:
    """Check that a request comes from the session's own pages.

    :raises Problem: 403 when it does not.
    """
    if not compare_digest(session.csrf.encode(), (given or "").encode("utf-8", "replace")):
        raise Problem(403, "csrf", _FORGED)


async def session_of(request: Request) -> Session | None:
    """Return the session a request's cookie names, if it still runs."""
    desk = desk_of(request)
    token = _opened(desk, request.cookies.get(_COOKIE), desk.settings.session_lifetime)
    if token is None:
        return None
    session_id = digest(token)
    now = desk.clock.now()
    query = (
        sa.select(_s.c.csrf, _s.c.used_at, _a.c.id, _a.c.name, _a.c.email, _a.c.avatar_url)
        .join(_a, _a.c.id == _s.c.agent_id)
        .where(
            _s.c.id == session_id,
            _s.c.expires_at > now,
            _s.c.used_at > now - timedelta(seconds=desk.settings.session_idle),
            _a.c.active,
        )
    )
    async with desk.read() as conn:
        row = (await conn.execute(query)).one_or_none()
    if row is None:
        return None
    if now - row.used_at > _TOUCH_EVERY:
        async with desk.write() as unit:
            await unit.conn.execute(sa.update(_s).where(_s.c.id == session_id).values(used_at=now))
    agent = Agent(id=row.id, name=row.name, email=row.email, avatar_url=row.avatar_url)
    return Session(desk, session_id, row.csrf, agent)


async def still_runs(session: Session) -> bool:
    """Whether a session that let somebody in has not ended since."""
    async with session.desk.read() as conn:
        query = sa.select(_s.c.id).join(_a, _a.c.id == _s.c.agent_id)
        query = query.where(_s.c.id == session.id, _s.c.expires_at > session.desk.clock.now(), _a.c.active)
        return (await conn.execute(query)).one_or_none() is not None


def _opened(desk: Desk, cookie: str | None, max_age: float) -> str | None:
    if not cookie:
        return None
    try:
        token = desk.cookies.loads(cookie, max_age=round(max_age))
    except BadSignature:
        return None
    return token if isinstance(token, str) else None


async def open_session(request: Request, response: Response, agent_id: str) -> None:
    """Begin a session and put its cookie on the response; the one the browser had before ends."""
    desk = desk_of(request)
    token = new_token()
    async with desk.write() as unit:
        await _forget(unit.conn, desk, request)
        await unit.conn.execute(
            sa.insert(_s).values(
                id=digest(token),
                agent_id=agent_id,
                csrf=secrets.token_urlsafe(32),
                created_at=unit.now,
                used_at=unit.now,
                expires_at=unit.now + timedelta(seconds=desk.settings.session_lifetime),
            )
        )
    _set_cookie(request, response, _COOKIE, desk.cookies.dumps(token), desk.settings.session_lifetime)
    response.delete_cookie(_LOGIN_COOKIE, path=_cookie_path(request))


async def close_session(request: Request, response: Response, session: Session) -> None:
    """End a session, its cookie and its open streams."""
    async with session.desk.write() as unit:
        await unit.conn.execute(sa.delete(_s).where(_s.c.id == session.id))
    session.desk.presence.end(session.id)
    response.delete_cookie(_COOKIE, path=_cookie_path(request))


async def _forget(conn: AsyncConnection, desk: Desk, request: Request) -> None:
    token = _opened(desk, request.cookies.get(_COOKIE), desk.settings.session_lifetime)
    if token is not None:
        await conn.execute(sa.delete(_s).where(_s.c.id == digest(token)))
        desk.presence.end(digest(token))


def login_token(request: Request, response: Response) -> str:
    """Return the token of a login form, with its twin in a cookie: a form sent from elsewhere lacks one of them."""
    token = desk_of(request).cookies.dumps(new_token(), salt="hitl-desk.login")
    _set_cookie(request, response, _LOGIN_COOKIE, token, 3_600)
    return token


def check_login_token(request: Request, given: str) -> None:
    """Check that a login form is the desk's own.

    :raises Problem: 403 when it is not.
    """
    desk, cookie = desk_of(request), request.cookies.get(_LOGIN_COOKIE, "")
    try:
        desk.cookies.loads(cookie, max_age=3_600, salt="hitl-desk.login")
    except BadSignature:
        raise Problem(403, "csrf", _FORGED) from None
    if not compare_digest(cookie.encode("utf-8", "replace"), given.encode("utf-8", "replace")):
        raise Problem(403, "csrf", _FORGED)


async def agent_by_password(request: Request, email: str, password: str) -> str:
    """Return the id of the agent whose e-mail address and password these are.

    :raises Problem: 401 when they are nobody's, which takes as long as a wrong password; 429 after too many attempts.
    """
    desk = desk_of(request)
    address = email.strip().lower()
    waits = [
        desk.logins_by_email.attempt(address),
        desk.logins_by_address.attempt(request.client.host if request.client else ""),
    ]
    if max(waits) > 0:
        seconds = round(max(waits)) + 1
        raise Problem(
            429,
            "too_many_attempts",
            f"Too many attempts. Try again in {-(-seconds // 60)} minutes.",
            headers={"Retry-After": str(seconds)},
        )
    async with desk.read() as conn:
        agent = (await conn.execute(sa.select(_a).where(_a.c.email == address, _a.c.active))).one_or_none()
    stored = agent.password_hash if agent is not None else None
    if not await desk.passwords.check(stored, password) or agent is None:
        raise Problem(401, "wrong_credentials", "The e-mail address or the password is not right.")
    desk.logins_by_email.forget(address)
    if desk.passwords.outdated(agent.password_hash):
        renewed = await desk.passwords.hash(password)
        async with desk.write() as unit:
            which = sa.and_(_a.c.id == agent.id, _a.c.password_hash == stored)
            await unit.conn.execute(sa.update(_a).where(which).values(password_hash=renewed))
    return str(agent.id)


async def agent_by_link(desk: Desk, token: str) -> str | None:
    """Use a one-time link up; return the agent's id, or None when it was used before, is too old, or no link."""
    async with desk.write() as unit:
        used = await unit.conn.execute(
            sa.delete(_l).where(_l.c.id == digest(token), _l.c.expires_at > unit.now).returning(_l.c.agent_id)
        )
        agent_id: str | None = used.scalar()
        return agent_id


def _set_cookie(request: Request, response: Response, name: str, value: str, max_age: float) -> None:
    response.set_cookie(
        name,
        value,
        max_age=round(max_age),
        path=_cookie_path(request),
        secure=desk_of(request).settings.url.startswith("https://"),
        httponly=True,
        samesite="lax",
    )


def _cookie_path(request: Request) -> str:
    return f"{request.scope.get('root_path', '')}/inbox"
