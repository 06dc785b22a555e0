"""Write the pages that are made from the code: hooks, features, standard tests, the fields of a policy.

``python docs/generate.py`` writes them, ``--check`` says which are out of date (exit code 1).
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import types
import typing
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hitl_core import spec
from hitl_core.bridge.policy import BusinessHours, Policy, Route, Routing, When
from hitl_core.discovery import list_providers, load_provider
from hitl_core.info import Capabilities, ProviderInfo
from hitl_core.testing.conformance import ProviderConformance
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.rules import FLAGS, declared, rule_of, standard_tests

ROOT = Path(__file__).resolve().parent.parent
NOTE = "<!-- Made by `python docs/generate.py`; edit the code it comes from. -->\n"

HOOKS_INTRODUCTION = """\
A provider is a class with `info`, an `__init__` taking a `ProviderContext`, and methods marked `@hookimpl`. Every hook
takes one frozen `request`, which an implementation may leave out when it needs nothing of it, and gives one result; all
are coroutines but `verify_webhook`. [Write a provider](write-a-provider.md) shows how they fit together, [standard
tests](conformance.md) says what each test proves.
"""
TESTS_INTRODUCTION = """\
What `ProviderConformance` asks of every provider. Each has been seen to fail: `finds` names the broken version of the
reference provider on which it does, in every run of this project's own tests.
"""
FEATURES_INTRODUCTION = """\
What each provider declares, and how many standard tests hold it to that. A capability counts only if its tests ran: the
kit fails otherwise.
"""
POLICY_INTRODUCTION = """\
What a hand-off can be told; [Policy](policy.md) says when which text is sent, and how to write one.
"""
UNSUPPORTED = """
## What counts as unsupported

See [Write a provider](write-a-provider.md#what-counts-as-unsupported).
"""

_PARAM = re.compile(r"^:param (\w+): ?(.*)$")
_CODES = re.compile(r"\s*\((?:behaviour )?[FRS]\d{2,3}(?:,\s+[FRS]\d{2,3})*\)")
"""Numbers of our own list of behaviours, which mean something to readers of the code alone."""
_EXAMPLES = 3
NUMBERED = "behaviours.md"
"""The page that is about those numbers."""


def main(arguments: list[str]) -> int:
    """Write the pages, or check them; return the exit code."""
    stale = []
    for name, write in PAGES.items():
        path = ROOT / "docs" / name
        text = NOTE + (write() if name == NUMBERED else _CODES.sub("", write()))
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    tests, mutants = standard_tests(ProviderConformance), _mutants()
    gaps = sorted(set(tests) - set(mutants))
    found = sum(len(each) for each in mutants.values())
    sys.stdout.write(
        f"{len(hooks())} hooks, {len(tests)} standard tests, {found} times a broken provider is found, "
        f"{len(gaps)} tests that find none{': ' if gaps else ''}{', '.join(gaps)}\n"
    )
    for name in stale:
        sys.stderr.write(f"docs/{name} is out of date; run: python docs/generate.py\n")
    return 1 if stale or gaps else 0


# Hooks ------------------------------------------------------------------------------------------------------------


def hooks() -> dict[str, Callable[..., Any]]:
    """Return every hook of the spec, by name, in its order."""
    members = vars(spec.ProviderHooks).items()
    return {name: function for name, function in members if hasattr(function, f"{spec.PROJECT}_spec")}


def tests_by_hook() -> dict[str, list[str]]:
    """Return the standard tests that prove each hook."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, test in standard_tests(ProviderConformance).items():
        rule = rule_of(test)
        for hook in rule.hooks if rule else ():
            found[hook].append(name)
    return found


def hook_reference() -> str:
    """Write the reference of the hook spec."""
    tests = tests_by_hook()
    parts = [
        "# Hook reference\n",
        HOOKS_INTRODUCTION,
        *(f"- [`{name}`](#{name}): {_summary(function)}" for name, function in hooks().items()),
        "",
    ]
    parts += [_hook(name, function, tests.get(name, [])) for name, function in hooks().items()]
    return "\n".join(parts)


def _hook(name: str, function: Callable[..., Any], tests: list[str]) -> str:
    hints = typing.get_type_hints(function)
    request, result = hints["request"], hints.get("return", type(None))
    kind = "plain function, no I/O" if not inspect.iscoroutinefunction(function) else "coroutine"
    doc = inspect.cleandoc(function.__doc__ or "")
    lines = [f"## `{name}`\n", f"*{_when(name)}; {kind}* · `{_name(request)}` → `{_name(result)}`\n", _prose(doc)]
    lines += [f"\nRaises {line.removeprefix(':raises ')}" for line in doc.splitlines() if line.startswith(":raises ")]
    for what, model in (("request", request), ("result", result)):
        lines += _fields(what, model)
    lines.append(f"\n{_proven(tests)}\n")
    return "\n".join(lines)


def _summary(function: Callable[..., Any]) -> str:
    return inspect.cleandoc(function.__doc__ or "").partition("\n\n")[0].replace("\n", " ")


def _proven(tests: list[str]) -> str:
    links = [f"[{_sentence(test)}](conformance.md#{_anchor(test)})" for test in tests[:_EXAMPLES]]
    such_as = ", such as" if len(tests) > _EXAMPLES else ":"
    return f"Proven by {len(tests)} standard test{'s' if len(tests) != 1 else ''}{such_as} {'; '.join(links)}."


def undescribed() -> list[str]:
    """Return the fields of requests and results that nothing is said of, as ``Model.field``."""
    kinds = [kind for function in hooks().values() for kind in typing.get_type_hints(function).values()]
    models = {model for kind in kinds for model in _models(kind)}
    return sorted(
        f"{model.__name__}.{name}"
        for model in models
        for name in set(model.model_fields) - {name for name, text in _params(model) if text}
    )


def _when(name: str) -> str:
    if name in spec.REQUIRED_HOOKS:
        return "required"
    for capability, names in spec.CAPABILITY_HOOKS.items():
        if name in names:
            return f"with capability `{capability}`"
    return "optional"


def _name(kind: Any) -> str:
    if kind is type(None):
        return "None"
    if inspect.isclass(kind) and not typing.get_args(kind):
        return str(kind.__name__)
    return re.sub(r"[\w.]+\.(\w+)", r"\1", str(kind))


def _prose(doc: str) -> str:
    return "\n".join(line for line in doc.splitlines() if not line.lstrip().startswith(":")).strip()


def _fields(what: str, kind: Any) -> Iterator[str]:
    for model in _models(kind):
        described = dict(_params(model))
        if not model.model_fields:
            continue
        yield f"\n| {what}: `{model.__name__}` | |\n|---|---|"
        for name, field in model.model_fields.items():
            need = "" if field.is_required() else " *(optional)*"
            yield f"| `{name}`{need} | {described.get(name, '')} |"


def _models(kind: Any) -> list[type[BaseModel]]:
    candidates = [kind, *typing.get_args(kind)]
    return [one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel)]


