"""What is taken out before anything is written, and put into a form in which equal requests are equal."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from hitl_core.testing.cassettes.bodies import (
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
from hitl_core.testing.cassettes.exchange import RecordedRequest, RecordedResponse
from hitl_core.testing.cassettes.headers import is_request_header, is_response_header

__all__ = ["Scrubber"]

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Scrubber:
    """Takes secrets and people out of what is recorded, and out of what is compared with a recording.

    It is pure: the same request gives the same result on recording and on replay, and a second time changes nothing.
    """

    def request(self, request: RecordedRequest) -> RecordedRequest:
        """Return the request as it is recorded and compared: allowed headers, normalised URI and body."""
        headers = {name.lower(): value for name, value in sorted(request.headers.items()) if is_request_header(name)}
        body, content_type = _normal_body(request.body, content_type_of(headers))
        if content_type:
            headers["content-type"] = content_type
        return RecordedRequest(request.method.upper(), _normal_uri(request.uri), headers, body)

    def response(self, response: RecordedResponse) -> RecordedResponse:
        """Return the answer as it is recorded: allowed headers, and a body without compression."""
        every = {name.lower(): tuple(values) for name, values in response.headers.items()}
        body = unpacked(response.body, ",".join(every.get("content-encoding", ())))
        headers = {name: values for name, values in sorted(every.items()) if is_response_header(name)}
        if body is None:
            body = response.body
        if body and "content-length" in headers:  # an answer to HEAD has a length and no body
            headers["content-length"] = (str(len(body)),)
        return RecordedResponse(response.status, response.reason, headers, body)


def _normal_uri(uri: str) -> str:
    parts = urlsplit(uri)
    host = (parts.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    port = "" if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    path = "/".join(quote(unquote(segment), safe="!$&'()*+,;=:@~") for segment in parts.path.split("/")) or "/"
    # By name only: the order of a repeated parameter's values may mean something.
    query = join_form(sorted(form_pairs(parts.query), key=lambda pair: pair[0]))
    return urlunsplit((parts.scheme, f"{host}{port}", path, query, ""))


def _normal_body(body: bytes, content_type: str) -> tuple[bytes, str]:
    if boundary := multipart_boundary(content_type):
        parts = split_multipart(body, boundary)
        if parts is not None:
            body, fresh = join_multipart(parts)
            return body, content_type.replace(boundary, fresh)
        return body, content_type
    text = as_text(body)
    if text is None:
        return body, content_type
    if "x-www-form-urlencoded" in content_type:
        return join_form(sorted(form_pairs(text), key=lambda pair: pair[0])).encode(), content_type
    if "json" in content_type:
        try:
            return normal_json(text).encode(), content_type
        except ValueError:  # also half an emoji: compared as it came
            pass
    return body, content_type
