"""What is taken out before anything is written, and put into a form in which equal requests are equal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from pydantic import SecretStr

from hitl_core.testing.cassettes.bodies import (
    Part,
    as_text,
    content_type_of,
    form_pairs,
    join_form,
    join_multipart,
    multipart_boundary,
    normal_json,
    split_multipart,
    unpacked,
)
from hitl_core.testing.cassettes.cleaning import SEGMENT_SAFE, Cleaner
from hitl_core.testing.cassettes.credentials import without_credentials
from hitl_core.testing.cassettes.exchange import RecordedRequest, RecordedResponse
from hitl_core.testing.cassettes.headers import is_request_header, is_response_header
from hitl_core.testing.cassettes.provenance import CassetteError
from hitl_core.testing.cassettes.secret_text import SecretText

__all__ = ["Scrubber"]

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_ROUNDS: Final = 4


@dataclass(frozen=True)
class Scrubber:
    """Takes secrets and people out of what is recorded, and out of what is compared with a recording.

    It is pure: the same request gives the same result on recording and on replay, and a second time changes nothing.
    Without any argument it already drops all but some headers, and replaces whatever looks like a credential, e-mail
    addresses outside of the reserved domains, phone numbers, and values of fields that hold names.

    :param secrets: each becomes ``redacted``, in whatever encoding it is found. Six characters or more; empty ones are
        passed over.
    :param replace: texts of the account and what stands for them, such as ``{"https://acme.helpdesk.example":
        "https://recorded.invalid", "4711": "1"}``; found as whole words, also percent-encoded and JSON-escaped.
    :param names: people's names that are replaced wherever they stand, whatever the case.
    :param allowed_names: names and words that stay although a field called ``name`` holds them: those of teams, fields,
        webhooks, of the bot.
    :raises ValueError: a secret is too short, or a replacement holds what is to be replaced.
    """

    secrets: Collection[str | SecretStr] = field(default=(), repr=False)
    replace: Mapping[str, str] = field(default_factory=dict, repr=False)
    names: Collection[str] = field(default=(), repr=False)
    allowed_names: Collection[str] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if not all(self.replace) or any(key in value for key in self.replace for value in self.replace.values()):
            msg = "a replacement is empty or holds what is to be replaced, so that doing it again would change it again"
            raise ValueError(msg)
        _ = self._cleaner  # or a secret that is too short would be noticed amid a recording

    @cached_property
    def _cleaner(self) -> Cleaner:
        plain = (value.get_secret_value() if isinstance(value, SecretStr) else value for value in self.secrets)
        return Cleaner(
            secrets=SecretText(plain), replace=self.replace, names=self.names, allowed_names=self.allowed_names
        )

    def request(self, request: RecordedRequest) -> RecordedRequest:
        """Return the request as it is recorded and compared: allowed headers, normalised URI and body."""
        headers = {
            name.lower(): self._cleaner.text(value)
            for name, value in sorted(request.headers.items())
            if is_request_header(name)
        }
        plain = _normal_body(request.body, content_type_of(headers))
        body, content_type = self._body(plain, content_type_of(headers))
        if content_type:
            headers["content-type"] = content_type
        uri = _normal_uri(self._cleaner.url(request.uri))
        return RecordedRequest(request.method.upper(), uri, headers, _normal_body(body, content_type))

    def response(self, response: RecordedResponse) -> RecordedResponse:
        """Return the answer as it is recorded: allowed headers, and a body without compression.

        :raises CassetteError: its compression is not understood.
        """
        every = {name.lower(): tuple(values) for name, values in response.headers.items()}
        plain = unpacked(response.body, ",".join(every.get("content-encoding", ())))
        if plain is None:
            msg = "an answer cannot be recorded, because its content encoding is broken or none that was asked for"
            raise CassetteError(msg)
        headers = {
            name: tuple(self._cleaner.text(value) for value in values)
            for name, values in sorted(every.items())
            if is_response_header(name)
        }
        body, content_type = self._body(plain, ",".join(headers.get("content-type", ())))
        if content_type:
            headers["content-type"] = (content_type,)
        if body and "content-length" in headers:  # an answer to HEAD has a length and no body
            headers["content-length"] = (str(len(body)),)
        return RecordedResponse(response.status, response.reason, headers, body)

    def text(self, text: str) -> str:
        """Return a text without secrets and people, taking it apart as if it were a body."""
        return self._cleaner.text(text)

    def _body(self, body: bytes, content_type: str) -> tuple[bytes, str]:
        boundary = multipart_boundary(content_type)
        if boundary and (parts := split_multipart(body, boundary)) is not None:
            body, fresh = join_multipart([self._part(part) for part in parts])
            return body, content_type.replace(boundary, fresh)
        return self._content(body, content_type), content_type

    def _part(self, part: Part) -> Part:
        head = self._cleaner.text(part.head.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        return Part(head, self._content(part.content, part.content_type, part.name))

    def _content(self, body: bytes, content_type: str, name: str = "") -> bytes:
        # A body that is not what it is said to be may read differently once something was taken out.
        for _ in range(_ROUNDS):
            body, before = self._once(body, content_type, name), body
            if body == before:
                break
        return body

    def _once(self, body: bytes, content_type: str, name: str) -> bytes:
        cleaner = self._cleaner
        text = as_text(body)
        if text is None:
            # Every byte is a character of Latin-1. Names and numbers found in an image would be none.
            return without_credentials(cleaner.secrets.replaced(body.decode("latin-1"))).encode("latin-1")
        if "x-www-form-urlencoded" in content_type.lower():
            pairs = form_pairs(text)
            cleaned = cleaner.pairs(pairs)
            text = text if cleaned == pairs else join_form(cleaned)
        else:
            json = cleaner.json(text, name) if "json" in content_type.lower() else None
            text = cleaner.text(text, name) if json is None else json
        if cleaner.secrets.is_in(text):  # across what the text was cut at
            text = cleaner.secrets.replaced(text)
        return text.encode("utf-8", "surrogatepass")


def _normal_uri(uri: str) -> str:
    parts = urlsplit(uri)
    host = (parts.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    port = "" if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    path = "/".join(quote(unquote(segment), safe=SEGMENT_SAFE) for segment in parts.path.split("/")) or "/"
    # By name only: the order of a repeated parameter's values may mean something.
    query = join_form(sorted(form_pairs(parts.query), key=lambda pair: pair[0]))
    return urlunsplit((parts.scheme, f"{host}{port}", path, query, ""))


def _normal_body(body: bytes, content_type: str) -> bytes:
    text = as_text(body)
    if text is None or multipart_boundary(content_type):
        return body
    if "x-www-form-urlencoded" in content_type.lower():
        return join_form(sorted(form_pairs(text), key=lambda pair: pair[0])).encode()
    if "json" in content_type.lower():
        try:
            return normal_json(text).encode()
        except ValueError:  # half an emoji, or no JSON after all: compared as it is
            pass
    return body
