"""Everything people wrote, made fit to be shown: split, lowered, escaped, neutralised, cleaned, and as a transcript."""

from hitl_core.rendering.escape import escape_markdown, markdown_link, markdown_to_text, safe_url, text_to_html
from hitl_core.rendering.html_in import CleanText, InlineImage, clean_html, clean_text
from hitl_core.rendering.lines import Formatter, message_lines
from hitl_core.rendering.lower import lower_message, split_message
from hitl_core.rendering.neutralise import PLACEHOLDER_SYNTAXES, neutralise_html, neutralise_placeholders
from hitl_core.rendering.sendable import sendable, sendable_text
from hitl_core.rendering.split import shorten, split_text
from hitl_core.rendering.transcript import (
    Block,
    Labels,
    Layout,
    TranscriptFormat,
    render_transcript,
    render_transcript_async,
)

__all__ = [
    "PLACEHOLDER_SYNTAXES",
    "Block",
    "CleanText",
    "Formatter",
    "InlineImage",
    "Labels",
    "Layout",
    "TranscriptFormat",
    "clean_html",
    "clean_text",
    "escape_markdown",
    "lower_message",
    "markdown_link",
    "markdown_to_text",
    "message_lines",
    "neutralise_html",
    "neutralise_placeholders",
    "render_transcript",
    "render_transcript_async",
    "safe_url",
    "sendable",
    "sendable_text",
    "shorten",
    "split_message",
    "split_text",
    "text_to_html",
]
