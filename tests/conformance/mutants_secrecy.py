"""Mutants for the group ``secrecy``."""
