"""Mutants for the group ``records``."""
