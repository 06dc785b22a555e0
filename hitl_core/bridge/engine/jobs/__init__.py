"""What one effect does: writes in the helpdesk and calls of the host, each resumable after every one of its writes."""

from hitl_core.bridge.engine.jobs.desk import DeskJobs
from hitl_core.bridge.engine.jobs.host import HostJobs

__all__ = ["DeskJobs", "HostJobs"]
