"""Vendors that differ from the reference helpdesk pass the kit as well, each by the rules that apply to it."""

import itertools

import pytest

import hitl_core as hitl
from hitl_core.spec import CAPABILITY_HOOKS
from hitl_core.testing.reference import ReferenceProvider

from .mutation import ReferenceSuite
from .variants import StructuredStarts, changed, declaring


class PlainProvider(ReferenceProvider):
    """A vendor without notes, whose stop carries no text."""

    __module__ = ReferenceProvider.__module__  # not a package somebody is writing, with points still to do
    info = declaring(stop_message=False, internal_notes=False)


class LeanProvider(ReferenceProvider):
    """A vendor that can do what every vendor can, and nothing else."""

    __module__ = ReferenceProvider.__module__
    info = declaring(**dict(hitl.Capabilities()))

    async def _call(self, operation, method, path, **request):
        request.pop("key", None)
        return await super()._call(operation, method, path, **request)

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        return await super().add_message(changed(request, reopen=False))


for hook in itertools.chain(*CAPABILITY_HOOKS.values()):
    setattr(LeanProvider, hook, None)


class KeyedProvider(ReferenceProvider):
    """A vendor that honours more keys."""

    __module__ = ReferenceProvider.__module__
    info = declaring(idempotent=frozenset({"create_user", "start_hitl", "stop_hitl"}))


class TestPlainVendor(ReferenceSuite):
    @pytest.fixture
    def provider(self):
        return PlainProvider


class TestLeanVendor(ReferenceSuite):
    @pytest.fixture
    def provider(self):
        return LeanProvider


class TestKeyedVendor(ReferenceSuite):
    only_tests = (
        "test_one_key_makes_one_customer_even_of_a_bare_name",
        "test_a_stop_without_an_answer_is_repeated_where_that_is_harmless",
    )

    @pytest.fixture
    def provider(self):
        return KeyedProvider


class StructuredProvider(StructuredStarts):
    """A vendor that takes history entry by entry."""

    __module__ = ReferenceProvider.__module__


class TestStructuredVendor(ReferenceSuite):
    only_tests = ("test_a_structured_history_keeps_every_entry_apart",)

    @pytest.fixture
    def provider(self):
        return StructuredProvider
