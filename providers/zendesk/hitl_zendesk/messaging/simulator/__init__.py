"""Zendesk messaging on a laptop: Sunshine Conversations, its switchboard, and agents in their workspace."""

from hitl_zendesk.messaging.simulator.messaging import ZendeskMessagingSimulator

__all__ = ["ZendeskMessagingSimulator"]
