"""The hand-off itself, as a pure function of a record and what happens to it."""
