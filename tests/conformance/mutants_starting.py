"""Mutants for the group ``starting``."""
