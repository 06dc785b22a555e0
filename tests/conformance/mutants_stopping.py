"""Mutants for the group ``stopping``."""
