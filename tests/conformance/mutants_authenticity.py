"""Mutants for the group ``authenticity``."""