def _params(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Read the ``:param name: text`` lines of a docstring, continuation lines included."""
    name, text = "", ""
    for line in inspect.cleandoc(model.__doc__ or "").splitlines():
        if match := _PARAM.match(line):
            if name:
                yield name, text
            name, text = match[1], match[2]
        elif name and line.startswith(" "):
            text += " " + line.strip()
        elif name:
            yield name, text
            name = ""
    if name:
        yield name, text


def _plain_name(name: str) -> str:
    return name.replace("_", " ")


# Standard tests ---------------------------------------------------------------------------------------------------


def conformance() -> str:
    """Write the list of standard tests."""
    groups: dict[type, list[str]] = defaultdict(list)
    for name in standard_tests(ProviderConformance):
        owner = next(base for base in ProviderConformance.__mro__ if name in vars(base))
        groups[owner].append(name)
    mutants = _mutants()
    parts = [
        "# Standard tests\n",
        TESTS_INTRODUCTION,
        *(f"- [{_title(owner)}](#{_heading_anchor(_title(owner))}): {len(names)}" for owner, names in groups.items()),
        "",
    ]
    for owner, names in groups.items():
        parts.append(f"## {_title(owner)}\n")
        for name in names:
            test = standard_tests(ProviderConformance)[name]
            parts.append(
                f"### {_sentence(name)}\n\n{_rule_text(test)}\n\n`{name}` · {_needs(test)}"
                f"finds: {'; '.join(mutants.get(name, ['—']))}\n"
            )
    return "\n".join(parts)


def _title(owner: type) -> str:
    return inspect.cleandoc(owner.__doc__ or owner.__name__).rstrip(".")


def _heading_anchor(heading: str) -> str:
    """Make the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _rule_text(test: Callable[..., Any]) -> str:
    return inspect.cleandoc(test.__doc__ or "")


def _needs(test: Callable[..., Any]) -> str:
    rule = rule_of(test)
    if rule is None:
        return ""
    needs = [f"`{need}`" for need in rule.needs]
    needs += [f"a simulator that can {ability}" for ability in rule.abilities]
    needs += ["signatures that cover the time"] if rule.signed_time else []
    needs += ["a proof that covers the body"] if rule.signed_body else []
    needs += ["deliveries with ids"] if rule.named_deliveries else []
    needs += ["vendors that keep customers"] if rule.customers else []
    return f"for {', '.join(needs)} · " if needs else ""


def _sentence(test: str) -> str:
    words = test.removeprefix("test_").replace("_", " ")
    return words[:1].upper() + words[1:]


def _anchor(test: str) -> str:
    return test.removeprefix("test_").replace("_", "-").lower()


def _mutants() -> dict[str, list[str]]:
    module = _load(ROOT / "tests" / "conformance" / "test_mutants.py", "conformance_mutants")
    return {
        test: [inspect.cleandoc(mutant.__doc__ or mutant.__name__).splitlines()[0].rstrip(".") for mutant in mutants]
        for test, mutants in module.MUTANTS.items()
    }


# Features -----------------------------------------------------------------------------------------------------------


def features() -> str:
    """Write the matrix of capabilities and how each provider was tested."""
    infos = {plugin.name: load_provider(plugin.name)[0].info for plugin in list_providers()}
    head = "| capability | standard tests | " + " | ".join(f"{info.title}" for info in infos.values()) + " |"
    lines = [
        "# Features\n",
        FEATURES_INTRODUCTION,
        head,
        "|---|---|" + "---|" * len(infos),
    ]
    proofs = tests_by_flag()
    for flag in FLAGS:
        cells = ["yes" if declared(info.capabilities, flag) else "—" for info in infos.values()]
        lines.append(f"| {_flag(flag)} | {len(proofs[flag])} | " + " | ".join(cells) + " |")
    lines.append("\n## How it was tested\n")
    lines += [_how(name, info) for name, info in infos.items()]
    lines.append(UNSUPPORTED)
    return "\n".join(lines)


def tests_by_flag() -> dict[str, list[str]]:
    """Return the standard tests that need each capability."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, test in standard_tests(ProviderConformance).items():
        rule = rule_of(test)
        for need in rule.needs if rule else ():
            found[need if need in FLAGS else need.partition(":")[0]].append(name)
    return found


def _flag(flag: str) -> str:
    descriptions = dict(_params(Capabilities))
    name, _, which = flag.partition(":")
    text = f"keys are honoured by `{which}`" if which else descriptions.get(name, _plain_name(name)).rstrip(".")
    return f"`{name}`: {text}"


def _how(name: str, info: ProviderInfo) -> str:
    levels = {suite.level for suite in _suites(name)}
    told = {"offline": "its simulator in memory", "served": "its simulator on a port"}
    ways = [text for level, text in told.items() if level in levels]
    if "recorded" in levels:
        made = (f"{count} {_RECORDED[origin]}" for origin, count in _origins(name).items())
        ways.append(", ".join(made) or "recordings")
    tested = " and ".join([", ".join(ways[:-1]), ways[-1]] if len(ways) > 1 else ways) or "nothing yet"
    return f"- **{info.title}** (`{name}`): the standard tests run against {tested}. {_verified(name, info)}"


_RECORDED = {
    "live": "recordings of a real account",
    "simulator": "recordings of its simulator",
    "documented": "recordings written after the vendor's documentation",
}
_VERIFIED = {
    "live": "Proven against the real helpdesk (`live`)",
    "simulator": "Proven against its simulator only (`simulator`), never a real account",
    "documented": "Written after the vendor's documentation (`documented`), proven against nothing yet",
}
_OURS = ", which for the desk is this repository's own server: its simulator runs that server, with an agent's hand"


def _verified(name: str, info: ProviderInfo) -> str:
    return f"{_VERIFIED[info.verified]}{_OURS if name == 'desk' else ''}."


def _suites(name: str) -> list[type[ConformanceBase]]:
    """Return the suites of a provider: those in its distribution's tests whose ``about``, if any, names it."""
    paths = sorted((ROOT / "providers").glob("*/tests/conformance/test_*.py"))
    modules = [_load(path, f"conformance_of_{path.parents[2].name}_{path.stem}") for path in paths]
    values = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    suites = [value for value in values if issubclass(value, ConformanceBase) and getattr(value, "about", name) == name]
    return [suite for suite in suites if suite.__module__.startswith("docs_conformance_of_")]


def _origins(name: str) -> dict[str, int]:
    from hitl_core.testing.cassettes import files

    counts: dict[str, int] = defaultdict(int)
    for path in sorted((ROOT / "cassettes" / name).rglob("*.yaml")):
        counts[files.read(path)[0].origin] += 1
    return dict(counts)


# Policy -------------------------------------------------------------------------------------------------------------


def policy_fields() -> str:
    """Write the fields of a policy, and of what it is made of."""
    described = dict(_params(Policy))
    lines = ["# Fields of a policy\n", POLICY_INTRODUCTION, "| `Policy` | | default |\n|---|---|---|"]
    for name, field in Policy.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = ", ".join(sorted(default)) if isinstance(default, tuple | frozenset) else str(default or "—")
        lines.append(f"| `{name}` | {described[name]} | {shown} |")
    for model in (BusinessHours, Routing, Route, When):
        lines += _fields("settings", model)
    return "\n".join(lines) + "\n"


def behaviours() -> str:
    """Write which tests show which numbered behaviour."""
    page: str = _load(ROOT / "docs" / "behaviour.py", "behaviour").behaviour_page()
    return page


def _load(path: Path, name: str) -> Any:
    """Import a test module, relative imports of its folder included."""
    package = types.ModuleType(f"docs_{name}")
    package.__path__ = [str(path.parent)]
    sys.modules[package.__name__] = package
    return importlib.import_module(f"{package.__name__}.{path.stem}")


PAGES: dict[str, Callable[[], str]] = {
    "hooks.md": hook_reference,
    "features.md": features,
    "conformance.md": conformance,
    "policy-fields.md": policy_fields,
    NUMBERED: behaviours,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
