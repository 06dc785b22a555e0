"""Zendesk messaging (Sunshine Conversations): hand-offs as conversations, passed to the agent workspace."""

from hitl_zendesk.messaging.provider import ZendeskMessagingProvider

__all__ = ["ZendeskMessagingProvider"]
