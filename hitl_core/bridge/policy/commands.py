"""Close commands: what a customer writes to end a hand-off (behaviour part 10, F11)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from hitl_core.bridge.policy.patterns import LONGEST, compile_bounded

__all__ = ["DEFAULT_COMMANDS", "check_command", "is_command"]

DEFAULT_COMMANDS: Final = ("/end",)
_EXPRESSION: Final = "re:"


def check_command(command: str) -> None:
    """Refuse what cannot be a command.

    :raises ValueError: says what to write instead.
    """
    expression = command.startswith(_EXPRESSION)
    if not command.removeprefix(_EXPRESSION if expression else "").strip():
        msg = "a close command of blanks would end the hand-off by accident; leave it out for the default"
        raise ValueError(msg)
    if not expression and len(command) > LONGEST:
        msg = f"a close command has at most {LONGEST} characters"
        raise ValueError(msg)
    compiled = _compiled(command)
    if isinstance(compiled, re.Pattern) and compiled.fullmatch(""):
        msg = "the regular expression of a close command fits a text of nothing; it would end the hand-off by accident"
        raise ValueError(msg)


def is_command(said: str, commands: Iterable[str]) -> bool:
    """Whether the whole of a text, trimmed and in any case, is one of the commands (behaviour S097)."""
    said = said.strip()
    if not said or len(said) > LONGEST:  # nothing so long is a command, and expressions must not see it
        return False
    said = _same_form(said)
    folded = said.casefold()
    for command in commands:
        compiled = _compiled(command)
        if compiled == folded if isinstance(compiled, str) else compiled.fullmatch(said[:LONGEST]):
            return True
    return False


def _same_form(text: str) -> str:
    """Write a text as it compares: keyboards differ in width, and in accents put together or apart."""
    return unicodedata.normalize("NFKC", text).strip()


@lru_cache(maxsize=256)
def _compiled(command: str) -> str | re.Pattern[str]:
    if command.startswith(_EXPRESSION):
        return compile_bounded(_same_form(command.removeprefix(_EXPRESSION)))
    return _same_form(command).casefold()
