"""What is public, and that the spec's tables agree with the spec."""

import importlib
import inspect
import typing

import pytest

import hitl_core
from hitl_core import calls, spec, webhooks
from hitl_core.info import Capabilities

HOOKS = {name: function for name, function in vars(spec.ProviderHooks).items() if hasattr(function, "hitl_spec")}


def test_every_public_name_exists_and_says_what_it_is():
    public = {name: getattr(hitl_core, name) for name in hitl_core.__all__}
    described = (name for name, value in public.items() if inspect.isclass(value) or inspect.isfunction(value))
    undocumented = [name for name in described if not inspect.getdoc(public[name])]
    assert undocumented == []


PACKAGES = ["hitl_core.testing", "hitl_core.testing.conformance", "hitl_core.testing.simulator"]


@pytest.mark.parametrize("package", [*PACKAGES, "hitl_core.testing.cassettes", "hitl_core.testing.reference"])
def test_every_public_name_of_the_kit_exists_and_says_what_it_is(package):
    module = importlib.import_module(package)
    values = {name: getattr(module, name) for name in module.__all__}
    described = {name: value for name, value in values.items() if inspect.isclass(value) or inspect.isfunction(value)}
    assert [name for name, value in described.items() if not inspect.getdoc(value)] == []


def test_the_public_names_are_listed_once():
    assert len(set(hitl_core.__all__)) == len(hitl_core.__all__)
    star: dict[str, object] = {}
    exec("from hitl_core import *", star)  # noqa: S102 - the import statement users write
    assert set(hitl_core.__all__) <= set(star)


def test_every_request_and_result_of_a_hook_is_public():
    for name in (*calls.__all__, *webhooks.__all__):
        if inspect.isclass(getattr(calls, name, None) or getattr(webhooks, name, None)):
            assert hasattr(hitl_core, name), name


def test_every_hook_is_required_optional_or_behind_one_capability():
    behind = [hook for hooks in spec.CAPABILITY_HOOKS.values() for hook in hooks]
    assert sorted([*spec.REQUIRED_HOOKS, *spec.OPTIONAL_HOOKS, *behind]) == sorted(HOOKS)


def test_the_capability_table_names_flags_that_are_off_by_default():
    assert not [flag for flag in spec.CAPABILITY_HOOKS if getattr(Capabilities(), flag) is not False]


def test_every_hook_takes_one_request_and_says_what_it_does():
    for name, function in HOOKS.items():
        assert list(inspect.signature(function).parameters) == ["self", "request"], name
        assert function.__doc__, name
        assert inspect.iscoroutinefunction(function) == (name != "verify_webhook"), name
        assert typing.get_type_hints(function)["request"].model_config["frozen"] if name != "verify_webhook" else True
