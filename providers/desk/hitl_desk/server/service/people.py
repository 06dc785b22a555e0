"""Agents and bots: who they are, and the tokens they come with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.eventlog import Webhooks
from hitl_desk.server import answers, tables
from hitl_desk.server.ids import digest, new_id, new_token
from hitl_desk.server.problems import Problem, not_found
from hitl_desk.server.unit import Unit

__all__ = [
    "active_agent",
    "add_agent",
    "add_bot",
    "agent_answer",
    "agents",
    "bot_by_token",
    "login_link",
    "switch_bot",
]

_a = tables.agents
_b = tables.bots
_l = tables.login_links

LINK_LIFETIME: Final = timedelta(minutes=10)
_OFF: Final = "bot_switched_off"


def agent_answer(row: Mapping[str, Any]) -> answers.Agent:
    """Return an agent as bots see them."""
    return answers.Agent(id=row["id"], name=row["name"], email=row["email"], avatar_url=row["avatar_url"])


async def add_agent(
    unit: Unit,
    *,
    email: str,
    name: str,
    password_hash: str | None = None,
    avatar_url: str | None = None,
    id: str | None = None,
) -> Mapping[str, Any]:
    """Create an agent, or change the one with that e-mail address; a password left out stays as it is.

    :param id: of a new agent, where it has to be known beforehand; random when left out.
    """
    address = email.strip().lower()
    values: dict[str, Any] = {"name": name, "active": True}
    if avatar_url is not None:
        values["avatar_url"] = avatar_url
    if password_hash is not None:
        values["password_hash"] = password_hash
    changed = (
        await unit.conn.execute(sa.update(_a).where(_a.c.email == address).values(values).returning(_a))
    ).one_or_none()
    if changed is not None:
        if password_hash is not None:  # whoever knew the old one is out
            await unit.conn.execute(sa.delete(tables.sessions).where(tables.sessions.c.agent_id == changed.id))
        return dict(changed._asdict())
    created = await unit.conn.execute(
        sa.insert(_a).values(id=id or new_id("agt"), email=address, created_at=unit.now, **values).returning(_a)
    )
    return dict(created.one()._asdict())


async def agents(conn: AsyncConnection) -> list[Mapping[str, Any]]:
    """Return the active agents by name."""
    return [row._asdict() for row in await conn.execute(sa.select(_a).where(_a.c.active).order_by(_a.c.name, _a.c.id))]


async def active_agent(conn: AsyncConnection, agent_id: str) -> Mapping[str, Any]:
    """Return an agent.

    :raises Problem: 422 when there is none of that id.
    """
    row = (await conn.execute(sa.select(_a).where(_a.c.id == agent_id, _a.c.active))).one_or_none()
    if row is None:
        raise Problem(422, "unknown_agent", "agent_id is no agent of this desk.")
    return row._asdict()


async def login_link(unit: Unit, agent_id: str) -> str:
    """Return a token that signs an agent in once, within ten minutes."""
    await active_agent(unit.conn, agent_id)
    token = new_token()
    await unit.conn.execute(
        sa.insert(_l).values(id=digest(token), agent_id=agent_id, expires_at=unit.now + LINK_LIFETIME)
    )
    return token


async def add_bot(unit: Unit, name: str, *, token: str | None = None) -> tuple[Mapping[str, Any], str]:
    """Connect a bot.

    :param token: where it has to be known beforehand, which is no secret then; random when left out.
    :returns: the bot, and its token, which is shown this once only.
    """
    token = token or new_token("dbk_")
    created = await unit.conn.execute(
        sa.insert(_b)
        .values(id=new_id("bot"), name=name, token_hash=digest(token), enabled=True, created_at=unit.now)
        .returning(_b)
    )
    return created.one()._asdict(), token


async def bots(conn: AsyncConnection) -> list[Mapping[str, Any]]:
    """Return the bots by name."""
    return [row._asdict() for row in await conn.execute(sa.select(_b).order_by(_b.c.name, _b.c.id))]


async def bot_by_token(conn: AsyncConnection, token: str) -> sa.Row[Any] | None:
    """Return the bot a token was issued to.

    The look-up is by the token's hash, so how long it takes says nothing about the token.
    """
    return (await conn.execute(sa.select(_b).where(_b.c.token_hash == digest(token)))).one_or_none()


async def switch_bot(unit: Unit, webhooks: Webhooks, bot_id: str, *, enabled: bool) -> Mapping[str, Any]:
    """Let a bot in or keep it out; while it is out nothing is posted to it either.

    What happens meanwhile stays in its event log, for it to pull when it is back.

    :raises Problem: 404 when there is no such bot.
    """
    row = (
        await unit.conn.execute(sa.select(_b).where(_b.c.id == bot_id).with_for_update(key_share=True))
    ).one_or_none()
    if row is None:
        raise not_found("bot")
    if row.enabled == enabled:
        return row._asdict()
    for endpoint in await webhooks.list(bot_id, conn=unit.conn):
        if not enabled and endpoint.status == "enabled":
            await webhooks.disable(bot_id, endpoint.id, _OFF, conn=unit.conn)
        elif enabled and endpoint.disabled_reason == _OFF:
            await webhooks.enable(bot_id, endpoint.id, conn=unit.conn)
    changed = await unit.conn.execute(sa.update(_b).where(_b.c.id == bot_id).values(enabled=enabled).returning(_b))
    return dict(changed.one()._asdict())
