"""Loggers that cannot give a secret away.

Nothing of ours logs a body, a header or a query. The filter here is the second line: it masks what slips through in
other people's messages and tracebacks. Put it on your own handlers too::

    handler.addFilter(RedactingFilter())
"""

from __future__ import annotations

import logging
import re
import threading
import traceback
import weakref
from collections.abc import Iterable, MutableMapping
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

__all__ = ["MASK", "RedactingFilter", "get_logger", "redact", "redacting", "register_secret"]

MASK = "[redacted]"

# Shorter ones would blank out ordinary words; a secret this short protects nothing anyway.
_SHORTEST_SECRET = 6

_HEADER = r"(\b (?: proxy- )? authorization | \b (?: set- )? cookie )"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.VERBOSE), replacement)
    for pattern, replacement in (
        # `'cookie': 'x'`, `(b'cookie', b'x')`: up to the quote that opened it
        (rf"""(?i: {_HEADER} (['"]? \s* [:=,] \s* b? (['"])) (?: (?!\3) [^\r\n] )* )""", rf"\1\2{MASK}"),
        # `Authorization: Bearer x`: the rest of the line
        (rf"""(?i: {_HEADER} (\s* [:=] \s*) (?! b? ['"]) [^\r\n]* )""", rf"\1\2{MASK}"),
        # The scheme alone, but not "basic authentication": a credential has more than small letters.
        (r"\b ((?i: bearer | basic)) \s+ (?= [a-z]* [^a-z\s.,;:] ) [\w.~+/=:-]{6,}", rf"\1 {MASK}"),
        # `?api_key=x`, `client_secret=x`, `"refresh_token": "x"`
        (
            r"""((?i: token | key | secret | password | passwd | signature )) ( = | ['"] \s* : \s* ['"] )
                (?! \[redacted ) [^\s&"'<>,;)\]}]+""",
            rf"\1\2{MASK}",
        ),
        (r"whsec_[A-Za-z0-9+/=_-]+", f"whsec_{MASK}"),
    )
)

# By identity and weakly: a secret is masked exactly as long as somebody holds it, and rotating tokens cost nothing.
_secrets: weakref.WeakValueDictionary[int, SecretStr] = weakref.WeakValueDictionary()
_lock = threading.Lock()


def register_secret(secret: SecretStr) -> SecretStr:
    """Mask this secret in every log line for as long as the object lives; give it back for chaining.

    Secrets under six characters are not searched for: masking them would blank out ordinary words.
    """
    if len(secret.get_secret_value()) >= _SHORTEST_SECRET:
        with _lock:
            _secrets[id(secret)] = secret
    return secret


def redact(text: str) -> str:
    """Mask registered secrets, credential headers, ``token=``/``key=``/``secret=`` values and ``whsec_…``."""
    with _lock:
        known = [secret.get_secret_value() for secret in _secrets.values()]
    # The longest first, or a secret that is part of another would leave the rest of it standing.
    for value in sorted(known, key=len, reverse=True):
        if value in text:
            text = text.replace(value, MASK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


_PLAIN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class RedactingFilter(logging.Filter):
    """Logging filter that masks secrets in the message, the traceback and string extras; drops nothing.

    The exception object is replaced by its masked text, because handlers would print it from the original.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the record in place and let it pass."""
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - a log call with wrong arguments must not break the program it reports on
            text = f"{record.msg!s} (this log call has arguments that do not fit)"
        record.msg = redact(text)
        record.args = None
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = redact("".join(traceback.format_exception(*record.exc_info)).rstrip("\n"))
            record.exc_info = None
        elif record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        for name, value in vars(record).items():
            if name not in _PLAIN_ATTRIBUTES and isinstance(value, str):
                setattr(record, name, redact(value))
        return True


_FILTER = RedactingFilter()

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter


class _ConnectionLogger(_Adapter):
    """Puts the connection in front of each line and into ``record.connection``."""

    def __init__(self, logger: logging.Logger, connection: str | None, secrets: Iterable[str]) -> None:
        super().__init__(logger, {"connection": connection})
        self._secrets = tuple(register_secret(SecretStr(secret)) for secret in secrets)
        # The prefix becomes part of a format string, where a percent sign means something.
        self._prefix = f"[{connection.replace('%', '_')}] " if connection else ""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the connection; extras of the call win over ours."""
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return f"{self._prefix}{msg}", kwargs


def get_logger(
    connection: str | None = None, *, secrets: Iterable[str] = (), name: str = "hitl.connection"
) -> _Adapter:
    """Return a redacting logger that names the connection in each line.

    :param connection: key or alias of the connection.
    :param secrets: values masked, in every line of every redacting logger, as long as this one lives.
    :param name: name of the underlying logger; one serves all connections, so that their number costs no memory.
    """
    return _ConnectionLogger(redacting(name), connection, secrets)


def redacting(name: str) -> logging.Logger:
    """Return the standard logger of that name with our filter on it."""
    logger = logging.getLogger(name)
    if _FILTER not in logger.filters:
        logger.addFilter(_FILTER)
    return logger
