"""One figure, what we aim at, and whether it is met."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Figure"]


@dataclass(frozen=True)
class Figure:
    """A measured value.

    :param name: what was measured, on which engine.
    :param unit: of ``value`` and ``aim``, as it is printed behind the number.
    :param aim: the least that is good enough, or with ``most`` the most.
    :param most: smaller is better.
    :param detail: what else is worth knowing.
    """

    name: str
    value: float
    unit: str
    aim: float
    most: bool = False
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether the aim is met."""
        return self.within(1.0)

    def within(self, factor: float) -> bool:
        """Whether it is no worse than so many times the aim: a gate for machines that others use as well."""
        return self.value <= self.aim * factor if self.most else self.value >= self.aim / factor

    @property
    def line(self) -> str:
        """One line to print."""
        sign = "<=" if self.most else ">="
        told = f"; {self.detail}" if self.detail else ""
        verdict = "ok" if self.ok else "missed"
        return f"{self.name}: {self.value:.4g}{self.unit} (aim {sign} {self.aim:g}{self.unit}: {verdict}{told})"
