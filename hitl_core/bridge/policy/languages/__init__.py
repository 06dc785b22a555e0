"""The texts as they are unless configured otherwise: one module for each language, in English at least.

A language may lack a text, which is then English. A name with a ``/`` is the text for another choice of what is done:
``on_agent_silence_message/end`` is said when ``on_agent_silence`` is ``"end"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from hitl_core.bridge.policy.languages import de, en, es, fr, it, nl, pt

__all__ = ["BUILT_IN", "ENGLISH"]

ENGLISH: Final[Mapping[str, str]] = MappingProxyType(en.TEXTS)
BUILT_IN: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "de": de.TEXTS,
        "en": ENGLISH,
        "es": es.TEXTS,
        "fr": fr.TEXTS,
        "it": it.TEXTS,
        "nl": nl.TEXTS,
        "pt": pt.TEXTS,
    }
)
"""By BCP 47 tag."""
