"""``hitl demo``: a desk, a small bot and a customer's chat page, all on one port, with nothing to set up."""
