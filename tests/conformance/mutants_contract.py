"""Mutants for the group ``contract``."""
