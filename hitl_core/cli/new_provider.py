"""``hitl new-provider``: a provider package that works, to be turned into one for a real vendor."""

from __future__ import annotations

import json
import keyword
import re
import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from string import Template
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

import click

from hitl_core.clock import SystemClock
from hitl_core.discovery import list_providers
from hitl_core.errors import ConfigurationError

__all__ = ["new_provider", "render"]

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_ADDRESS: Final = re.compile(r"(?P<name>[^<>]*[^<>\s])\s*<(?P<email>[^<>@\s]+@[^<>@\s]+)>")
_UNKNOWN_CHECKOUT: Final = "PATH-TO-HITL"
_LONGEST_NAME: Final = 24
_LONGEST_TITLE: Final = 60


class _Template(Template):
    """``@@{name}``: a delimiter that neither Python, TOML, YAML nor Markdown has a use for."""

    delimiter = "@@"


@click.command("new-provider")
@click.argument("name")
@click.option("--dir", "parent", type=click.Path(path_type=Path), default=".", help="Where to put it; here by default.")
@click.option("--title", help="The vendor's name as people write it, such as “Acme Desk”; made from NAME by default.")
@click.option("--author", help="“Ada Lovelace <ada@example.com>”, or a name alone.")
def new_provider(name: str, parent: Path, title: str | None, author: str | None) -> None:
    """Write a new provider package, hitl-NAME, that works at once, against a simulator of a made-up vendor.

    Every place where your vendor will differ carries a question, and its tests list those that are still open.
    """
    given, name = name, re.sub("^(hitl-)+", "", name)
    _check_name(name)
    target = parent / f"hitl-{name}"
    pages = render(name, title=title, author=author)
    _check_target(target)
    try:
        for path, text in pages.items():
            file = target / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        msg = f"cannot write to {target} ({error.strerror or type(error).__name__}); name another folder with --dir"
        raise ConfigurationError(msg) from error
    if given != name:
        click.echo(f"The provider is called {name!r}; hitl-{name} is its package.")
    click.echo(f"Wrote {len(pages)} files to {target}. Next:\n")
    checkout = _checkout()
    for command in commands(target, checkout=checkout, uv=shutil.which("uv") is not None):
        click.echo(f"  {command}")
    if checkout is not None:
        where = "a checkout of HITL" if checkout == _UNKNOWN_CHECKOUT else "the checkout of HITL you ran this from"
        click.echo(f"\n{checkout} is {where}; leave it and its -e out once hitl-core is published.")
    click.echo("\nThe tests pass as they are, and end with a list of what is still to do.")


def commands(target: Path, *, checkout: str | None, uv: bool) -> list[str]:
    """Return what to type to install a new package and run its tests.

    :param checkout: where hitl-core is installed from; ``None`` for the registry.
    :param uv: whether to use it. Its environments hold no pip, and what it runs it would first look up in the registry.
    """
    install = "".join(f"-e {part} " for part in (checkout and _quoted(checkout), '".[test]"') if part).strip()
    enter = f"cd {_quoted(target)}"
    if uv:
        return [enter, "uv venv", f"uv pip install --python .venv {install}", "uv run --no-sync pytest"]
    return [enter, f"pip install {install}", "pytest"]


def _checkout() -> str | None:
    """Return the folder that hitl-core was installed from, ``None`` when that was the registry."""
    try:
        origin = distribution("hitl-core").read_text("direct_url.json")
    except PackageNotFoundError:  # on the path alone
        return _UNKNOWN_CHECKOUT
    if origin is None:
        return None
    told: dict[str, Any] = json.loads(origin)
    return url2pathname(urlsplit(told["url"]).path) if "dir_info" in told else _UNKNOWN_CHECKOUT


def render(name: str, *, title: str | None = None, author: str | None = None) -> dict[PurePosixPath, str]:
    """Return the files of a package, by their path inside of it.

    :param title: the vendor's name as people write it.
    :param author: of the package, with or without a mail address.
    :raises ConfigurationError: title or author cannot be written on one line, or the author holds half an address.
    """
    values = _values(name, title, author)
    pages: dict[PurePosixPath, str] = {}
    for parts, template in _templates(files("hitl_core").joinpath("templates", "provider"), ()):
        named = (values["package"] if part == "package" else re.sub("^dot-", ".", part) for part in parts)
        path = PurePosixPath(*named)
        pages[path.with_name(path.name.removesuffix(".tmpl"))] = _Template(template).substitute(values)
    return pages


