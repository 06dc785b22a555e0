"""The bridge's schema, step by step (Alembic)."""
