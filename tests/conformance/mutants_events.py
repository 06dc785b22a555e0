"""Mutants for the group ``events``."""
