"""``hitl demo``: a helpdesk, a small bot and a customer's chat page on this machine, with nothing to set up."""
