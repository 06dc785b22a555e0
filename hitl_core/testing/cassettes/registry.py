"""Which cassettes the tests of this process have used; the others are orphans."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

__all__ = ["note_use", "orphaned_cassettes", "used_cassettes"]

_used: set[Path] = set()


def note_use(path: Path) -> None:
    """Note that a test used this cassette."""
    _used.add(path.resolve())


def used_cassettes() -> frozenset[Path]:
    """Return the cassettes used so far in this process, as absolute paths."""
    return frozenset(_used)


def orphaned_cassettes(root: Path, used: Collection[Path] | None = None) -> list[Path]:
    """Return the cassettes below ``root`` that no test used.

    :param used: those that were; :func:`used_cassettes` when left out.
    """
    known = used_cassettes() if used is None else {path.resolve() for path in used}
    return sorted(path for path in Path(root).rglob("*.yaml") if path.resolve() not in known)
