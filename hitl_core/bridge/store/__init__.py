"""Where hand-offs are kept: SQLite or PostgreSQL, and everything that knows SQL."""
