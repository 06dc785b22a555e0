"""Telling an agent's own words from the mail they quote and the signature below (behaviour F27)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import unescape
from typing import Any, Final, Literal

from hitl_core.rendering.html_guard import DROPPED, RULED

__all__ = ["cut_quotes", "cut_signature", "element_role"]

_QUOTE_CLASSES: Final = frozenset(
    {"gmail_attr", "gmail_quote", "gmail_quote_container", "moz-cite-prefix", "protonmail_quote"}
    | {"tutanota_quote", "yahoo_quoted", "zmail_extra"}
)
_SIGNATURE_CLASSES: Final = frozenset(
    {"gmail_signature", "gmail_signature_prefix", "moz-signature", "protonmail_signature_block", "signature"}
)
_SIGNATURE_IDS: Final = frozenset({"signature", "applemailsignature", "ms-outlook-mobile-signature", "mail-signature"})
_REST_CLASSES: Final = frozenset({"outlookmessageheader"})
_REST_IDS: Final = frozenset({"appendonsend", "divrplyfwdmsg", "mail-editor-reference-message-container"})
_HEADER_START: Final = re.compile(r"\s*(?:From|Von|De|Da|Van)\s*:")


def element_role(name: str, attributes: Mapping[str, Any], text: str) -> Literal["quote", "signature", "rest"] | None:
    """Say whether an element is a quote, a signature, or begins the quoted rest of the mail.

    :param text: the first characters in it.
    """
    # Outlook prefixes classes and ids of what it quotes.
    classes = {part.removeprefix("x_").lower() for part in _as_list(attributes.get("class"))}
    identity = str(attributes.get("id") or "").removeprefix("x_").lower()
    if classes & _REST_CLASSES or identity in _REST_IDS:
        return "rest"
    if classes & _QUOTE_CLASSES or identity.startswith("yahoo_quoted"):
        return "quote"
    if name == "blockquote" and str(attributes.get("type") or "").lower() == "cite":
        return "quote"
    if classes & _SIGNATURE_CLASSES or identity in _SIGNATURE_IDS or attributes.get("data-smartmail"):
        return "signature"
    if name == "div" and RULED.search(str(attributes.get("style") or "")) and _HEADER_START.match(text):
        return "rest"
    return None


def _as_list(value: object) -> list[str]:
    return value.split() if isinstance(value, str) else [str(part) for part in value] if isinstance(value, list) else []


_ATTRIBUTION: Final = re.compile(
    r"On\b.*\bwrote|Am\b.*\bschrieb\b.*|Le\b.*\ba écrit|El\b.*\bescribió|Il\b.*\bha scritto|Em\b.*\bescreveu|"
    r"A\b.*\bescreveu|Op\b.*\bschreef\b.*|Den\b.*\bskrev\b.*|\d{4}[-/.]\d\d?[-/.]\d\d? .*[<(]\S+@\S+[>)]"
)
_OPENERS: Final = ("On ", "Am ", "Le ", "El ", "Il ", "Em ", "A ", "Op ", "Den ", "1", "2")
_DATED: Final = re.compile(r"\S@\S|\d\d?[:.h]\d\d|\b(?:19|20)\d\d\b")
_ORIGINAL: Final = re.compile(
    r"-{2,}\s*(?:Original Message|Original Appointment|Ursprüngliche Nachricht|Originalnachricht|Message d'origine|"
    r"Message original|Mensaje original|Messaggio originale|Mensagem original|Oorspronkelijk bericht|"
    r"Oorspronkelijke bericht|Forwarded message|Weitergeleitete Nachricht|Message transféré|Mensaje reenviado|"
    r"Messaggio inoltrato|Mensagem encaminhada|Doorgestuurd bericht)\s*-{2,}|##-.*-##",
    re.IGNORECASE,
)
_HEADER_LINES: Final = tuple(
    re.compile(rf"(?:{names})\s*:\s*\S")
    for names in (
        "From|Von|De|Da|Van",
        "Sent|Date|Gesendet|Datum|Envoyé|Enviado el|Enviado|Fecha|Inviato|Data|Verzonden",
        "To|An|À|Para|A|Aan",
        "Subject|Betreff|Objet|Asunto|Oggetto|Assunto|Onderwerp",
    )
)
_LONGEST_ATTRIBUTION: Final = 400


def cut_quotes(lines: Sequence[str], *, tail: bool) -> list[str]:
    """Leave out quoted mail: headers and everything below, attributed quotes, and what was marked as dropped.

    A quote with the agent's words below it is left out alone; without anything quoted behind its attribution the rest
    of the mail is the quote.

    :param tail: also cut lines marked with ``>`` at the end. Not for HTML, where those may be the agent's own quote.
    """
    kept: list[str] = []
    index = 0
    cut = False
    while index < len(lines):
        line = lines[index]
        key = _key(line)
        if _ORIGINAL.fullmatch(key) or _is_header(lines, index, key):
            cut = True
            break
        if width := _attribution(lines, index, key):
            cut = True
            end = _end_of_quote(lines, index + width)
            if end is None:
                break
            index = end
            continue
        if DROPPED in line:
            cut = True
        elif line.strip() or kept:
            kept.append(line)
            cut = cut and not line.strip()
        index += 1
    while kept and (_is_blank(kept[-1], rule=cut) or (tail and kept[-1].lstrip().startswith(">"))):
        kept.pop()
    return kept


def _is_blank(line: str, *, rule: bool) -> bool:
    """Whether a line says nothing; a rule says nothing above a quote."""
    return not line.strip(" \t\u00a0_\\-" if rule else " \t\u00a0")


def _key(line: str) -> str:
    """Return a line without the marks of Markdown, as it was typed."""
    return unescape(line.replace("\\", "")).strip(" \t\u00a0*_")


def _is_header(lines: Sequence[str], index: int, key: str) -> bool:
    if not _HEADER_LINES[0].match(key):
        return False
    following = [_key(line) for line in lines[index + 1 : index + 9]]
    return sum(any(pattern.match(line) for line in following) for pattern in _HEADER_LINES[1:]) >= 2


def _attribution(lines: Sequence[str], index: int, key: str) -> int:
    """Return how many lines an attribution such as "On … wrote:" takes; 0 when there is none."""
    if not key.startswith(_OPENERS):
        return 0
    joined = ""
    for width, line in enumerate(lines[index : index + 4], start=1):
        joined = f"{joined} {_key(line)}".strip()
        if len(joined) > _LONGEST_ATTRIBUTION or not line.strip():
            return 0
        if joined.endswith(":"):
            said = joined[:-1].rstrip()
            return width if _DATED.search(said) and _ATTRIBUTION.fullmatch(said) else 0
    return 0


def _end_of_quote(lines: Sequence[str], index: int) -> int | None:
    """Return where the quote after an attribution ends; ``None`` when nothing there is marked as quoted."""
    end = None
    while index < len(lines):
        line = lines[index].lstrip()
        index += 1
        if line.startswith((">", DROPPED)):
            end = index
        elif line:
            break
    return end


_DEVICES: Final = (
    r"(?:iPhone|iPad|Android|Samsung|Galaxy|Huawei|Xiaomi|Pixel|OnePlus|BlackBerry|Windows|Nokia|Sony|mobile|phone|"
    r"Handy|Mobil\w*|Smartphone|Outlook|Mail|Yahoo|Gmail|Proton\s?Mail|Proton|Thunderbird|Spark|Superhuman)"
)
_SENT_FROM: Final = re.compile(
    rf"(?:Sent from (?:my |an? |the )?|Sent via |Gesendet (?:von|mit|über) (?:meine[mr]? |der |dem )?|"
    rf"Envoyé (?:de|depuis) (?:mon |l'application )?|Enviado (?:desde|do|a partir do|con|pelo) (?:mi |meu )?|"
    rf"Inviato da(?:l mio)? ?|Verzonden (?:vanaf|met|via|vanuit) (?:mijn |de )?|Get |Von meinem ){_DEVICES}\b.{{0,60}}"
    rf"|Outlook (?:for|für|pour|para|per|voor) (?:iOS|Android).{{0,60}}",
    re.IGNORECASE,
)
_LONGEST_SIGNATURE: Final = 20


def cut_signature(lines: Sequence[str]) -> list[str]:
    """Leave out what follows a line of two hyphens, and "Sent from my phone" at the end.

    Two hyphens with more than 20 lines behind are a rule in the text, not the start of a signature.
    """
    kept = list(lines)
    after = 0
    for index in range(len(kept) - 1, -1, -1):
        if after > _LONGEST_SIGNATURE:
            break
        if kept[index].replace("\\", "").strip() in ("--", "—"):
            del kept[index:]
            break
        after += bool(kept[index].strip())
    while kept and (not kept[-1].strip() or _is_sent_from(kept[-1])):
        kept.pop()
    return kept


def _is_sent_from(line: str) -> bool:
    if len(line) > 300:
        return False
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)|\(https?:[^)]*\)", r"\1", _key(line))
    return bool(_SENT_FROM.fullmatch(words.strip(" .")))
