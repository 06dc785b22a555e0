"""A small real helpdesk: the Desk Protocol for bots, an inbox for agents, on SQLite or PostgreSQL.

app = create_app(ServerSettings(data_dir="desk-data"))       # FastAPI; run it, or mount it at "/"

desk = app.state.desk
async with desk:                                           # what the app's own lifespan does
agent = await create_agent(desk, email="ada@example.com", name="Ada")
bot, token = await create_bot(desk, "Shop bot")
url = await create_login_link(desk, agent["id"])
"""

from hitl_desk.server.admin import create_agent, create_bot, create_login_link, list_bots, migrate, switch_bot
from hitl_desk.server.app import create_app
from hitl_desk.server.desk import Desk
from hitl_desk.server.serving import serve, serving
from hitl_desk.server.settings import ServerSettings

__all__ = [
    "Desk",
    "ServerSettings",
    "create_agent",
    "create_app",
    "create_bot",
    "create_login_link",
    "list_bots",
    "migrate",
    "serve",
    "serving",
    "switch_bot",
]
