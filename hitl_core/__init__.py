"""Hand a bot's conversation over to a human, on any helpdesk, through one contract."""
