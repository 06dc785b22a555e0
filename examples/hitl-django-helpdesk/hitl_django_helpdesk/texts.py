"""What people write, in a form that comes out of django-helpdesk as it went in."""

from __future__ import annotations

import re

import hitl_core as hitl

__all__ = ["as_template", "role_of", "signed"]

# The API renders comments as Django templates, {% %} aside, which it puts between {% verbatim %} tags: who writes
# {{ ticket.title }} reads the title, and who writes %} alone gets a 500. So none of them may get through.
_SYNTAX = re.compile(r"\{(?=[{%#])|(?<=%)\}")

_WORDS = {"user": "Customer", "agent": "Agent of another hand-off", "system": "System"}


def as_template(text: str) -> str:
    """Return a Django template that renders to ``text``, whatever is in it."""
    return _SYNTAX.sub(lambda found: f'{{{{ "{found[0]}" }}}}', text)


def signed(text: str, author: hitl.Author) -> str:
    """Return ``text`` under a line that says who speaks.

    The API writes everything as its own user, and takes a follow-up's title for a new title of the ticket. What the bot
    says needs no line: it is the user.
    """
    if author.role == "bot":
        return text
    name = f" {' '.join(author.name.split())[:120]}" if author.name else ""
    return f"[{_WORDS[author.role]}{name}]\n{text}"


def role_of(comment: str) -> str:
    """Return the role in whose name a comment of ours speaks."""
    said = (role for role, word in _WORDS.items() if comment.startswith((f"[{word} ", f"[{word}]")))
    return next(said, "bot")
