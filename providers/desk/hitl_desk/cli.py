"""``hitl desk``: serve a desk, and let agents and bots in."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hitl_core.errors import ConfigurationError

if TYPE_CHECKING:
    from hitl_desk.server import Desk, ServerSettings

__all__ = ["desk"]

ResultT = TypeVar("ResultT")

_DATABASE = "HITL_DESKSERVER_DATABASE_URL"
_PASSWORD = "HITL_DESKSERVER_AGENT_PASSWORD"  # noqa: S105 - the name of the variable

data_option = click.option(
    "--data",
    "data_dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("desk-data"),
    show_default=True,
    help="Directory of the database and the files.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def desk() -> None:
    """Run a small helpdesk of your own.

    Its data is in SQLite below --data; set HITL_DESKSERVER_DATABASE_URL to use PostgreSQL.
    """


def _settings(data_dir: Path, **more: Any) -> ServerSettings:
    try:
        from hitl_desk.server import ServerSettings
    except ModuleNotFoundError as error:
        msg = f"the desk's server is not installed ({error.name} is missing); pip install 'hitl-desk[server]'"
        raise ConfigurationError(msg) from None
    from pydantic import ValidationError

    try:
        return ServerSettings(data_dir=data_dir, database_url=os.environ.get(_DATABASE) or None, **more)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        msg = f"{'.'.join(map(str, problem['loc']))}: {problem['msg'].removeprefix('Value error, ')}"
        raise ConfigurationError(msg) from None  # pydantic's own error would be a second telling of the same


def _settings_of_a_desk(data_dir: Path, **more: Any) -> ServerSettings:
    """Read settings for a command that acts on a desk, and must not make one where --data is misspelt."""
    settings = _settings(data_dir, **more)
    settings.require_desk()
    return settings


def _with_desk(settings: ServerSettings, work: Callable[[Desk], Awaitable[ResultT]]) -> ResultT:
    from hitl_desk.server import Desk

    async def run() -> ResultT:
        async with Desk(settings).storage() as opened:
            return await work(opened)

    return asyncio.run(run())


@desk.command()
@data_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0 for any free one.")
@click.option("--public-url", help="How browsers and bots reach the desk, when not by host and port.")
@click.option(
    "--allow-webhooks-to",
    multiple=True,
    metavar="HOST[:PORT]",
    help="A host of your own network that webhooks may reach, also over http.",
)
def serve(data_dir: Path, host: str, port: int, public_url: str | None, allow_webhooks_to: tuple[str, ...]) -> None:
    """Serve the desk until Ctrl-C."""
    settings = _settings(data_dir, public_url=public_url, allow_private_webhooks=allow_webhooks_to)
    from hitl_desk.server import serve as serve_desk

    with suppress(KeyboardInterrupt):  # a second Ctrl-C, after the server has given its handlers back
        serve_desk(settings, host=host, port=port, up=lambda url, _: click.echo(f"Agent inbox: {url}/inbox"))


@desk.command()
@data_option
def migrate(data_dir: Path) -> None:
    """Bring a PostgreSQL database to this version's schema; SQLite does it by itself."""
    settings = _settings(data_dir)
    from hitl_desk.server import migrate as migrate_desk

    asyncio.run(migrate_desk(settings))
    click.echo("The database is up to date.", err=True)


@desk.command("create-agent")
@data_option
@click.option("--email", required=True, help="What the agent logs in with; an existing agent is changed.")
@click.option("--name", required=True, help="What customers see.")
@click.option("--link", is_flag=True, help="Print a one-time sign-in link instead of setting a password.")
@click.option("--public-url", default="http://127.0.0.1:8765", show_default=True, help="Where the link leads.")
@json_option
def create_agent(*, data_dir: Path, email: str, name: str, link: bool, public_url: str, as_json: bool) -> None:
    """Let an agent in.

    Asks for the password, or takes it from HITL_DESKSERVER_AGENT_PASSWORD.
    """
    settings = _settings_of_a_desk(data_dir, public_url=public_url)
    password = None
    if not link:
        password = os.environ.get(_PASSWORD) or click.prompt(
            "Password", hide_input=True, confirmation_prompt=True, err=True
        )

    async def work(opened: Desk) -> dict[str, Any]:
        from hitl_desk.server import create_agent, create_login_link

        agent = dict(await create_agent(opened, email=email, name=name, password=password))
        return agent | ({"link": await create_login_link(opened, agent["id"])} if link else {})

    agent = _with_desk(settings, work)
    click.echo(json.dumps(agent, indent=2) if as_json else agent.get("link") or agent["id"])


@desk.command("create-bot")
@data_option
@click.option("--name", required=True, help="What agents see.")
@json_option
def create_bot(data_dir: Path, name: str, as_json: bool) -> None:
    """Connect a bot and print its token, this once only."""

    async def work(opened: Desk) -> dict[str, Any]:
        from hitl_desk.server import create_bot

        bot, token = await create_bot(opened, name)
        return {**bot, "token": token}

    bot = _with_desk(_settings_of_a_desk(data_dir), work)
    if as_json:
        click.echo(json.dumps(bot, indent=2))
        return
    click.echo(bot["token"])
    click.echo("Set it as HITL_DESK_TOKEN for the bot; it is not shown again.", err=True)


@desk.command()
@data_option
@click.argument("bot", required=False)
@click.option("--off", is_flag=True, help="Keep the bot out instead.")
@json_option
def connect(*, data_dir: Path, bot: str | None, off: bool, as_json: bool) -> None:
    """List the bots, or let BOT (its id) in or keep it out."""

    async def work(opened: Desk) -> list[Mapping[str, Any]]:
        from hitl_desk.server import list_bots, switch_bot

        if bot is not None:
            await switch_bot(opened, bot, enabled=not off)
        return await list_bots(opened)

    rows = _with_desk(_settings_of_a_desk(data_dir), work)
    if as_json:
        click.echo(json.dumps([dict(row) for row in rows], indent=2, default=str))
        return
    for row in rows:
        click.echo(f"{row['id']}  {'connected' if row['enabled'] else 'off      '}  {row['name']}")
