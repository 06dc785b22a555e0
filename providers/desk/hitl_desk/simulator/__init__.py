"""The desk as a simulator: the real server in this process, with an agent's hand and switches for faults."""

from hitl_desk.simulator.desk import SIM_TOKEN, DeskSimulator

__all__ = ["SIM_TOKEN", "DeskSimulator"]
