"""Zendesk for HITL: Support tickets, and Zendesk messaging."""
