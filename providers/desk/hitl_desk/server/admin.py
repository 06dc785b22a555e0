"""What the command line, the demo and tests do to a desk: agents, bots, links, migrations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from hitl_core.errors import ConfigurationError
from hitl_desk.server.desk import Desk
from hitl_desk.server.migrate import upgrade
from hitl_desk.server.problems import Problem
from hitl_desk.server.service import people
from hitl_desk.server.settings import ServerSettings

__all__ = ["create_agent", "create_bot", "create_login_link", "list_bots", "migrate", "switch_bot"]

_SHORTEST_PASSWORD = 8


async def create_agent(
    desk: Desk, *, email: str, name: str, password: str | None = None, avatar_url: str | None = None
) -> Mapping[str, Any]:
    """Create an agent, or change the one with that e-mail address.

    :param password: at least 8 characters; without one the agent enters by :func:`create_login_link`.
    :returns: ``id``, ``email``, ``name`` and ``avatar_url``.
    :raises ConfigurationError: for an address or a password that will not do.
    """
    if "@" not in email or len(email) > 320 or not email.isprintable():
        msg = "an agent needs an e-mail address, such as ada@example.com"
        raise ConfigurationError(msg)
    if not name.strip() or len(name) > 255 or not name.isprintable():
        msg = "an agent needs a name; customers see it"
        raise ConfigurationError(msg)
    if password is not None and not _SHORTEST_PASSWORD <= len(password) <= 1024:
        msg = f"the password is too short; use at least {_SHORTEST_PASSWORD} characters"
        raise ConfigurationError(msg)
    hashed = await desk.passwords.hash(password) if password is not None else None
    async with desk.write() as unit:
        agent = await people.add_agent(
            unit, email=email, name=name.strip(), password_hash=hashed, avatar_url=avatar_url
        )
    return {name: agent[name] for name in ("id", "email", "name", "avatar_url")}


async def create_bot(desk: Desk, name: str) -> tuple[Mapping[str, Any], str]:
    """Connect a bot.

    :returns: its ``id`` and ``name``, and its token, which is shown this once only.
    :raises ConfigurationError: when the name is empty.
    """
    if not name.strip() or len(name) > 255 or not name.isprintable():
        msg = "a bot needs a name; agents see it"
        raise ConfigurationError(msg)
    async with desk.write() as unit:
        bot, token = await people.add_bot(unit, name.strip())
    return {name: bot[name] for name in ("id", "name")}, token


async def list_bots(desk: Desk) -> list[Mapping[str, Any]]:
    """Return ``id``, ``name``, ``enabled`` and ``created_at`` of every bot, by name."""
    async with desk.read() as conn:
        rows = await people.bots(conn)
    return [{name: row[name] for name in ("id", "name", "enabled", "created_at")} for row in rows]


async def switch_bot(desk: Desk, bot_id: str, *, enabled: bool) -> None:
    """Let a bot in, or keep it out.

    :raises ConfigurationError: when there is no such bot.
    """
    try:
        async with desk.write() as unit:
            await people.switch_bot(unit, desk.webhooks, bot_id, enabled=enabled)
    except Problem as problem:
        msg = f"there is no bot {bot_id!r}; `hitl desk connect` lists them"
        raise ConfigurationError(msg) from problem


async def create_login_link(desk: Desk, agent_id: str) -> str:
    """Return a URL that logs an agent in once, within ten minutes.

    :raises Problem: when there is no such agent.
    """
    async with desk.write() as unit:
        token = await people.login_link(unit, agent_id)
    return f"{desk.settings.url}/inbox/enter?token={quote(token)}"


async def migrate(settings: ServerSettings) -> None:
    """Bring the database to this version's schema; a desk on SQLite does it by itself at start."""
    desk = Desk(settings)
    try:
        await upgrade(desk.engine)
    finally:
        await desk.engine.dispose()