def _templates(folder: Traversable, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _templates(entry, (*above, entry.name))
        elif entry.name.endswith(".tmpl"):
            yield (*above, entry.name), entry.read_text("utf-8")


def _values(name: str, title: str | None, author: str | None) -> Mapping[str, str]:
    from hitl_core.rendering import escape_markdown

    words = name.split("-")
    title = _line("title", title or " ".join(word.capitalize() for word in words), _LONGEST_TITLE)
    author = _line("author", author or f"The hitl-{name} authors", 200)
    found = _ADDRESS.fullmatch(author)
    if found is None and re.search("[<>@]", author):
        msg = "--author holds half an address; write a name alone, or 'Ada Lovelace <ada@example.com>'"
        raise ConfigurationError(msg)
    described = {"name": found["name"], "email": found["email"]} if found else {"name": author}
    return {
        "name": name,
        "package": _package(name),
        "class": "".join(word.capitalize() for word in words),
        "env": name.upper().replace("-", "_"),
        "title_python": _python_literal(title),
        "title_markdown": escape_markdown(title),
        "description_toml": _toml(f"HITL provider for {title}."),
        "author": described["name"],
        "author_toml": "{ " + ", ".join(f"{key} = {_toml(value)}" for key, value in described.items()) + " }",
        "year": str(SystemClock().now().year),
    }


def _package(name: str) -> str:
    return f"hitl_{name.replace('-', '_')}"


def _line(what: str, text: str, longest: int) -> str:
    text = text.strip()
    if not text or not text.isprintable() or len(text) > longest:
        msg = f"--{what} must be one line of 1 to {longest} printable characters; give it again, like that"
        raise ConfigurationError(msg)
    return text


def _python_literal(text: str) -> str:
    """Write a string as the formatter would: double quotes, unless single ones need fewer backslashes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    escaped = text.replace("\\", "\\\\").replace(quote, f"\\{quote}")
    return f"{quote}{escaped}{quote}"


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # what JSON escapes, TOML escapes alike


def _quoted(path: Path | str) -> str:
    return f'"{path}"' if re.search(r"\s", str(path)) else str(path)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).lstrip("-0123456789")[:_LONGEST_NAME].strip("-")
        msg = (
            f"{name!r} cannot be a provider's name: take lower-case letters, digits and single hyphens, "
            f"a letter first and {_LONGEST_NAME} characters at most, such as {near or 'acme-desk'!r}"
        )
        raise ConfigurationError(msg)
    if name == "hitl":
        msg = "'hitl' names no vendor; take the vendor's product name, such as 'acme-desk'"
        raise ConfigurationError(msg)
    if keyword.iskeyword(name):
        msg = f"{name!r} is a word of Python's own; take the vendor's product name, such as '{name}-desk'"
        raise ConfigurationError(msg)
    installed = {plugin.name: plugin.origin for plugin in list_providers()}
    if name in installed:
        msg = f"a provider {name!r} is installed already, from {installed[name]}; choose another name or uninstall it"
        raise ConfigurationError(msg)
    published: dict[str, str] = json.loads(files("hitl_core").joinpath("published_providers.json").read_text("utf-8"))
    if name in published:
        msg = f"a provider {name!r} is published already; use it (pip install {published[name]}) or choose another name"
        raise ConfigurationError(msg)
    if find_spec(_package(name)) is not None:
        msg = f"a package {_package(name)} is installed already; choose another name than {name!r}"
        raise ConfigurationError(msg)


def _check_target(target: Path) -> None:
    if target.is_dir() and not any(target.iterdir()):
        return
    if target.exists() or target.is_symlink():
        msg = f"{target} exists already and is no empty folder; remove it, or name another place with --dir"
        raise ConfigurationError(msg)
