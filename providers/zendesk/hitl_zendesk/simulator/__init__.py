"""Zendesk Support in this process: its API, its webhooks and triggers, and an agent's hand."""

from hitl_zendesk.simulator.oauth import (
    SIM_ACCESS_TOKEN,
    SIM_API_TOKEN,
    SIM_CLIENT_ID,
    SIM_CLIENT_SECRET,
    SIM_REFRESH_TOKEN,
)
from hitl_zendesk.simulator.zendesk import ZendeskSimulator

__all__ = [
    "SIM_ACCESS_TOKEN",
    "SIM_API_TOKEN",
    "SIM_CLIENT_ID",
    "SIM_CLIENT_SECRET",
    "SIM_REFRESH_TOKEN",
    "ZendeskSimulator",
]
