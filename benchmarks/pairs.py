"""Timing two things in turn, so that a machine whose speed drifts drifts under both."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median, quantiles

__all__ = ["Pairs"]


@dataclass
class Pairs:
    """Seconds of ours and of the baseline, pair by pair."""

    ours: list[float]
    base: list[float]

    def ratio(self) -> float:
        """Median of the ratios."""
        return median(a / b for a, b in zip(self.ours, self.base, strict=True))

    def added(self) -> float:
        """Median of the differences, in seconds."""
        return median(a - b for a, b in zip(self.ours, self.base, strict=True))

    def spread(self) -> tuple[float, float]:
        """First and third quartile of the ratios: how noisy the run was."""
        low, _, high = quantiles((a / b for a, b in zip(self.ours, self.base, strict=True)), n=4)
        return low, high

    def ratio_line(self, name: str, aim: float) -> str:
        """One line to print."""
        low, high = self.spread()
        met = "met" if self.ratio() <= aim else "missed"
        return (
            f"{name}: {self.ratio():.2f}x (quartiles {low:.2f}-{high:.2f}; ours {median(self.ours) * 1e6:.1f} us, "
            f"base {median(self.base) * 1e6:.1f} us, {len(self.ours)} pairs; aim <= {aim:g}x: {met})"
        )
