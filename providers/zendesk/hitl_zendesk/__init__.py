"""Zendesk for HITL: Support tickets, and Zendesk messaging."""

from hitl_zendesk.provider import ZendeskProvider
from hitl_zendesk.settings import ZendeskOptions, ZendeskSettings

__all__ = ["ZendeskOptions", "ZendeskProvider", "ZendeskSettings"]
