"""What must not be told, in every disguise, and the places where it is looked for."""

from __future__ import annotations

import logging
import traceback
import warnings
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote, quote_plus

from hitl_core._http.messages import HttpRequest
from hitl_core.info import ProviderSettings, secrets_of
from hitl_core.webhooks import may_be_credential

__all__ = ["Told", "credentials_in", "disguises", "leaking", "plain_secrets", "texts_of", "watching"]

_SHORTEST: Final = 6
_PLAIN_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

Told = list[tuple[str, str]]
"""Texts, each with where it was found."""


def plain_secrets(settings: ProviderSettings) -> Iterator[tuple[str, str]]:
    """Give the name and the value of each secret of an account."""
    for name, secret in secrets_of(settings):
        if value := secret.get_secret_value():
            yield name, value


def credentials_in(requests: Iterable[HttpRequest]) -> Iterator[str]:
    """Give what headers prove the sender with: the token without its scheme; of Basic both parts and the whole."""
    for request in requests:
        for name, value in request.headers.items():
            if not may_be_credential(name):
                continue
            scheme, _, token = value.rpartition(" ")
            yield token
            if scheme.lower() == "basic":
                yield b64decode(token).decode("utf-8", "replace").partition(":")[2]


def disguises(secret: str) -> set[str]:
    """Return the forms a secret may be written in: as it is, in a URL, and in base64 behind anything else."""
    if len(secret) < _SHORTEST:
        return set()
    raw = secret.encode()
    forms = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret)}
    for before in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            # Of what surrounds it only the characters at the edges depend.
            inner = encode(b"\0" * before + raw).decode().rstrip("=")[(0, 2, 3)[before] : -1]
            forms |= {inner} if len(inner) >= _SHORTEST else set()
    return forms


def leaking(told: Iterable[tuple[str, str]], hidden: Mapping[str, Collection[str]]) -> list[str]:
    """Name what is told although it is hidden, and where; never the thing itself.

    :param hidden: by name, each in all its forms.
    """
    found = {
        f"{name}, in {where}"
        for where, text in told
        for name, forms in hidden.items()
        if any(form in text for form in forms)
    }
    return sorted(found)


def texts_of(error: BaseException, where: str) -> Iterator[tuple[str, str]]:
    """Give all that an error, and those it came from, tell: texts, arguments, attributes, notes and traceback."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        place = f"{where}: {type(each).__name__}" + (
            "" if each is error else f", from which {type(error).__name__} came"
        )
        for part in (str(each), repr(each), repr(each.args), repr(vars(each)), *getattr(each, "__notes__", ())):
            yield place, part
        waiting += [other for other in (each.__cause__, each.__context__) if other is not None]
        waiting += getattr(each, "exceptions", ())
    yield f"{where}: the traceback", "".join(traceback.format_exception(error))


@contextmanager
def watching(ours: Iterable[str], others: Collection[str]) -> Iterator[tuple[Told, Told]]:
    """Collect log records at every level, and warnings.

    :param ours: loggers that may have been silenced or cut off from the root.
    :param others: loggers of the helpdesk's side, which may tell what they like.
    """
    logs: Told = []
    warned: Told = []
    handler = _Collector(logs, others)
    root = logging.getLogger()
    cut_off = [logger for logger in _below(ours) if not logger.propagate]
    levels = {logger: logger.level for logger in (root, *_below(ours))}
    try:
        for logger in (root, *cut_off):
            logger.addHandler(handler)
        root.setLevel(logging.DEBUG)
        for logger in levels:
            if logger.level > logging.DEBUG:
                logger.setLevel(logging.DEBUG)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield logs, warned
        warned += [(f"a {each.category.__name__}", str(each.message)) for each in caught]
    finally:
        for logger in (root, *cut_off):
            logger.removeHandler(handler)
        for logger, level in levels.items():
            logger.setLevel(level)


def _below(names: Iterable[str]) -> list[logging.Logger]:
    known = [name for name, logger in logging.root.manager.loggerDict.items() if isinstance(logger, logging.Logger)]
    return [logging.getLogger(name) for name in known if any(_is_below(name, top) for top in names)]


def _is_below(name: str, top: str) -> bool:
    return name == top or name.startswith((f"{top}.", f"{top}_"))


class _Collector(logging.Handler):
    """Keeps what a handler would write: message, traceback and extras."""

    def __init__(self, told: Told, others: Collection[str]) -> None:
        super().__init__(logging.NOTSET)
        self._told = told
        self._others = others

    def emit(self, record: logging.LogRecord) -> None:
        """Note a record."""
        if any(_is_below(record.name, other) for other in self._others):
            return
        extras: dict[str, Any] = {name: value for name, value in vars(record).items() if name not in _PLAIN_ATTRIBUTES}
        where = f"a line of the logger {record.name!r}"
        self._told += [(where, self.format(record)), (where, repr(extras))]
