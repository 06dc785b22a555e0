"""What comes in from helpdesks: taken, queued per session, parsed, read where it is incomplete, and made inputs of."""

from hitl_core.bridge.engine.intake.intake import Intake

__all__ = ["Intake"]
