"""``python -m hitl_core.cli`` is ``hitl``."""

from hitl_core.cli import main

main()
