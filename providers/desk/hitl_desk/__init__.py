"""The HITL provider for the desk, and a small real desk to go with it (``hitl_desk.server``, extra ``server``)."""

from hitl_desk.provider import DeskProvider
from hitl_desk.settings import DeskOptions, DeskSettings

__all__ = ["DeskOptions", "DeskProvider", "DeskSettings"]
