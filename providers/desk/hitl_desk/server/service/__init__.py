"""What the desk does: each module one thing, all on the caller's transaction."""
