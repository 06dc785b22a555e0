"""Mutants for the group ``sending``."""
