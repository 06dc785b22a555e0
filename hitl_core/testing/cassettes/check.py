"""The last look before a commit: what must not be in a cassette, and what must."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import SecretStr

from hitl_core.errors import ConfigurationError
from hitl_core.testing.cassettes import files
from hitl_core.testing.cassettes.credentials import credentials_in, is_credential_field, is_redacted
from hitl_core.testing.cassettes.exchange import Exchange
from hitl_core.testing.cassettes.headers import is_request_header, is_response_header
from hitl_core.testing.cassettes.people import emails_in, is_phone_field, phone_of_field, phones_in
from hitl_core.testing.cassettes.provenance import CassetteError
from hitl_core.testing.cassettes.readings import Reading, readings
from hitl_core.testing.cassettes.registry import orphaned_cassettes
from hitl_core.testing.cassettes.secret_text import SecretText

__all__ = ["LARGEST", "Kind", "Problem", "check_cassettes", "find_cassettes"]

LARGEST: Final = 512 * 1024
"""Bytes of a cassette. Nobody reviews more."""

Kind = Literal[
    "compressed", "credential", "email", "empty", "header", "orphan", "phone", "place", "provenance", "secret", "size",
    "stray", "unreadable",
]  # fmt: skip

_MEND: Final[dict[Kind, str]] = {
    "compressed": "record again; the scrubber unpacks what it knows",
    "credential": "throw the file away, revoke what it gives access to, add it to Scrubber(secrets=...), record again",
    "email": "record again, or write an address at example.com",
    "empty": "throw the file away",
    "header": "record again; the scrubber keeps the allowed fields only",
    "orphan": "throw the file away, or mend the test that should use it",
    "phone": "record again, or write a number kept for fiction, such as +1 202 555 0123",
    "place": "move it to cassettes/<provider>/",
    "provenance": "record again",
    "secret": "throw the file away, rotate the secret, add it to Scrubber(secrets=...), record again",
    "size": "record less in one test, or a smaller file",
    "stray": "throw the file away, or end its name in .yaml",
    "unreadable": "record again",
}
_CLOCKS_DIFFER: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong with a cassette; never with the value that was found.

    :param interaction: its number, from 1; 0 for the file as a whole.
    :param place: where in the interaction, such as ``"response body"``.
    """

    file: Path
    interaction: int
    kind: Kind
    what: str
    place: str = ""

    @property
    def next_step(self) -> str:
        """What to do about it."""
        return _MEND[self.kind]

    def __str__(self) -> str:
        where = f", interaction {self.interaction}" if self.interaction else ""
        place = f", {self.place}" if self.place else ""
        return f"{self.file}{where}{place}: {self.what}; {self.next_step}"


def find_cassettes(root: Path) -> list[Path]:
    """Return the cassettes below a folder.

    :raises ConfigurationError: it is no folder.
    """
    if not root.is_dir():
        msg = f"there is no folder {root}; name the one that holds the cassettes"
        raise ConfigurationError(msg)
    return sorted(root.rglob("*.yaml"))


def check_cassettes(
    root: str | Path,
    *,
    secrets: Iterable[str | SecretStr] = (),
    used: Collection[Path] | None = None,
    now: datetime | None = None,
) -> list[Problem]:
    """Check all cassettes of a folder: ``<root>/<provider>/**/*.yaml``.

    :param secrets: what may be in no cassette, in whatever encoding; see :class:`Scrubber`.
    :param used: the cassettes that tests used; the others are a problem then.
    :param now: the present, by default that of the system's clock.
    :raises ConfigurationError: ``root`` is no folder.
    :raises ValueError: a secret is too short to be looked for.
    """
    root = Path(root)
    finder = SecretText(value.get_secret_value() if isinstance(value, SecretStr) else value for value in secrets)
    latest = (datetime.now(UTC) if now is None else now) + _CLOCKS_DIFFER
    problems = {problem for path in find_cassettes(root) for problem in _check_file(path, root, finder, latest)}
    problems |= set(_strays(root))
    if used is not None:
        problems |= {Problem(path, 0, "orphan", "no test uses it") for path in orphaned_cassettes(root, used)}
    return sorted(problems)


def _strays(root: Path) -> Iterator[Problem]:
    for path in root.rglob("*"):
        if path.is_file() and path.suffix not in {".yaml", ".md"} and path.name not in {".gitignore", ".gitkeep"}:
            yield Problem(path, 0, "stray", "it is no cassette, so nothing looks into it")


def _check_file(path: Path, root: Path, finder: SecretText, latest: datetime) -> Iterator[Problem]:
    if path.stat().st_size > LARGEST:
        yield Problem(path, 0, "size", f"it has more than {LARGEST // 1024} KiB")
    text = path.read_text("utf-8", "replace")
    try:
        provenance, exchanges = files.load(text, path)
    except CassetteError as error:
        what = str(error).removeprefix(f"{path} ").rpartition("; ")[0]
        yield Problem(path, 0, "provenance" if "comes from" in what else "unreadable", f"it {what}")
        exchanges = []
    else:
        if provenance.recorded_at > latest:
            yield Problem(path, 0, "provenance", "it was recorded in the future")
        folder = path.relative_to(root).parts[0]
        if folder == path.name:
            yield Problem(path, 0, "place", "it is in no provider's folder")
        elif provenance.provider != folder:
            yield Problem(path, 0, "place", "it is in another provider's folder than it says")
        if not exchanges:
            yield Problem(path, 0, "empty", "it has no interaction")
    found = [problem for number, item in enumerate(exchanges, 1) for problem in _check(path, number, item, finder)]
    yield from found
    # Also where no interaction is: in a note, a comment, a file that is none.
    if all(problem.kind != "secret" for problem in found) and finder.is_in(text):
        yield Problem(path, 0, "secret", "it holds a secret")


def _check(path: Path, number: int, exchange: Exchange, finder: SecretText) -> Iterator[Problem]:
    sides = (
        ("request", exchange.request, is_request_header),
        ("response", exchange.response, is_response_header),
    )
    for side, message, is_allowed in sides:
        for name in message.headers:
            if not is_allowed(name):
                yield Problem(path, number, "header", f"the field {name[:40]!r} is none that is recorded", side)
        if _is_packed(message.body):
            yield Problem(path, number, "compressed", "it is compressed", f"{side} body")
    for reading in readings(exchange):
        for kind, what in _wrong(reading, finder):
            yield Problem(path, number, kind, what, reading.place)


def _is_packed(body: bytes) -> bool:
    if body[:2] == b"\x1f\x8b" or body[:4] == b"\x28\xb5\x2f\xfd":
        return True
    if body[:1] != b"\x78" or int.from_bytes(body[:2], "big") % 31:
        return False
    try:
        zlib.decompress(body)
    except zlib.error:
        return False
    return True


def _wrong(reading: Reading, finder: SecretText) -> Iterator[tuple[Kind, str]]:
    text = reading.text
    if finder.is_in(text):
        yield "secret", "it holds a secret"
    for kind in credentials_in(text):
        yield "credential", f"it holds what looks like {kind}"
    if is_credential_field(reading.field) and not is_redacted(text):
        yield "credential", "it holds what looks like a credential by its field"
    if "binary" in reading.place:
        return  # what looks like an address or a number there is chance
    if any(emails_in(text)):
        yield "email", "it holds an e-mail address outside of the reserved domains"
    if any(phones_in(text)) or (is_phone_field(reading.field) and phone_of_field(text) is not None):
        yield "phone", "it holds a phone number"
