"""Measurements, each a ratio or a difference of two things run in turn in one process or one run.

``uv run python -m benchmarks`` prints them all, one line each, with what we aim at. Quote medians and ratios: absolute
times are the machine's.
"""
