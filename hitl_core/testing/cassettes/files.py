"""The file: YAML that people can review, with its provenance at the head.

A body stands there as the value it is (``json``), as ``text``, or as ``base64``, whichever is the first that gives the
very same bytes back. ``json-ascii``, ``json-spaced`` and ``json-spaced-ascii`` say how the bytes were written.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from hitl_core.testing.cassettes.bodies import JSON_STYLES, as_text, dump_json, json_style, load_json
from hitl_core.testing.cassettes.exchange import Exchange, RecordedRequest, RecordedResponse
from hitl_core.testing.cassettes.provenance import CassetteError, Provenance

__all__ = ["dump", "load", "provider_of", "read", "write"]

_VERSION: Final = 1
_Loader: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNICODE_BREAKS: Final = frozenset("\x85\u2028\u2029")


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as such, and nothing as a reference to something above."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Unicode's line breaks would come back as blanks unless they are escaped.
    style = '"' if _UNICODE_BREAKS & {*text} else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def dump(provenance: Provenance, exchanges: Sequence[Exchange]) -> str:
    """Write a cassette as text."""
    data = {
        "hitl": provenance.model_dump(mode="json", exclude_none=True),
        "version": _VERSION,
        "interactions": [
            {"request": _request_to_data(exchange.request), "response": _response_to_data(exchange.response)}
            for exchange in exchanges
        ],
    }
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


def load(text: str, path: Path) -> tuple[Provenance, list[Exchange]]:
    """Read a cassette from text.

    :param path: named in errors.
    :raises CassetteError: it is no cassette, or does not say where it comes from.
    """
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, in C where there is one
    except (yaml.YAMLError, ValueError, RecursionError):
        # Without the cause, which quotes the file.
        raise CassetteError(f"{path} is no YAML; {_again(path)}") from None
    provenance = _provenance(data, path)
    try:
        if data["version"] != _VERSION:
            raise CassetteError(f"{path} has a version this release does not read; {_again(path)}")
        exchanges = [
            Exchange(_request_from_data(item["request"]), _response_from_data(item["response"]))
            for item in data["interactions"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CassetteError(f"{path} is no cassette of ours ({type(error).__name__}); {_again(path)}") from None
    return provenance, exchanges


def read(path: Path) -> tuple[Provenance, list[Exchange]]:
    """Read a cassette.

    :raises CassetteError: there is none, or it is broken.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise CassetteError(f"there is no cassette {path}; {_again(path)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CassetteError(f"{path} cannot be read ({type(error).__name__}); {_again(path)}") from None
    return load(text, path)


def write(path: Path, provenance: Provenance, exchanges: Sequence[Exchange]) -> None:
    """Write a cassette; the old one stays until the new one is whole."""
    text = dump(provenance, exchanges)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(name).chmod(0o644)  # it will be committed, and mkstemp lets nobody else read it
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def provider_of(path: Path) -> str:
    """Return the provider whose cassette this is, by its place: ``cassettes/<provider>/…``."""
    folders = path.absolute().parent.parts
    where = len(folders) - 1 - folders[::-1].index("cassettes") if "cassettes" in folders else len(folders) - 2
    return folders[min(where + 1, len(folders) - 1)]


def _again(path: Path) -> str:
    return f"record again with: hitl cassettes record {provider_of(path)}"


def _provenance(data: Any, path: Path) -> Provenance:
    block = data.get("hitl") if isinstance(data, dict) else None
    if block is None:
        raise CassetteError(f"{path} does not say where it comes from (no `hitl:` at its head); {_again(path)}")
    try:
        return Provenance.model_validate(block)
    except ValidationError as error:
        fields = sorted({".".join(map(str, problem["loc"])) or "hitl" for problem in error.errors()})
        raise CassetteError(f"{path} says wrongly where it comes from ({', '.join(fields)}); {_again(path)}") from None


def _request_to_data(request: RecordedRequest) -> dict[str, Any]:
    data: dict[str, Any] = {"method": request.method, "uri": request.uri}
    if request.headers:
        data["headers"] = dict(sorted(request.headers.items()))
    return data | _body_to_data(request.body)


def _request_from_data(data: Mapping[str, Any]) -> RecordedRequest:
    headers = {str(name): str(value) for name, value in data.get("headers", {}).items()}
    return RecordedRequest(str(data["method"]), str(data["uri"]), headers, _body_from_data(data))


def _response_to_data(response: RecordedResponse) -> dict[str, Any]:
    data: dict[str, Any] = {"status": response.status}
    if response.reason:
        data["reason"] = response.reason
    if response.headers:
        data["headers"] = {
            name: values[0] if len(values) == 1 else list(values) for name, values in sorted(response.headers.items())
        }
    return data | _body_to_data(response.body)


def _response_from_data(data: Mapping[str, Any]) -> RecordedResponse:
    headers = {
        str(name): tuple(map(str, values)) if isinstance(values, list) else (str(values),)
        for name, values in data.get("headers", {}).items()
    }
    return RecordedResponse(int(data["status"]), str(data.get("reason", "")), headers, _body_from_data(data))


def _body_to_data(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    text = as_text(body)
    if text is None:
        return {"body": {"base64": body}}
    try:
        value = load_json(text)
        style = json_style(text, value) if isinstance(value, dict | list) else None
        if style is not None:
            dump_json(value).encode()  # half an emoji, escaped, is JSON; YAML cannot hold it
            return {"body": {style: value}}
    except ValueError:
        pass
    return {"body": {"text": text}}


def _body_from_data(data: Mapping[str, Any]) -> bytes:
    if "body" not in data:
        return b""
    ((kind, value),) = data["body"].items()
    if kind in JSON_STYLES:
        return dump_json(value, kind).encode()
    if kind == "base64" and isinstance(value, bytes):
        return value
    if kind == "text" and isinstance(value, str):
        return value.encode()
    raise ValueError(kind)
