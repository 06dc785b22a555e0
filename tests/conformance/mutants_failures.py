"""Mutants for the group ``failures``."""
