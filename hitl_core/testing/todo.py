"""What is still to be done about a provider package, in plain words: read from its files, nothing is imported."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from hitl_core.info import Capabilities, ProviderInfo

__all__ = ["GAINS", "first_step", "open_points", "undeclared"]

GAINS: Final[dict[str, str]] = {
    "webhook_registration": "webhooks are set up by one call instead of by hand",
    "find_session": "a start whose answer was lost is looked up instead of waiting for a person",
    "find_message": "a message whose answer was lost is looked up instead of waiting for a person",
    "pull": "what a lost webhook would have told is read afterwards",
    "changes": "one read tells which sessions moved, instead of one read for each",
    "open_attachment": "files that agents send reach the customer, also those behind a login",
    "typing": "agents see that the customer is typing",
    "availability": "the bot can say whether somebody is there before it hands over",
    "transfer": "a session can be sent to another team or agent",
    "message_types": "pictures, buttons and the like are shown as such, instead of as text and links",
    "attachments": "agents see files instead of links to them",
    "internal_notes": "history and remarks can be kept for agents alone",
    "structured_history": "agents see the history entry by entry instead of as one text",
    "reopen": "a customer who writes again goes on in the same session",
    "stop_message": "the last text and the end of a session are one call, so that neither comes without the other",
    "bot_author": "agents see which words are the bot's",
    "read_receipts": "the bot learns that an agent has read what the customer wrote",
    "queue_position": "customers can be told how many are before them",
    "survey": "customers can be asked how it went",
    "idempotent": "a write whose answer was lost is repeated at once, without a search and without doubles",
}
"""What users gain from each capability."""

_RUN_THEM: Final = "once every standard test passes against the simulator, say 'simulator'"
_KINDS: Final = ("simulator", "settings", "provider", "events")
"""Files in the order in which their questions are best answered."""
_READ: Final = frozenset({".py", ".toml", ".md", ".yml", ".cfg"})
_SKIPPED: Final = frozenset({"build", "cassettes", "dist", "node_modules", "venv", "__pycache__"})
_PLACEHOLDER: Final = re.compile(r"\[fill in:\s*([^\]]+)\]")
_ORIGIN: Final = re.compile(r"^\s+origin:\s*['\"]?(\w+)", re.MULTILINE)


def open_points(package_dir: Path, info: ProviderInfo, *, simulated: bool = False) -> list[str]:
    """Return what is still open, one sentence each, the most urgent first.

    :param package_dir: the project's folder, or its import package inside of it.
    :param simulated: whether every standard test has just passed against a simulator.
    """
    root = _project(package_dir)
    return [
        *_questions(root, info.name),
        *_placeholders(root),
        *_proofs(root, info, simulated=simulated),
    ]


def first_step(points: Iterable[str]) -> str | None:
    """Return where to begin, as long as questions about the simulator are open."""
    if not any(_urgency(Path(point.partition(":")[0])) == 0 for point in points):
        return None
    return "Start with the simulator: every standard test relies on it, so what it gets wrong goes unnoticed."


def _urgency(path: Path) -> int:
    """Return the place of a file in the list: simulator, settings, provider, events, then any other."""
    if path.suffix != ".py":
        return len(_KINDS)
    found = (number for number, kind in enumerate(_KINDS) if kind in path.stem or kind == path.parent.name)
    return next(found, len(_KINDS))


def _project(folder: Path) -> Path:
    """Return the nearest folder with a ``pyproject.toml``; where there is none, the folder itself."""
    folder = folder.absolute()
    return next((place for place in (folder, *folder.parents) if (place / "pyproject.toml").is_file()), folder)


def _questions(root: Path, name: str) -> Iterator[str]:
    question = re.compile(rf"TODO\({re.escape(name)}\):\s*(.*\S)")
    for path in sorted(
        _files(root), key=lambda path: _urgency(path.relative_to(root))
    ):  # stable, so that files of one kind stay together
        for number, line in enumerate(_text(path).splitlines(), 1):
            if found := question.search(line):
                yield f"{path.relative_to(root).as_posix()}:{number}: {found[1]}"


def _placeholders(root: Path) -> Iterator[str]:
    text = _text(root / "README.md")
    for found in _PLACEHOLDER.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield f"README.md:{line}: to be filled in: {' '.join(found[1].split())}"


def _proofs(root: Path, info: ProviderInfo, *, simulated: bool) -> Iterator[str]:
    if info.verified == "documented":
        ran = "these tests ran against a simulator, so say 'simulator'"
        yield f"info.verified is 'documented'; {ran if simulated else _RUN_THEM}"
    elif info.verified == "simulator":
        yield "info.verified is 'simulator': try it with a real account, then say 'live'"
    origins = {_origin(path) for path in _cassettes(root, info.name)}
    if "live" not in origins:
        there = "those in cassettes/ come from elsewhere" if origins else "cassettes/ is empty"
        yield f"nothing is recorded from a live account ({there}); record with: hitl cassettes record {info.name}"


def _cassettes(root: Path, name: str) -> Iterable[Path]:
    # In a repository of several providers the recordings of all of them stand together at its top.
    for place in (root, *root.parents[:2]):
        if (folder := place / "cassettes" / name).is_dir():
            return folder.rglob("*.yaml")
    return ()


def _origin(cassette: Path) -> str:
    head, _, _ = _text(cassette).partition("\ninteractions:")
    found = _ORIGIN.search(head)
    return found[1] if found else "unknown"


def undeclared(declared: Capabilities) -> dict[str, str]:
    """Return the capabilities that are not declared, and what users would gain from each."""
    least = Capabilities()
    return {name: gain for name, gain in GAINS.items() if getattr(declared, name) == getattr(least, name)}


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        inside = Path(folder)
        folders[:] = sorted(name for name in folders if _is_ours(inside / name))
        yield from (inside / name for name in sorted(names) if Path(name).suffix in _READ)


def _is_ours(folder: Path) -> bool:
    if folder.name in _SKIPPED or (folder.name.startswith(".") and folder.name != ".github"):
        return False
    return not (folder / "pyvenv.cfg").exists()


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""  # what cannot be read holds no question either
